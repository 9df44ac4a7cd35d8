//! Secrets in text: where they are, and the text without them.
//!
//! Found by the formats that their issuers document (`formats`), by the place that they stand in (`places`: headers, URLs, `name=value`)
//! and, for private keys, line by line (`key_lines`). Nothing here is a regular expression: a literal is looked for, and what stands
//! around it is walked once, byte by byte, so the time is linear in the text whatever the text is.
//!
//! A mask says what it hides and nothing of its length: `[masked: GitHub token]`.

mod alphabet;
mod formats;
mod key_lines;
mod lines;
mod names;
mod places;

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use lines::MaskedLines;
pub use names::{Named, Value, named, named_header};

use key_lines::{Beginning, KeyLines};

/// Bytes of the longest token that is looked for. A JWT of a service account has some 1,200; HTTP servers take headers of 8 to 16 KiB.
pub const LONGEST: usize = 16 * 1024;

/// Whether a component gets to see secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Secrets {
    /// They are masked before they reach it.
    #[default]
    Masked,
    /// It sees what the cluster holds. The operator has said so.
    Shown,
}

/// A secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    at: Range<usize>,
    /// What it is: `GitHub token`.
    kind: &'static str,
    /// How much that says.
    by: By,
}

/// What a secret was known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// The place where it stands, which says little of it.
    Place,
    /// Its form.
    Form,
}

/// A text without its secrets. Borrows where there are none, which is the common case.
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut keys = KeyLines::new(Beginning::Known);
    match keys.mask(text) {
        Cow::Borrowed(_) => mask_in_lines(text),
        Cow::Owned(mut masked) => {
            masked.push_str(&keys.finish());
            Cow::Owned(mask_in_lines(&masked).into_owned())
        }
    }
}

/// [`mask`], but for private keys, which can go over many lines.
fn mask_in_lines(text: &str) -> Cow<'_, str> {
    let found = find(text);
    if found.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(without(text, &found, 0)) }
}

/// What is left of one long line whose beginning is gone, without its secrets, and how many bytes of it were left out.
///
/// It may begin inside of a secret that nothing tells any more. So its first [`LONGEST`] bytes only serve to recognise what begins in
/// them, and the word that follows them goes, too.
pub fn mask_behind(text: &str) -> (String, usize) {
    let skip = text.ceil_char_boundary(LONGEST.min(text.len()));
    let word = text[skip..].find(char::is_whitespace).unwrap_or(text.len() - skip).min(LONGEST);
    let skip = text.ceil_char_boundary(skip + word);
    (without(text, &find(text), skip), skip)
}

/// Whether there is a secret in this text, private keys included.
pub fn is_suspect(text: &str) -> bool {
    !find(text).is_empty() || key_lines::mentions_a_key(text)
}

/// What stands in place of a secret.
pub fn masked(kind: &str) -> String {
    format!("[masked: {kind}]")
}

/// The secrets of a text in their order, none overlapping another.
fn find(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    formats::find(text, &mut found);
    places::find(text, &mut found);
    if found.len() > 1 {
        found.sort_by_key(|secret| (secret.at.start, std::cmp::Reverse(secret.at.end)));
        found.dedup_by(|later, earlier| {
            let overlaps = later.at.start < earlier.at.end;
            if overlaps {
                earlier.at.end = earlier.at.end.max(later.at.end);
                if later.by > earlier.by {
                    (earlier.kind, earlier.by) = (later.kind, later.by);
                }
            }
            overlaps
        });
    }
    found
}

/// The text from `skip` on, with a mask for each secret.
fn without(text: &str, found: &[Found], skip: usize) -> String {
    let mut masked_text = String::with_capacity(text.len() - skip);
    let mut done = skip;
    for secret in found.iter().filter(|secret| secret.at.end > skip) {
        // A secret that was cut off in the middle of a character goes with the whole of it.
        masked_text.push_str(&text[done..text.floor_char_boundary(secret.at.start).max(done)]);
        masked_text.push_str(&masked(secret.kind));
        done = text.ceil_char_boundary(secret.at.end).max(done);
    }
    masked_text.push_str(&text[done..]);
    masked_text
}

#[cfg(test)]
mod tests;
