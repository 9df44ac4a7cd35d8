//! Everything that announces a secret, looked for at once, and what is looked at where one of them stands.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use memchr::memchr2_iter;

use super::commands::{self, PROGRAMS, Program};
use super::formats::{self, FORMATS, Format};
use super::phrases::{self, ENCODED, PHRASES, Phrase};
use super::scan::Scan;
use super::urls::{self, HOOKS, Hook};
use super::{By, Found, headers, pairs, reading};
use crate::policy::steps::steps;
use crate::policy::text::{Cleaned, Seam};

/// What stands where a secret may be.
#[derive(Clone, Copy)]
enum Trigger {
    Format(&'static Format),
    Hook(&'static Hook),
    Program(&'static Program),
    Phrase(&'static Phrase),
    /// A word of names.
    Name,
    /// A place that a function looks at.
    Place(fn(&Scan<'_>, usize) -> Option<Found>),
    /// The beginning of something in base64.
    Encoded,
}

/// Words of names whose value may be secret, in small letters. They are found in small letters, in capital ones, and with a capital
/// letter at their beginning.
const NAME_WORDS: &[&str] = &[
    "pass",
    "pwd",
    "pswd",
    "token",
    "secret",
    "credential",
    "creds",
    "key",
    "psk",
    "auth",
    "cookie",
    "sess",
    "signature",
    "mnemonic",
];

/// Places that functions look at.
const PLACES: &[(&str, fn(&Scan<'_>, usize) -> Option<Found>)] = &[
    ("://", urls::password),
    ("@tcp(", urls::before_network),
    ("@unix(", urls::before_network),
    ("thin:", urls::oracle),
    ("sig=", urls::signature),
    ("--password-stdin", commands::piped),
    ("passwd --stdin", commands::piped),
    ("| chpasswd", commands::piped),
    ("sudo -S", commands::piped),
    ("| kinit", commands::piped),
    ("Bearer ", headers::bearer),
    ("bearer ", headers::bearer),
    ("BEARER ", headers::bearer),
    ("Basic ", headers::basic),
    ("basic ", headers::basic),
    ("BASIC ", headers::basic),
];

/// How many are looked for at once. The search looks at many bytes at a time for what can begin one, but only of 64.
const AT_ONCE: usize = 60;

/// Searches for so many triggers each.
static SEARCHES: LazyLock<Vec<Search>> = LazyLock::new(|| {
    let triggers = triggers();
    let search = |triggers: &[(String, Trigger)]| {
        // It fails for more patterns than a 32-bit number can count, and these are some hundred.
        #[allow(clippy::unwrap_used, reason = "the patterns are constants, and a test builds them")]
        let search =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(triggers.iter().map(|(text, _)| text)).unwrap();
        // A search reports the longest one at a place. Those that it begins with stand there, too.
        let at = |text: &str| {
            triggers
                .iter()
                .rev()
                .filter(|(other, _)| text.starts_with(other))
                .map(|(other, trigger)| (other.len(), *trigger))
                .collect()
        };
        Search { search, found: triggers.iter().map(|(text, _)| at(text)).collect() }
    };
    triggers.chunks(AT_ONCE).map(search).collect()
});

/// A search for some triggers.
struct Search {
    search: AhoCorasick,
    /// For each of them what stands where it is found, the longest first, and how long it is.
    found: Vec<Vec<(usize, Trigger)>>,
}

/// All of them. Those that begin alike stand together, which the search likes.
fn triggers() -> Vec<(String, Trigger)> {
    let mut all: Vec<(String, Trigger)> = Vec::new();
    all.extend(FORMATS.iter().map(|format| (format.prefix.to_owned(), Trigger::Format(format))));
    all.extend(HOOKS.iter().map(|hook| (hook.before.to_owned(), Trigger::Hook(hook))));
    all.extend(PROGRAMS.iter().map(|program| (program.trigger(), Trigger::Program(program))));
    all.extend(PHRASES.iter().map(|phrase| (phrase.words.to_owned(), Trigger::Phrase(phrase))));
    all.extend(ENCODED.iter().map(|text| ((*text).to_owned(), Trigger::Encoded)));
    all.extend(PLACES.iter().map(|&(text, place)| (text.to_owned(), Trigger::Place(place))));
    for word in NAME_WORDS {
        let capital = word[..1].to_ascii_uppercase() + &word[1..];
        all.extend([(*word).to_owned(), capital, word.to_ascii_uppercase()].map(|word| (word, Trigger::Name)));
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// What is looked for.
#[cfg(test)]
pub(super) fn literals() -> Vec<String> {
    triggers().into_iter().map(|(text, _)| text).collect()
}

/// How many times escapes are undone, and base64 is: JSON inside of JSON inside of JSON.
const DEPTH_MAX: u8 = 3;

/// The secrets of a clean text in their order, none overlapping another.
pub(super) fn find(text: &str, seams: &[Seam]) -> Vec<Found> {
    let mut found = Vec::new();
    find_to(text, seams, true, DEPTH_MAX, &mut found);
    merge(&mut found);
    found
}

fn merge(found: &mut Vec<Found>) {
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
}

/// Adds the secrets of a text and of its other readings, which may overlap.
fn find_to(text: &str, seams: &[Seam], is_source: bool, depth: u8, found: &mut Vec<Found>) {
    let scan = Scan::new(text, seams, is_source);
    SEARCHES.iter().for_each(|search| search.find(text, &scan, depth, found));
    steps(text.len());
    found.extend(memchr2_iter(b'-', b'.', text.as_bytes()).filter_map(|at| formats::around_separator(&scan, at)));
    if let Some(glued) = reading::glued(text, seams) {
        let mut inside = Vec::new();
        find_to(&glued.text, &glued.seams, is_source, depth.min(1), &mut inside);
        found.extend(inside.into_iter().map(|secret| Found { at: glued.source(&secret.at), ..secret }));
    }
    if let Some(depth) = depth.checked_sub(1)
        && let Some(unescaped) = reading::unescaped(text)
    {
        let mut inside = find_unclean(&unescaped.text, depth);
        inside.iter_mut().for_each(|secret| secret.at = unescaped.source(&secret.at));
        found.extend(inside);
    }
}

/// The secrets of a text that may be unclean: an escape may stand for the beginning of an escape sequence.
fn find_unclean(text: &str, depth: u8) -> Vec<Found> {
    let mut found = Vec::new();
    let cleaned = Cleaned::of(text);
    if cleaned.seams.is_empty() {
        find_to(text, &[], false, depth, &mut found);
    } else {
        let clean = reading::cleaned(cleaned, text);
        find_to(&clean.text, &clean.seams, false, depth, &mut found);
        found.iter_mut().for_each(|secret| secret.at = clean.source(&secret.at));
    }
    found
}

impl Search {
    fn find(&self, text: &str, scan: &Scan<'_>, depth: u8, found: &mut Vec<Found>) {
        let mut from = 0;
        while from < text.len()
            && let Some(hit) = self.search.find(Input::new(text).range(from..))
        {
            steps(hit.end() - from);
            let start = hit.start();
            from = start + 1;
            for &(length, trigger) in &self.found[hit.pattern().as_usize()] {
                let before = found.len();
                from = from.max(at_trigger(trigger, scan, &(start..start + length), depth, found));
                if found.len() > before {
                    break;
                }
            }
        }
        steps(text.len() - from.min(text.len()));
    }
}

/// Looks at what stands at a trigger. Its result: where to look on.
fn at_trigger(trigger: Trigger, scan: &Scan<'_>, hit: &Range<usize>, depth: u8, found: &mut Vec<Found>) -> usize {
    let one = match trigger {
        Trigger::Name => {
            pairs::find(scan, hit, found);
            return hit.end;
        }
        Trigger::Program(program) => {
            program.find(scan, hit.start, found);
            return hit.end;
        }
        Trigger::Phrase(phrase) => {
            phrase.find(scan, hit.start, found);
            return hit.end;
        }
        Trigger::Encoded => return encoded(scan, hit.start, depth, found),
        Trigger::Format(format) => format.find(scan, hit.start),
        Trigger::Hook(hook) => hook.find(scan, hit.start),
        Trigger::Place(place) => place(scan, hit.start),
    };
    match one {
        Some(secret) => {
            // What a word such as `Bearer` announces may have a form of its own.
            let on = if secret.by == By::Form { secret.at.end } else { hit.end };
            found.push(secret);
            on
        }
        None => hit.start + 1,
    }
}

/// Adds base64 with secrets in it.
fn encoded(scan: &Scan<'_>, at: usize, depth: u8, found: &mut Vec<Found>) -> usize {
    let Some(depth) = depth.checked_sub(1) else { return at + 1 };
    let Some((range, text)) = phrases::decoded(scan, at) else { return at + 1 };
    let mut inside = find_unclean(&text, depth);
    merge(&mut inside);
    if let Some(first) = inside.first() {
        found.push(Found { at: range.clone(), kind: first.kind, by: By::Place });
    }
    range.end
}
