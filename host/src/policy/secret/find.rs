//! Everything that announces a secret, looked for at once, and what is looked at where one of them stands.

use std::ops::Range;
use std::sync::LazyLock;

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
    // JSON Web Keys, whose members have too short names to be looked for where they are escaped.
    ("kty", |_, _| None),
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

/// The search for all of them.
static SEARCH: LazyLock<Search> = LazyLock::new(|| Search::new(triggers()));

/// All of them.
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
    let hits = SEARCH.find(text.as_bytes(), &scan, depth, found);
    steps(text.len());
    found.extend(memchr2_iter(b'-', b'.', text.as_bytes()).filter_map(|at| formats::around_separator(&scan, at)));
    if let Some(glued) = reading::glued(text, seams) {
        let mut inside = Vec::new();
        find_to(&glued.text, &glued.seams, is_source, depth.min(1), &mut inside);
        found.extend(inside.into_iter().map(|secret| Found { at: glued.source(&secret.at), ..secret }));
    }
    if let Some(depth) = depth.checked_sub(1)
        && let Some(unescaped) = reading::unescaped(text, &hits)
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

/// A search for many texts at once: the three bytes before each place are looked up in a table of what some text begins with.
struct Search {
    /// A bit for each hash of three bytes that a text begins with.
    begins: [u64; WORDS],
    /// By what they begin with, the longest first.
    triggers: Vec<(u32, Vec<(Box<[u8]>, Trigger)>)>,
}

/// Words of the table: eight KiB, of which one bit in two hundred is set.
const WORDS: usize = 1024;

/// Bytes that are looked up.
const KEY: usize = 3;

impl Search {
    fn new(all: Vec<(String, Trigger)>) -> Self {
        let mut search = Self { begins: [0; WORDS], triggers: Vec::new() };
        for (text, trigger) in all {
            let text = text.into_bytes().into_boxed_slice();
            let key = text.iter().take(KEY).fold(0, |key, &byte| key << 8 | u32::from(byte));
            let (word, bit) = Self::place(key);
            search.begins[word] |= bit;
            let at = search.triggers.binary_search_by_key(&key, |(key, _)| *key).unwrap_or_else(|at| {
                search.triggers.insert(at, (key, Vec::new()));
                at
            });
            search.triggers[at].1.push((text, trigger));
        }
        search.triggers.iter_mut().for_each(|(_, texts)| texts.sort_by_key(|(text, _)| std::cmp::Reverse(text.len())));
        search
    }

    /// The word of the table and the bit in it for three bytes.
    fn place(key: u32) -> (usize, u64) {
        let hash = key.wrapping_mul(0x9e37_79b1) >> 16;
        ((hash >> 6) as usize % WORDS, 1 << (hash & 63))
    }

    /// Adds the secrets at the triggers of a text. Its result: where the triggers are.
    fn find(&self, bytes: &[u8], scan: &Scan<'_>, depth: u8, found: &mut Vec<Found>) -> Vec<usize> {
        steps(bytes.len());
        let mut hits = Vec::new();
        let (mut key, mut from) = (0, 0);
        for (at, &byte) in bytes.iter().enumerate() {
            key = (key << 8 | u32::from(byte)) & 0x00ff_ffff;
            let (word, bit) = Self::place(key);
            if self.begins[word] & bit != 0 && at + 1 >= from + KEY {
                let start = at + 1 - KEY;
                if let Some(on) = self.look(key, start, scan, depth, found) {
                    hits.push(start);
                    from = on;
                }
            }
        }
        hits
    }

    /// Looks at a place where three bytes stand that some text begins with. Its result: where to look on, if one of the texts stands there.
    #[inline(never)]
    fn look(&self, key: u32, start: usize, scan: &Scan<'_>, depth: u8, found: &mut Vec<Found>) -> Option<usize> {
        let at = self.triggers.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        let mut on = None;
        for (text, trigger) in &self.triggers[at].1 {
            if scan.ahead(start, text.len()) != &**text {
                continue;
            }
            let before = found.len();
            let next = at_trigger(*trigger, scan, &(start..start + text.len()), depth, found);
            on = on.max(Some(next));
            if found.len() > before {
                break;
            }
        }
        on
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
        return range.end;
    }
    at + 1
}
