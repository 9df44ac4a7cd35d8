//! The search for everything that announces a secret, and the function that looks at each hit.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::{memchr2_iter, memchr3_iter};
use sandbar_text::steps::steps;
use sandbar_text::{Cleaned, Seam};

use super::alphabet::{ARGUMENT, BASE64};
use super::commands::{self, PROGRAMS, Program};
use super::formats::{self, FORMATS, Format};
use super::phrases::{self, ENCODED, PHRASES, Phrase};
use super::scan::Scan;
use super::urls::{self, HOOKS, Hook};
use super::{By, Found, headers, manifests, pairs, reading};

/// What was found, and so where to look for a secret.
#[derive(Clone, Copy)]
enum Trigger {
    Format(&'static Format),
    Hook(&'static Hook),
    Program(&'static Program),
    Phrase(&'static Phrase),
    /// A word of a name.
    Name,
    /// A place for a function that looks for one secret.
    Place(Look),
    /// The beginning of text in base64.
    Encoded,
    /// A place for a function that looks for several secrets.
    Several(LookForSeveral),
}

/// Words of names whose value may be secret, in small letters. They are also found in capital letters and capitalised.
const NAME_WORDS: &[&str] = &[
    "pass",
    "pwd",
    "pswd",
    "bindpw",
    "rootpw",
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

/// Looks for a secret at a trigger.
type Look = fn(&Scan<'_>, usize) -> Option<Found>;

/// Looks for several secrets at a trigger.
type LookForSeveral = fn(&Scan<'_>, &Range<usize>, &mut Vec<Found>);

/// Triggers and their functions.
const PLACES: &[(&str, Look)] = &[
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
    ("Bearer\t", headers::bearer),
    ("Bearer%20", headers::bearer),
    ("Basic ", headers::basic),
    ("basic ", headers::basic),
    ("BASIC ", headers::basic),
];

/// The search for all triggers.
static SEARCH: LazyLock<Search> = LazyLock::new(|| Search::new(triggers()));

/// All triggers.
fn triggers() -> Vec<(String, Trigger)> {
    let mut all: Vec<(String, Trigger)> = Vec::new();
    all.extend(FORMATS.iter().map(|format| (format.prefix.to_owned(), Trigger::Format(format))));
    all.extend(HOOKS.iter().map(|hook| (hook.before.to_owned(), Trigger::Hook(hook))));
    all.extend(PROGRAMS.iter().map(|program| (program.trigger(), Trigger::Program(program))));
    all.extend(PHRASES.iter().map(|phrase| (phrase.words.to_owned(), Trigger::Phrase(phrase))));
    all.extend(ENCODED.iter().map(|text| ((*text).to_owned(), Trigger::Encoded)));
    all.extend(PLACES.iter().map(|&(text, place)| (text.to_owned(), Trigger::Place(place))));
    // With what follows the key, since the word alone is everywhere.
    all.extend(
        ["data:", "data\":", "data\" :", "Data:", "Data\":", "Data\" :"]
            .map(|word| (word.to_owned(), Trigger::Several(manifests::of_key))),
    );
    all.extend(spellings("values").map(|word| (word, Trigger::Several(phrases::inserted))));
    // JSON Web Keys: the names of their members are too short to be searched for where they are escaped.
    all.push(("kty".to_owned(), Trigger::Several(phrases::web_key)));
    // Two letters are everywhere, but rarely as a word of their own.
    all.extend(
        ["_pw", "_PW", "nPw", "rPw", "bPw", "tPw", "dPw", "nPW", "rPW", "bPW", "tPW", "dPW"]
            .map(|word| (word.to_owned(), Trigger::Name)),
    );
    all.extend(NAME_WORDS.iter().flat_map(|word| spellings(word)).map(|word| (word, Trigger::Name)));
    all
}

/// A word in small letters, capitalised, and in capital letters.
fn spellings(word: &str) -> [String; 3] {
    [word.to_owned(), word[..1].to_ascii_uppercase() + &word[1..], word.to_ascii_uppercase()]
}

/// The texts that are searched for.
#[cfg(test)]
pub(super) fn literals() -> Vec<String> {
    triggers().into_iter().map(|(text, _)| text).collect()
}

/// Bytes of a found secret after which it may continue, because the look at it was bounded.
const LOOK: usize = 120;

/// How often escapes and base64 are undone: JSON inside of JSON inside of JSON.
const DEPTH_MAX: u8 = 3;

/// The secrets of a clean text, in order and without overlaps.
pub(super) fn find(text: &str, seams: &[Seam]) -> Vec<Found> {
    let mut found = find_to(text, seams, true, DEPTH_MAX);
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

/// The position of the first trigger of a secret that may be on one of the next lines.
pub(super) fn announced(text: &str) -> Option<usize> {
    SEARCH.announced(text.as_bytes())
}

/// Whether a line of a text has a secret by itself, whatever the others hold. The lines are visible ASCII, so that they are clean.
///
/// A line is looked at alone if it has anything that [`find_to`] begins at: a trigger, a separator between words, or an escape. No other line
/// has a secret, and they are most.
pub(super) fn in_a_line(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut lines = Lines { text, looked_at: 0, has_secret: false };
    SEARCH.each_place(bytes, |key, at| {
        if SEARCH.is_hit(key, at, bytes) {
            lines.look(at);
        }
    });
    let scan = Scan::new(text, &[], true);
    lines.look_at_all(memchr2_iter(b'-', b'.', bytes).filter(|&at| formats::is_before_long_word(&scan, at)));
    lines.look_at_all(memchr3_iter(b'\\', b'%', b'&', bytes));
    lines.has_secret
}

/// Lines of a text that are searched by themselves.
struct Lines<'t> {
    text: &'t str,
    /// The end of the last one that was.
    looked_at: usize,
    has_secret: bool,
}

impl Lines<'_> {
    /// Looks at the lines around these places, which come in order.
    fn look_at_all(&mut self, places: impl Iterator<Item = usize>) {
        self.looked_at = 0;
        places.for_each(|at| self.look(at));
    }

    fn look(&mut self, at: usize) {
        if at >= self.looked_at && !self.has_secret {
            let (start, end) = reading::line_around(self.text, at, self.looked_at);
            self.has_secret = !find(self.text[start..end].trim_end_matches('\n'), &[]).is_empty();
            self.looked_at = end;
        }
    }
}

/// The secrets of a text and of its other readings. They may overlap.
fn find_to(text: &str, seams: &[Seam], is_source: bool, depth: u8) -> Vec<Found> {
    let scan = Scan::new(text, seams, is_source);
    let mut found = Vec::new();
    let hits = SEARCH.find(text.as_bytes(), &scan, depth, &mut found);
    steps(text.len());
    let separators = memchr2_iter(b'-', b'.', text.as_bytes()).filter(|&at| formats::is_before_long_word(&scan, at));
    found.extend(separators.filter_map(|at| formats::around_separator(&scan, at)));
    // The look at a place is bounded, a secret is not: an unbroken continuation after a long one belongs to it.
    let goes_on = |at: usize| scan.byte(at).is_some_and(|byte| BASE64.has(byte));
    let is_long = |secret: &&mut Found| secret.by == By::Place && secret.at.len() >= LOOK;
    let is_cut = |secret: &&mut Found| goes_on(secret.at.end - 1) && goes_on(secret.at.end);
    for Found { at, .. } in found.iter_mut().filter(is_long).filter(is_cut) {
        at.end = scan.run(at.end, &ARGUMENT);
    }
    if let Some(glued) = reading::glued(text, seams) {
        let inside = find_to(&glued.text, &glued.seams, is_source, depth.min(1));
        found.extend(inside.into_iter().map(|secret| Found { at: glued.source(&secret.at), ..secret }));
    }
    if let Some(depth) = depth.checked_sub(1)
        && let Some(unescaped) = reading::unescaped(text, &hits)
    {
        let mut inside = find_unclean(&unescaped.text, depth);
        inside.iter_mut().for_each(|secret| secret.at = unescaped.source(&secret.at));
        found.extend(inside);
    }
    found
}

/// The secrets of a text that may be unclean: an undone escape may begin an escape sequence.
fn find_unclean(text: &str, depth: u8) -> Vec<Found> {
    let cleaned = Cleaned::of(text);
    if cleaned.seams.is_empty() {
        return find_to(text, &[], false, depth);
    }
    let clean = reading::cleaned(cleaned, text);
    let mut found = find_to(&clean.text, &clean.seams, false, depth);
    found.iter_mut().for_each(|secret| secret.at = clean.source(&secret.at));
    found
}

/// A search for many texts at once: every three bytes are looked up in a table of those that identify a text.
struct Search {
    /// For each hash of three bytes, whether they identify a text. Bytes, because looking up a bit takes longer.
    known: Box<[bool; HASHES]>,
    /// The group of texts of each hash.
    group: Box<[u16; HASHES]>,
    /// Texts by hash, the longest first. The first group is empty.
    groups: Vec<Vec<Known>>,
}

/// A text to search for, its identifying bytes and their offset in it, and what it announces.
struct Known {
    text: Box<[u8]>,
    key: u32,
    offset: usize,
    trigger: Trigger,
}

/// Bits of a hash, and the number of hashes: a table of 32 KiB stays in the L1 cache, with one entry in a hundred in use.
const HASH_BITS: u32 = 15;
const HASHES: usize = 1 << HASH_BITS;

/// Bytes that are looked up.
const KEY: usize = 3;

/// Bytes that are loaded at once, and lookups in them.
const LOADED: usize = size_of::<u64>();
const PLACES_AT_ONCE: usize = LOADED - KEY + 1;

impl Search {
    fn new(all: Vec<(String, Trigger)>) -> Self {
        let mut search = Self { known: Box::new([false; HASHES]), group: Box::new([0; HASHES]), groups: vec![Vec::new()] };
        for (text, trigger) in all {
            let text = text.into_bytes().into_boxed_slice();
            let offset = rarest(&text);
            let key = key(load(&text[offset..]));
            let hash = hash(key);
            if !std::mem::replace(&mut search.known[hash], true) {
                search.group[hash] = search.groups.len() as u16;
                search.groups.push(Vec::new());
            }
            search.groups[usize::from(search.group[hash])].push(Known { text, key, offset, trigger });
        }
        search.groups.iter_mut().for_each(|known| known.sort_by_key(|known| std::cmp::Reverse(known.text.len())));
        search
    }

    /// Adds the secrets at the triggers of a text. Returns the positions of the triggers.
    fn find(&self, bytes: &[u8], scan: &Scan<'_>, depth: u8, found: &mut Vec<Found>) -> Vec<usize> {
        /// The number of found secrets at which overlapping ones are first merged.
        const MERGED: usize = 1024;
        let mut hits = Vec::new();
        let mut room = MERGED;
        let mut from = 0;
        self.each_place(bytes, |key, at| {
            if let Some(on) = self.look(key, at, from, scan, depth, found) {
                hits.push(at);
                from = from.max(on);
            }
            if found.len() > room {
                merge(found);
                room = MERGED.max(2 * found.len());
            }
        });
        hits
    }

    /// Calls `look` wherever three bytes may identify a text, with these bytes and their place.
    #[inline(always)]
    fn each_place(&self, bytes: &[u8], mut look: impl FnMut(u32, usize)) {
        steps(bytes.len());
        let mut at = 0;
        while at + KEY <= bytes.len() {
            let loaded = load(&bytes[at..]);
            let keys: [u32; PLACES_AT_ONCE] = std::array::from_fn(|place| key(loaded >> (8 * place)));
            if keys.iter().fold(false, |any, &key| any | self.known[hash(key)]) {
                for (place, key) in keys.into_iter().enumerate().filter(|&(_, key)| self.known[hash(key)]) {
                    look(key, at + place);
                }
            }
            at += PLACES_AT_ONCE;
        }
    }

    /// Whether three bytes belong to a text that is there.
    fn is_hit(&self, key: u32, at: usize, bytes: &[u8]) -> bool {
        let group = &self.groups[usize::from(self.group[hash(key)])];
        let is_there = |start: usize, text: &[u8]| bytes[start..].starts_with(text);
        group
            .iter()
            .any(|known| known.key == key && at.checked_sub(known.offset).is_some_and(|start| is_there(start, &known.text)))
    }

    /// The position of the first trigger of a name or a phrase.
    fn announced(&self, bytes: &[u8]) -> Option<usize> {
        steps(bytes.len());
        (0..bytes.len()).find_map(|at| {
            let key = key(load(&bytes[at..]));
            let group = &self.groups[usize::from(self.group[hash(key)])];
            let known = group.iter().filter(|known| matches!(known.trigger, Trigger::Name | Trigger::Phrase(_)));
            known.filter_map(|known| at.checked_sub(known.offset).filter(|&start| bytes[start..].starts_with(&known.text))).next()
        })
    }

    /// Looks at three bytes that may identify a text. Returns where to continue, if a text is there.
    #[inline(never)]
    fn look(&self, key: u32, at: usize, from: usize, scan: &Scan<'_>, depth: u8, found: &mut Vec<Found>) -> Option<usize> {
        let mut is_hit = false;
        let group = &self.groups[usize::from(self.group[hash(key)])];
        for Known { text, offset, trigger, .. } in group.iter().filter(|known| known.key == key) {
            let Some(start) = at.checked_sub(*offset).filter(|&start| start >= from) else { continue };
            if scan.ahead(start, text.len()) != &**text {
                continue;
            }
            is_hit = true;
            let before = found.len();
            let on = at_trigger(*trigger, scan, &(start..start + text.len()), depth, found);
            if found.len() > before {
                return Some(on);
            }
        }
        // A text without a secret is not skipped: it may be part of something longer.
        is_hit.then_some(from)
    }
}

/// The first bytes of a text, in little-endian order.
#[inline(always)]
fn load(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<LOADED>() {
        Some(loaded) => u64::from_le_bytes(*loaded),
        None => bytes.iter().rev().fold(0, |loaded, &byte| loaded << 8 | u64::from(byte)),
    }
}

/// The first three bytes that were loaded.
#[inline(always)]
fn key(loaded: u64) -> u32 {
    loaded as u32 & 0x00ff_ffff
}

/// The upper bits of a product with an odd number spread the lower ones of the key (Fibonacci hashing).
#[inline(always)]
fn hash(key: u32) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> (u32::BITS - HASH_BITS)) as usize
}

/// The offset of the three bytes that are the rarest elsewhere.
fn rarest(text: &[u8]) -> usize {
    /// Bytes of a text that are considered: the look starts at its beginning.
    const NEAR: usize = 8;
    /// Frequent bytes in logs of clusters.
    const COMMON: &[u8] =
        b"kube request requested webhook pod component command cookie compose http:// https:// .svc.cluster.local \
        controller reconcile workspace user name id=-by";
    let cost = |byte: &u8| match byte {
        b' ' | b':' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 6,
        b'0'..=b'9' | b'd' | b'l' | b'c' | b'u' | b'm' | b'p' | b'-' | b'.' | b'/' | b'=' | b'"' => 4,
        b'a'..=b'z' => 3,
        b'A'..=b'Z' => 2,
        _ => 1,
    };
    let rate = |window: &[u8]| (COMMON.windows(KEY).any(|common| common == window), window.iter().map(cost).sum::<u32>());
    let windows = text[..text.len().min(NEAR)].windows(KEY).enumerate();
    windows.min_by_key(|&(_, window)| rate(window)).map_or(0, |(at, _)| at)
}

/// Looks at a trigger. Returns where to continue.
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
        Trigger::Several(look) => {
            look(scan, hit, found);
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

/// Adds text in base64 that holds secrets.
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
