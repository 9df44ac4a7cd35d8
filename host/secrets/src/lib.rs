//! Finds secrets in text and masks them.
//!
//! Untrusted text is cleaned, searched for what announces a secret (`find`), and examined there through a [`scan`]; private keys
//! are followed from line to line (`key_lines`). The tables hold: forms that issuers document (`formats`), names (`names`) and
//! how they are joined to their values (`pairs`), headers, URLs, programs (`commands`), words of SQL and Redis (`phrases`), and manifests of Secrets (`manifests`).
//! The same is done with the text's escapes undone (`reading`).
//!
//! There are no regular expressions. A scan walks each byte a fixed number of times, so time is linear in any text, and the tests
//! in `linear` count it.
//!
//! A mask says what it hides and nothing of its length: `[masked: GitHub token]`.

mod alphabet;
mod commands;
mod extent;
mod find;
mod formats;
mod headers;
mod key_lines;
mod known;
mod lines;
mod manifests;
mod names;
mod pairs;
mod phrases;
mod reading;
mod scan;
mod urls;
mod values;

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Range;

use sandbar_text::Cleaned;
use sandbar_text::steps::steps;
use serde::{Deserialize, Serialize};

pub use commands::{WORDS_MAX, has_program, secret_words};
use find::find;
use key_lines::{Beginning, KeyLines};
pub use known::{LeftCaches, NameCache};
pub use lines::MaskedLines;
pub use names::{Expected, Named, named, named_header};
pub use phrases::web_key_member;

/// Bytes of the longest token that is looked for. A JWT of a service account has some 1,200; HTTP servers take headers of 8 to 16 KiB.
pub const LONGEST: usize = 16 * 1024;

/// Whether a component may see secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Secrets {
    /// Secrets are masked.
    #[default]
    Masked,
    /// The component sees what the cluster holds, by the operator's choice.
    Shown,
}

/// A secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    at: Range<usize>,
    /// Its kind: `GitHub token`.
    kind: &'static str,
    /// How it was recognised.
    by: By,
}

/// How a secret was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// By its place, which says little about it.
    Place,
    /// By its form.
    Form,
}

/// A text as it may be shown: clean and masked. Borrows if there is nothing to remove, the common case.
///
/// It takes the raw text, since the characters that cleaning removes may be inside a secret.
pub fn mask(text: &str) -> Cow<'_, str> {
    let found = mask_in_lines(text);
    let mut keys = KeyLines::new(Beginning::Known);
    match keys.mask(&found) {
        Cow::Borrowed(_) => found,
        Cow::Owned(mut masked) => {
            masked.push_str(&keys.finish());
            Cow::Owned(masked)
        }
    }
}

/// Untrusted text for a message of ours: at most `most` bytes, clean, on one line, and masked.
pub fn quotable(said: impl Display, most: usize) -> String {
    sandbar_text::line_of(said, most, mask)
}

/// [`mask`] without private keys, which can span many lines.
fn mask_in_lines(text: &str) -> Cow<'_, str> {
    let Cleaned { text, seams } = Cleaned::of(text);
    let found = find(&text, &seams);
    if found.is_empty() { text } else { Cow::Owned(without(&text, &found, 0)) }
}

/// The rest of a long line whose beginning is lost, clean and masked, and the number of bytes that were left out.
///
/// It may begin inside a secret that can no longer be recognised. So its first [`LONGEST`] bytes only serve to recognise what
/// begins there, and the word after them is left out, too.
pub fn mask_tail(text: &str) -> (String, usize) {
    let Cleaned { text, seams } = Cleaned::of(text);
    let skip = text.ceil_char_boundary(LONGEST.min(text.len()));
    let word = text[skip..].find(char::is_whitespace).unwrap_or(text.len() - skip).min(LONGEST);
    let skip = text.ceil_char_boundary(skip + word);
    let shown = without(&text, &find(&text, &seams), skip);
    let mut keys = KeyLines::new(Beginning::Anywhere);
    let shown = keys.mask(&shown).into_owned() + &keys.finish();
    (shown, skip)
}

/// Whether a text has a secret, private keys included.
pub fn has_secret(text: &str) -> bool {
    let Cleaned { text, seams } = Cleaned::of(text);
    !find(&text, &seams).is_empty() || key_lines::mentions_a_key(&text)
}

/// Whether any line of a text has a secret by itself, as [`has_secret`] says of it, whatever the other lines hold. The lines are visible ASCII.
///
/// For many short strings this is a fraction of the time that it takes to search each.
pub fn has_line_with_secret(lines: &str) -> bool {
    find::in_a_line(lines) || key_lines::mentions_a_key(lines)
}

/// The mask of a secret.
pub fn masked(kind: &str) -> String {
    format!("[masked: {kind}]")
}

/// The text from `skip` on, with a mask on each line of each secret.
fn without(text: &str, found: &[Found], skip: usize) -> String {
    let mut masked_text = String::with_capacity(text.len() - skip);
    let mut done = skip;
    for secret in found.iter().filter(|secret| secret.at.end > skip) {
        // A secret that was cut within a character is masked with all of it.
        let start = text.floor_char_boundary(secret.at.start).max(done);
        let end = text.ceil_char_boundary(secret.at.end).max(start);
        masked_text.push_str(&text[done..start]);
        for (line, part) in text[start..end].split_inclusive('\n').enumerate() {
            let body = part.trim_ascii_end();
            let begins = line == 0 && secret.at.start >= skip;
            let indent = if begins { 0 } else { body.len() - body.trim_ascii_start().len() };
            masked_text.push_str(&body[..indent]);
            if begins || !body.is_empty() {
                masked_text.push_str(&masked(secret.kind));
            }
            masked_text.push_str(if part.ends_with('\n') { "\n" } else { "" });
        }
        done = end;
    }
    masked_text.push_str(&text[done..]);
    steps(text.len() - skip);
    masked_text
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod linear;
#[cfg(test)]
mod tests;
