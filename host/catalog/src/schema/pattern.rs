//! The regular expressions of a schema, each a table that takes one step for a byte of text.
//!
//! Whatever the pattern, a search takes the same time: what would not is refused when the schema is compiled, since its table would be
//! too large. JSON Schema's patterns are JavaScript's, in which `\d` and `\w` are ASCII.

use std::collections::BTreeMap;
use std::fmt;
use std::str::Chars;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;

use super::{Quote, quoted};

/// Bytes of a pattern as it is written. The longest in use, for URLs and for versions, have some hundred; a class of Unicode takes
/// kilobytes before anything is compiled.
const WRITTEN_BYTES: usize = 2 * 1024;

/// Bytes of what comes before the table.
const PROGRAM_BYTES: usize = 256 * 1024;

/// Bytes of one table, and of what it takes to make it. One for the names of Kubernetes takes 4 KiB, one for dates 20 KiB, `^\p{L}+$`
/// 180 KiB.
const TABLE_BYTES: usize = 512 * 1024;

/// Bytes of all tables of a manifest.
const TOTAL_BYTES: usize = 4 * 1024 * 1024;

/// Patterns of a manifest.
const COUNT: usize = 128;

/// Classes of Unicode, such as `\p{L}`, in all patterns of a manifest. Each is made of hundreds of ranges, whether it is matched with
/// or not: `\p{L}{0}` is no table at all.
const CLASSES: usize = 64;

/// Bytes of a pattern in a message.
const QUOTE_BYTES: usize = 80;

/// A pattern that is ready to be searched for.
#[derive(Clone)]
pub(super) struct Pattern {
    pub(super) written: Arc<str>,
    table: Arc<dense::DFA<Vec<u32>>>,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.written)
    }
}

impl Pattern {
    /// Whether it is anywhere in a text.
    pub(super) fn is_match(&self, text: &str) -> bool {
        // The table has no bytes at which it gives up: those are for word boundaries of Unicode alone.
        self.table.try_search_fwd(&Input::new(text).earliest(true)).is_ok_and(|found| found.is_some())
    }
}

/// The patterns of a manifest, and what is left for more. Where the same one stands twice it is compiled once.
pub(crate) struct Patterns {
    known: BTreeMap<String, Pattern>,
    bytes: usize,
    classes: usize,
}

impl Default for Patterns {
    fn default() -> Self {
        Self { known: BTreeMap::new(), bytes: TOTAL_BYTES, classes: CLASSES }
    }
}

impl Patterns {
    /// Compiles a pattern, or says why it cannot be used.
    pub(super) fn compile(&mut self, written: &str) -> Result<Pattern, String> {
        if let Some(known) = self.known.get(written) {
            return Ok(known.clone());
        }
        let said = quoted(&Quote(written), QUOTE_BYTES);
        if written.len() > WRITTEN_BYTES {
            return Err(format!("the pattern {said} is over {WRITTEN_BYTES} bytes"));
        }
        if self.known.len() == COUNT {
            return Err(format!("it has more patterns than the {COUNT} that a manifest may have"));
        }
        // What is made of a pattern before there is anything to measure takes time with its text, and with these.
        let classes = written.matches("\\p").count() + written.matches("\\P").count();
        self.classes = self.classes.checked_sub(classes).ok_or_else(|| {
            format!(
                "with the pattern {said}, the manifest has more classes of Unicode than {CLASSES}; use [a-z] rather than \\p{{L}}"
            )
        })?;
        let table = table(written).map_err(|cause| format!("the pattern {said} cannot be used: {cause}"))?;
        self.bytes = self.bytes.checked_sub(table.memory_usage()).ok_or_else(|| {
            format!(
                "with the pattern {said}, the manifest's patterns are over {} MiB as tables; repeat less in them",
                TOTAL_BYTES >> 20
            )
        })?;
        let pattern = Pattern { written: written.into(), table: Arc::new(table) };
        self.known.insert(written.to_owned(), pattern.clone());
        Ok(pattern)
    }
}

fn table(written: &str) -> Result<dense::DFA<Vec<u32>>, String> {
    let rust = in_rust(written)?;
    let program = thompson::Compiler::new()
        .configure(thompson::Config::new().nfa_size_limit(Some(PROGRAM_BYTES)))
        .build(&rust)
        .map_err(|error| match error.size_limit() {
        Some(_) => too_large(),
        None => NO_PATTERN.to_owned(),
    })?;
    let table = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .dfa_size_limit(Some(TABLE_BYTES))
        .determinize_size_limit(Some(TABLE_BYTES));
    dense::Builder::new().configure(table).build_from_nfa(&program).map_err(|_| too_large())
}

fn too_large() -> String {
    format!("as a table, it is over {} KiB: repeat less, and use [a-z] rather than \\p{{L}}", TABLE_BYTES >> 10)
}

/// What is said of a pattern that is none.
const NO_PATTERN: &str = "it is no regular expression without look-around and back references, which do not exist here";

/// JavaScript's pattern in the syntax that the regex crate has.
///
/// # Errors
/// If it sets flags, which the patterns of a schema do not have: with `(?i)` the regex crate would go through all of Unicode at each
/// bracket.
fn in_rust(written: &str) -> Result<String, String> {
    let mut rust = String::with_capacity(written.len());
    let mut characters = written.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if peek(&characters) == Some('b') => {
                characters.next();
                rust.push_str("(?-u:\\b)");
            }
            '\\' if peek(&characters) == Some('B') => {
                characters.next();
                rust.push_str("(?-u:\\B)");
            }
            '\\' => rust.push_str(&escaped(&mut characters).written()),
            '[' => class(&mut characters, &mut rust),
            '(' if characters.as_str().starts_with('?') => {
                characters.next();
                match peek(&characters) {
                    Some(':' | '<') => rust.push_str("(?"),
                    Some('=' | '!') => return Err(NO_PATTERN.to_owned()),
                    _ => {
                        return Err(
                            "it sets flags such as (?i), which do not exist here: write [Aa] for a letter of any case".to_owned()
                        );
                    }
                }
            }
            other => rust.push(other),
        }
    }
    Ok(rust)
}

/// What stands for one character of a text, as the regex crate writes it.
enum Atom {
    /// One character.
    One(String),
    /// Any of some.
    Any(String),
}

impl Atom {
    fn written(self) -> String {
        let (Self::One(written) | Self::Any(written)) = self;
        written
    }
}

fn peek(characters: &Chars<'_>) -> Option<char> {
    characters.clone().next()
}

/// What follows a backslash.
fn escaped(characters: &mut Chars<'_>) -> Atom {
    let Some(character) = characters.next() else { return Atom::One("\\".to_owned()) };
    match character {
        'd' => Atom::Any("[0-9]".to_owned()),
        'D' => Atom::Any("[^0-9]".to_owned()),
        'w' => Atom::Any("[A-Za-z0-9_]".to_owned()),
        'W' => Atom::Any("[^A-Za-z0-9_]".to_owned()),
        's' | 'S' => Atom::Any(format!("\\{character}")),
        'p' | 'P' => Atom::Any(format!("\\{character}{}", braced(characters))),
        'b' => Atom::One("\\x08".to_owned()),
        '0' => Atom::One("\\x00".to_owned()),
        'x' => Atom::One(format!("\\x{}", taken(characters, 2))),
        'u' if peek(characters) == Some('{') => Atom::One(format!("\\u{}", braced(characters))),
        'u' => Atom::One(format!("\\u{}", taken(characters, 4))),
        'c' if peek(characters).is_some_and(|letter| letter.is_ascii_alphabetic()) => {
            let letter = characters.next().unwrap_or_default();
            Atom::One(format!("\\x{:02x}", u32::from(letter) % 32))
        }
        // The regex crate means the ends of a word by these.
        '<' | '>' => Atom::One(character.to_string()),
        other => Atom::One(format!("\\{other}")),
    }
}

/// So many of what follows.
fn taken(characters: &mut Chars<'_>, count: usize) -> String {
    characters.by_ref().take(count).collect()
}

/// What stands in the braces that follow, with them.
fn braced(characters: &mut Chars<'_>) -> String {
    let rest = characters.as_str();
    let Some(end) = rest.starts_with('{').then(|| rest.find('}')).flatten() else { return String::new() };
    *characters = rest[end + 1..].chars();
    rest[..=end].to_owned()
}

/// A class, behind its bracket. In the regex crate it may hold classes, and `&&`, `--` and `~~` between two: all of that is text here.
fn class(characters: &mut Chars<'_>, rust: &mut String) {
    let is_negated = peek(characters) == Some('^');
    if is_negated {
        characters.next();
    }
    if peek(characters) == Some(']') {
        characters.next();
        // None of no characters is any, and one of none is nothing.
        rust.push_str(if is_negated { "[\\s\\S]" } else { "[^\\s\\S]" });
        return;
    }
    rust.push_str(if is_negated { "[^" } else { "[" });
    loop {
        // Without an end it is refused.
        let Some(character) = peek(characters) else { return };
        if character == ']' {
            characters.next();
            rust.push(']');
            return;
        }
        let first = in_class(characters);
        let mut ahead = characters.clone();
        if ahead.next() != Some('-') || ahead.next().is_none_or(|next| next == ']') {
            rust.push_str(&first.written());
            continue;
        }
        characters.next();
        match (first, in_class(characters)) {
            (Atom::One(first), Atom::One(last)) => rust.extend([&first, "-", &last]),
            // There is no range from or to several.
            (first, last) => rust.extend([&first.written(), "\\-", &last.written()]),
        }
    }
}

/// The next in a class, which does not end here.
fn in_class(characters: &mut Chars<'_>) -> Atom {
    match characters.next() {
        Some('\\') => escaped(characters),
        Some(special @ ('[' | '^' | '-' | '&' | '~')) => Atom::One(format!("\\{special}")),
        other => Atom::One(other.map(String::from).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(written: &str) -> Pattern {
        Patterns::default().compile(written).unwrap_or_else(|cause| panic!("{cause}"))
    }

    #[test]
    fn a_pattern_means_what_it_means_in_javascript() {
        for (pattern, matching, others) in [
            (r"^\d+$", &["7", "0042"][..], &["", "٧", "7a", "7\n"][..]),
            (r"^[\w.+-]+@[\w-]+\.[\w.-]+$", &["a.b+c@d-e.org"], &["ä@b.c", "a@b"]),
            (r"[[\]]", &["a[b", "]"], &["ab"]),
            (r"^[&~a]+$", &["a&&~~"], &["b"]),
            (r"\bfoo\b", &["a foo b", "é-foo"], &["food"]),
            (r"^\D\W$", &["a-", "é "], &["1-", "aa"]),
            (r"^[^\d\s]+$", &["abc"], &["a1", "a b"]),
            (r"^\u0041\x42\/\-$", &["AB/-"], &["ab/-"]),
            // A dash is one of the characters, or between the first and the last of them, and nothing else.
            (r"^[a-c--e]+$", &["abc", "-./09e"], &["f", "{"]),
            (r"^[!--]+$", &["!+,-"], &["."]),
            (r"^[--/]+$", &["-./"], &[",", "0"]),
            (r"^[\w--]+$", &["a-_"], &["+"]),
            (r"^[\w-.]+$", &["a-."], &["+", ","]),
            (r"^[a-\d]+$", &["a-7"], &["b"]),
            (r"^[-a]+$", &["-a"], &["b"]),
            (r"^[a-]+$", &["-a"], &["b"]),
            (r"^[^--]+$", &["a"], &["-"]),
            (r"^[a\-c]+$", &["a-c"], &["b"]),
            (r"^[\u0041-\u{43}\x61-c]+$", &["ABCabc"], &["D", "u", "x"]),
            (r"^[\cA\t\0]+$", &["\u{1}\t\u{0}"], &["A", "c", "t", "0"]),
            (r"^[a&&b~~c[[d]+$", &["&~[abcd"], &["e"]),
            (r"^[a^b]+$", &["^ab"], &["c"]),
            (r"^[\<\>]\<\>$", &["<<>", "><>"], &["<", ""]),
            (r"[]", &[], &["", "a"]),
            (r"^[^]$", &["a", "\n"], &["", "ab"]),
            ("b", &["abc"], &["ac"]),
            ("", &["", "x"], &[]),
            (r"^(?<year>\d{4})-(0[1-9]|1[0-2])$", &["2026-11"], &["2026-13"]),
        ] {
            let compiled = compile(pattern);
            matching.iter().for_each(|text| assert!(compiled.is_match(text), "{pattern} {text:?}"));
            others.iter().for_each(|text| assert!(!compiled.is_match(text), "{pattern} {text:?}"));
        }
    }

    #[test]
    fn patterns_that_are_in_use_are_taken() {
        let mut all = Patterns::default();
        for pattern in [
            "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
            "^([0-9]{1,3}\\.){3}[0-9]{1,3}(/[0-9]{1,2})?$",
            "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$",
            "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000)$",
            "^(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))$",
            "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(?:-((?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\\.(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?$",
            "^$|^(?:[0-9a-zA-Z+/]{4})*(?:(?:[0-9a-zA-Z+/]{2}==)|(?:[0-9a-zA-Z+/]{3}=))?$",
            "^https?://[^\\s/$.?#].[^\\s]*$",
            "^[\\w.+-]+@[\\w-]+\\.[\\w.-]+$",
            "^sha256:[0-9a-f]{64}$",
            "^.{1,253}$",
            "^\\p{L}+$",
        ] {
            all.compile(pattern).unwrap_or_else(|cause| panic!("{cause}"));
        }
    }

    #[test]
    fn what_cannot_be_a_small_table_is_refused() {
        let refused = |written: &str| Patterns::default().compile(written).expect_err(written);
        for lookaround in ["(a+)\\1", "(?=a)b", "^(?!x).*$", "(", "[", "[a", "[a-", "[\\", "[^", "\\", "[c-a]", "\\k<a>"] {
            assert!(refused(lookaround).contains("look-around"), "{lookaround}");
        }
        for large in [r"(\p{L}{220}|x)1", "(a|b)*a(a|b){40}", r"[\s\S]{1,1000}x[\s\S]{1000}"] {
            assert!(refused(large).contains("repeat less"), "{large}");
        }
        let words = refused(&"\\p{L}".repeat(10_000));
        assert!(words.contains("over 2048 bytes") && words.len() < 500, "the pattern is not repeated: {words}");
    }

    #[test]
    fn flags_are_refused_wherever_they_stand() {
        let refused = |written: &str| Patterns::default().compile(written).expect_err(written);
        for flags in [
            "(?i)a", "(?i:a)", "a(?i)b", "((?i)a)", "(?i-u)a", "(?-i)a", "(?u)a", "(?x) a", "(?s).", "(?", "(?)", "(?P<n>a)",
            "(?U)a*",
        ] {
            assert!(refused(flags).contains("flags"), "{flags}");
        }
        let folded = format!("(?i){}", "[\\x01-\\u{10ffff}]{0}".repeat(90));
        assert!(refused(&folded).contains("flags"));
        for (text, matching) in
            [("\\(?i\\)?", "i"), ("[(?i)]", "?"), ("(?:a)", "a"), ("(?<n>a)", "a"), ("(a)?i", "i"), ("\\\\(?:i)", "\\i")]
        {
            assert!(compile(text).is_match(matching), "{text}");
        }
    }

    #[test]
    fn classes_of_unicode_have_a_bound_whether_they_are_matched_with_or_not() {
        for class in ["\\p{L}{0}", "\\PL{0}", "[^\\p{age=16.0}]{0}", "[\\P{Greek}a]{0}"] {
            let mut patterns = Patterns::default();
            (0..CLASSES / 16).for_each(|n| drop(patterns.compile(&format!("{n}{}", class.repeat(16))).expect(class)));
            assert!(patterns.compile(class).expect_err(class).contains("classes of Unicode"), "{class}");
            assert!(patterns.compile("^[a-z]+$").is_ok(), "{class}");
        }
    }

    #[test]
    fn the_patterns_of_a_manifest_have_a_bound_together() {
        let mut many = Patterns::default();
        (0..COUNT).for_each(|n| drop(many.compile(&format!("^{n}$")).expect("one of those that fit")));
        assert!(many.compile("^0$").is_ok(), "the same one counts once");
        assert!(many.compile("another").expect_err("too many").contains("128"));
        let mut large = Patterns::default();
        let cause = (0..COUNT).find_map(|n| large.compile(&format!(r"^{n}\p{{L}}+$")).err()).expect("too large together");
        assert!(cause.contains("the manifest's patterns are over 4 MiB"), "{cause}");
    }
}
