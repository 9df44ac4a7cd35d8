//! The pattern that log lines are matched against, and what that may take.
//!
//! It is the component, or its caller, that wrote the pattern, and the host that matches, on the call's processor time. So a compiled
//! pattern is small, which bounds what a byte of text can take, and a line is matched piece by piece, with a look at the call's limits
//! in between: a lazy DFA can stop anywhere and go on.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::{start, syntax};
use regex_automata::{MatchKind, Span};
use sandbar_policy::Budget;

use crate::error::{Code, Error};
use crate::name::quote;

/// Bytes of a pattern.
const PATTERN_MAX: usize = 1024;

/// How deep a pattern may nest: parsing and compiling it is a call for each level.
const NESTING_MAX: u32 = 50;

/// Bytes of its automaton, while it is put together. 40 words without regard to case fit, a letter of any script, `[a-z]{400}`. A byte of
/// text takes 3 ns as a rule, and at worst, where no two of them lead to the same state, 4 us: a call searches a MiB all the same.
const COMPILED_MAX: usize = 32 * 1024;

/// Bytes of the states that a search has worked out and keeps: with less, a dozen words without regard to case are slow.
const CACHE_MAX: usize = 256 * 1024;

/// Bytes of text between two looks at the call's limits: 16 ms with the most expensive pattern.
const PIECE: usize = 4 * 1024;

/// Bytes that each line counts as beside its own, for the way to its first one.
const LINE_COUNTS: usize = 16;

/// What to do instead, for a pattern that is too much.
const ADVICE: &str = r"repeat less (`.*` rather than `.{0,100}`), and use [a-z] or \w rather than \p{L}";

/// A compiled pattern.
pub(super) struct Pattern {
    dfa: DFA,
    /// Finds a text that all matches begin with one of, where that is quicker: most lines have none.
    beginnings: Option<Prefilter>,
    /// As it is shown in messages.
    shown: String,
}

/// Compiles a pattern, of RE2's dialect.
pub(super) fn compile(pattern: &str) -> Result<Pattern, Error> {
    if pattern.len() > PATTERN_MAX {
        return Err(refused(pattern, "it is over 1 KiB"));
    }
    // Without a care for UTF-8: what is searched is text already, and ASCII's word boundaries lie between bytes.
    let syntax = syntax::Config::new().utf8(false).nest_limit(NESTING_MAX);
    let parsed = syntax::parse_with(&as_re2(pattern), &syntax).map_err(|error| {
        // A syntax error is a drawing of several lines; the last one says what is wrong.
        let drawing = error.to_string();
        let reason = drawing.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
        refused(pattern, &format!("{reason}{}", advice(reason)))
    })?;
    let config = thompson::Config::new().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(COMPILED_MAX));
    let automaton = thompson::Compiler::new().configure(config).build_from_hir(&parsed);
    let too_large = || refused(pattern, &format!("it is too large once compiled; {ADVICE}"));
    let automaton = automaton.map_err(|_too_large| too_large())?;
    if automaton.look_set_any().contains_word_unicode() {
        return Err(refused(pattern, r"of word boundaries there are \b and \B"));
    }
    let dfa = DFA::builder().configure(DFA::config().cache_capacity(CACHE_MAX)).build_from_nfa(automaton);
    let beginnings = Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, &parsed).filter(Prefilter::is_fast);
    Ok(Pattern { dfa: dfa.map_err(|_too_large| too_large())?, beginnings, shown: quote(pattern) })
}

/// What to write instead, for what other programs take.
fn advice(reason: &str) -> &'static str {
    match reason {
        _ if reason.contains("look-around") => "; search for what has to be there, and leave out afterwards what must not",
        _ if reason.contains("backreferences") => "; write out what repeats",
        _ if reason.contains("repetition operator missing") => {
            r"; `*`, `+` and `?` repeat what stands before them: for anything, as in the name of a file, write `.*`"
        }
        _ if reason.contains("unclosed") || reason.contains("unopened") => {
            r"; a bracket that is looked for as text has a backslash before it, as in `\(` and `\[`"
        }
        _ if reason.contains("unrecognized escape") => r"; a backslash that is looked for as text is written `\\`",
        _ => "",
    }
}

fn refused(pattern: &str, reason: &str) -> Error {
    Error::new(Code::Invalid, format!("`matching` {} is not a usable regular expression (RE2 syntax): {reason}", quote(pattern)))
}

/// The same pattern where `\d`, `\w` and `\b` mean ASCII, as in RE2. Here they would be Unicode's: `\w` alone takes 50 KiB, and `\b`
/// cannot be followed byte by byte.
fn as_re2(pattern: &str) -> String {
    let mut re2 = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut rest = pattern.chars().peekable();
    while let Some(char) = rest.next() {
        if char != '\\' {
            in_class = (in_class || char == '[') && char != ']';
            re2.push(char);
            continue;
        }
        let escaped = rest.next();
        let class = match escaped {
            Some('d') => "[0-9]",
            Some('D') => "[^0-9]",
            Some('w') => "[0-9A-Za-z_]",
            Some('W') => "[^0-9A-Za-z_]",
            // `\b{start}` is something else.
            Some('b') if !in_class && rest.peek() != Some(&'{') => r"(?-u:\b)",
            Some('B') if !in_class => r"(?-u:\B)",
            _ => "",
        };
        // Behind a hyphen it would be the end of a range, which is an error that has to stay one.
        let is_range = re2.ends_with('-') && !["[-", "[^-", r"\-"].iter().any(|lone| re2.ends_with(lone));
        if class.is_empty() || (in_class && is_range) {
            re2.push('\\');
            re2.extend(escaped);
        } else {
            re2.push_str(class);
        }
    }
    re2
}

impl Pattern {
    /// What a search says for which the call had no processor time left.
    pub(super) fn too_costly(&self, exhausted: &Error) -> Error {
        let Self { shown, .. } = self;
        let message =
            format!("`matching` {shown} is too costly for this log: {}; {ADVICE}, or ask for fewer lines", exhausted.message);
        Error::new(Code::Exhausted, message)
    }
}

/// One search through the lines of a log.
pub(super) struct Search<'p> {
    pattern: &'p Pattern,
    cache: Cache,
    budget: &'p Budget,
    /// Bytes that have been searched since the last look at the budget.
    unchecked: usize,
}

impl<'p> Search<'p> {
    pub(super) fn new(pattern: &'p Pattern, budget: &'p Budget) -> Self {
        // Full, so that a call without time searches nothing.
        Self { pattern, cache: pattern.dfa.create_cache(), budget, unchecked: PIECE }
    }

    /// Whether the pattern matches a line, its newline aside. Fails once the call has no time left for it.
    pub(super) fn is_match(&mut self, line: &str) -> Result<bool, Error> {
        let line = line.strip_suffix('\n').unwrap_or(line).as_bytes();
        self.charge(LINE_COUNTS)?;
        let Pattern { dfa, beginnings, .. } = self.pattern;
        if beginnings.as_ref().is_some_and(|any| any.find(line, Span::from(0..line.len())).is_none()) {
            return Ok(false);
        }
        let mut state = dfa.start_state(&mut self.cache, &start::Config::new()).map_err(|_| self.broken())?;
        for piece in line.chunks(PIECE) {
            self.charge(piece.len())?;
            for &byte in piece {
                state = dfa.next_state(&mut self.cache, state, byte).map_err(|_| self.broken())?;
                if state.is_tagged() {
                    // What is left of the line cannot change it.
                    if state.is_match() || state.is_dead() {
                        return Ok(state.is_match());
                    }
                }
            }
        }
        let end = dfa.next_eoi_state(&mut self.cache, state).map_err(|_| self.broken())?;
        Ok(end.is_match())
    }

    /// Looks at the call's limits every now and then.
    fn charge(&mut self, bytes: usize) -> Result<(), Error> {
        self.unchecked += bytes;
        if self.unchecked < PIECE {
            return Ok(());
        }
        self.unchecked = 0;
        Ok(self.budget.check()?)
    }

    /// It gives up on nothing: neither does the automaton look at what it cannot follow, nor is its cache bounded in how often it is
    /// emptied.
    fn broken(&self) -> Error {
        Error::new(Code::Other, format!("`matching` {} cannot be followed", self.pattern.shown))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use sandbar_policy::Limits;
    use sandbar_processor::{CpuEstimate, Processors, TestClock};

    use super::*;

    fn is_match(pattern: &str, line: &str) -> bool {
        let pattern = compile(pattern).unwrap_or_else(|error| panic!("{}", error.message));
        Search::new(&pattern, &Budget::new(Limits::default())).is_match(line).expect("in time")
    }

    #[test]
    fn a_pattern_that_cannot_be_used_says_why() {
        let (long, deep) = ("a".repeat(PATTERN_MAX + 1), format!("{}a{}", "(".repeat(60), ")".repeat(60)));
        for (pattern, reason) in [
            ("(", "unclosed group"),
            (r"(a)\1", "backreferences are not supported"),
            (r"\w{1000}{1000}", "too large once compiled"),
            (r"(?:[ -~]{0,50}){0,400}[\x01-\x1e]", "repeat less"),
            (r"\p{L}\p{L}", r"\w rather than \p{L}"),
            (r"[!-\w]", "invalid"),
            (r"\b{start}a", r"there are \b and \B"),
            (r"\<a", r"there are \b and \B"),
            (&deep, "nest"),
            (&long, "over 1 KiB"),
            ("*.log", "write `.*`"),
            (
                "(?!debug)error",
                "look-around, including look-ahead and look-behind, is not supported; search for what has to be there",
            ),
            ("f(x", r"as in `\(`"),
            (r"a\qb", r"written `\\`"),
        ] {
            let error = compile(pattern).err().unwrap_or_else(|| panic!("{pattern} compiles"));
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.contains(reason), "{}", error.message);
        }
    }

    #[test]
    fn patterns_that_are_in_use_fit() {
        for (pattern, line) in [
            ("error|(?i)fail(ed)?", "FAILED"),
            ("(?i)error|warn|panic", "a WARNing"),
            ("(?i)error|warn|fatal|panic|fail|exception|denied|refused|timeout|timed out|oom|evicted|unhealthy", "Timed Out"),
            (r"\b\d{1,3}(\.\d{1,3}){3}\b", "to 10.0.0.1:80"),
            (r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z \w+ .*$", "2026-01-01T00:00:00.123Z stderr F x"),
            (r"[\w.+-]+@[\w-]+\.\w+", "from a.b@example.com"),
            (r"\p{L}+", "ü"),
            (r"status=[45]\d\d .*(timeout|reset|refused)", "status=502 x reset"),
            (r"\bü", "aü"),
            (r"[-\w]+\.[-\w]+\.svc", "to web-0.team-a.svc"),
            (r"[^-\w]{3}", "a / b"),
            (r"[.\-\w]+:\d+", "db-0.x:5432"),
        ] {
            assert!(is_match(pattern, line), "{pattern}");
        }
    }

    #[test]
    fn classes_are_those_of_re2() {
        for (pattern, line) in
            [(r"^\w$", "ü"), (r"^\d$", "٣"), (r"^[\w]$", "ü"), (r"^\W$", "a"), (r"^\D$", "1"), (r"^[^\D]$", "a")]
        {
            assert!(!is_match(pattern, line), "{pattern}");
        }
        for (pattern, line) in [
            (r"^\W$", "ü"),
            (r"^\D$", "٣"),
            (r"^[\d\-]$", "-"),
            (r"^\\w$", r"\w"),
            (r"^[]\d]+$", "]1"),
            (r"^[^\W]$", "a"),
            (r"a\Bb", "ab"),
            (r"\Bü", "ü"),
        ] {
            assert!(is_match(pattern, line), "{pattern}");
        }
    }

    #[test]
    fn a_match_is_found_wherever_pieces_end() {
        for length in [0, 1, PIECE - 3, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let line = format!("{}needle{}", "é ".repeat(length / 3), "x".repeat(length));
            assert!(is_match("ne+dle", &line) && is_match("ne+dlex*$", &line) && is_match(r"^[^n]*\bneedle", &line), "{length}");
            assert!(!is_match("ne+dler", &line) && !is_match("^needle.*y", &line) && !is_match(r"ne\bedle", &line), "{length}");
        }
    }

    #[tokio::test]
    async fn a_search_ends_with_the_calls_processor_time_wherever_it_is() {
        let (hand, pattern) = (TestClock::default(), compile("[a-y]{1,200}z").expect("it compiles"));
        let limits = Limits { cpu: Duration::from_secs(8), ..Limits::default() };
        let budget = Arc::new(Budget::with_meter(hand.meter(), limits));
        let (during, meter) = (budget.clone(), budget.meter().clone());
        let call = async move {
            during.meter().prepare_for(usize::MAX).await;
            let mut search = Search::new(&pattern, &during);
            assert_eq!(search.is_match(&"a".repeat(10 * PIECE)), Ok(false));
            hand.advance(Duration::from_secs(8));
            // Short lines, until they make up a piece.
            let before_the_end = (0..PIECE).take_while(|_| search.is_match("ab\n").is_ok()).count();
            (before_the_end, search.is_match(&"a".repeat(PIECE)).expect_err("no time"))
        };
        let (processors, estimate) = (Processors::all_but_one(), CpuEstimate::default());
        let (lines, error) = processors.run(&meter, &estimate, call).await.expect("no panic");
        assert!(lines <= PIECE / 2, "{lines}");
        assert_eq!(error.code, Code::Exhausted);
        assert!(error.message.contains("limit `cpu`"), "{}", error.message);
    }
}
