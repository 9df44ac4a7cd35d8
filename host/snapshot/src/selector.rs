//! Label and field selectors: parsing and matching, in the API server's grammar and wording.
//!
//! The API server usually does both. We do it for servers that ignore selectors, and for the snapshot cluster. Source of the
//! rules: the packages `labels` and `fields` of k8s.io/apimachinery.

use std::iter::Peekable;

/// The longest label value, and the longest name part of a label key, in bytes.
const LABEL_MAX: usize = 63;
/// The longest prefix (a DNS subdomain) of a label key, in bytes.
const PREFIX_MAX: usize = 253;

/// A parsed selector. All of its terms have to hold; without terms, it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    /// Holds for an object without the key, too.
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
    /// A field. One that the object lacks is the empty string.
    Is(String),
    /// A field. One that the object lacks is the empty string.
    IsNot(String),
}

impl Selector {
    /// Parses a label selector, equality- and set-based: `app=web,tier in (a,b),!canary,generation>3`.
    ///
    /// # Errors
    /// In the words of the API server, as they stand in its 400 answer.
    pub fn parse_labels(text: &str) -> Result<Self, String> {
        LabelParser { tokens: Tokens { rest: text }.peekable() }.selector()
    }

    /// Parses a field selector: `involvedObject.name=web-0,type!=Normal`. In a value, `\` escapes `\`, `,` and `=`.
    ///
    /// # Errors
    /// In the words of the API server, as they stand in its 400 answer.
    pub fn parse_fields(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for part in split_unescaped_commas(text).into_iter().filter(|part| !part.is_empty()) {
            terms.push(field_term(part).ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{part}'"))??);
        }
        Ok(Self { terms })
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Drops the terms with unknown keys, and says whether there were any.
    pub fn drop_unless(&mut self, known: impl Fn(&str) -> bool) -> bool {
        let all = self.terms.len();
        self.terms.retain(|term| known(&term.key));
        self.terms.len() < all
    }

    /// What its terms compare: each key with each value, or with none where that is a number to be above or below.
    pub fn compared(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.terms.iter().flat_map(|Term { key, test }| {
            let (values, is_order) = match test {
                Test::Exists | Test::Absent => (&[][..], false),
                Test::In(values) | Test::NotIn(values) => (values.as_slice(), false),
                Test::Is(value) | Test::IsNot(value) => (std::slice::from_ref(value), false),
                Test::Above(_) | Test::Below(_) => (&[][..], true),
            };
            values
                .iter()
                .map(|value| Some(value.as_str()))
                .chain(is_order.then_some(None))
                .map(move |value| (key.as_str(), value))
        })
    }

    /// The value that a field must have, if the selector has no other term.
    pub fn only_value_of(&self, key: &str) -> Option<&str> {
        match self.terms.as_slice() {
            [Term { key: only, test: Test::Is(value) }] if only == key => Some(value),
            _ => None,
        }
    }

    /// Whether an object is selected. `value_of` returns the value of a label's key or a field's dotted path; none if the object
    /// has no such label or field.
    pub fn matches<V: AsRef<str>>(&self, value_of: impl Fn(&str) -> Option<V>) -> bool {
        self.terms.iter().all(|term| {
            let value = value_of(&term.key);
            term.test.holds(value.as_ref().map(AsRef::as_ref))
        })
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::In(wanted) => value.is_some_and(|value| wanted.iter().any(|one| one == value)),
            Test::NotIn(unwanted) => value.is_none_or(|value| unwanted.iter().all(|one| one != value)),
            Test::Above(bound) => number().is_some_and(|number| number > *bound),
            Test::Below(bound) => number().is_some_and(|number| number < *bound),
            Test::Is(wanted) => value.unwrap_or_default() == wanted,
            Test::IsNot(unwanted) => value.unwrap_or_default() != unwanted,
        }
    }
}

/// One part of a field selector; none if there is no operator in it. The first one counts: nothing is escaped before it.
fn field_term(part: &str) -> Option<Result<Term, String>> {
    let mut at = 0;
    while at < part.len() {
        let rest = &part[at..];
        let value = |operator: &str| unescape(&rest[operator.len()..]);
        let key = part[..at].to_owned();
        let test = if rest.starts_with("!=") {
            value("!=").map(Test::IsNot)
        } else if rest.starts_with("==") {
            value("==").map(Test::Is)
        } else if rest.starts_with('=') {
            value("=").map(Test::Is)
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        return Some(test.map(|test| Term { key, test }));
    }
    None
}

fn split_unescaped_commas(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(|c| {
        let cut = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        cut
    })
    .collect()
}

fn unescape(value: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => plain.push(escaped),
                other => {
                    let sequence: String = ['\\'].into_iter().chain(other).collect();
                    return Err(format!("invalid field selector: invalid escape sequence: {sequence}"));
                }
            },
            ',' | '=' => return Err(format!("invalid field selector: unescaped character in value: {c}")),
            c => plain.push(c),
        }
    }
    Ok(plain)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A key or a value; `in` and `notin` where an operator can stand.
    Word(&'a str),
    /// `=`, `==`, `!=`, `!`, `(`, `)`, `,`, `<` or `>`.
    Symbol(&'a str),
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Token::Word(text) | Token::Symbol(text) => text,
        }
    }
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];
        const SYMBOLS: [char; 7] = ['=', '!', '(', ')', ',', '>', '<'];
        let text = self.rest.trim_start_matches(BLANK);
        let first = text.chars().next()?;
        let (token, length) = if ["==", "!="].iter().any(|long| text.starts_with(long)) {
            (Token::Symbol(&text[..2]), 2)
        } else if SYMBOLS.contains(&first) {
            (Token::Symbol(&text[..1]), 1)
        } else {
            let end = text.find(|c| BLANK.contains(&c) || SYMBOLS.contains(&c)).unwrap_or(text.len());
            (Token::Word(&text[..end]), end)
        };
        self.rest = &text[length..];
        Some(token)
    }
}

struct LabelParser<'a> {
    tokens: Peekable<Tokens<'a>>,
}

impl<'a> LabelParser<'a> {
    fn selector(mut self) -> Result<Selector, String> {
        let mut terms = Vec::new();
        match self.tokens.peek() {
            None => return Ok(Selector { terms }),
            Some(Token::Word(_) | Token::Symbol("!")) => {}
            Some(other) => return Err(format!("found '{}', expected: !, identifier, or 'end of string'", other.text())),
        }
        loop {
            terms.push(self.term().map_err(|error| format!("unable to parse requirement: {error}"))?);
            match self.tokens.next() {
                None => return Ok(Selector { terms }),
                Some(Token::Symbol(",")) => {}
                Some(other) => return Err(format!("found '{}', expected: ',' or 'end of string'", other.text())),
            }
            match self.tokens.peek() {
                Some(Token::Word(_) | Token::Symbol("!")) => {}
                other => return Err(format!("found '{}', expected: identifier after ','", literal(other.copied()))),
            }
        }
    }

    fn term(&mut self) -> Result<Term, String> {
        let negated = self.tokens.next_if_eq(&Token::Symbol("!")).is_some();
        let key = match self.tokens.next() {
            Some(Token::Word(key)) => key,
            other => return Err(format!("found '{}', expected: identifier", literal(other))),
        };
        check_key(key)?;
        let key = key.to_owned();
        if negated {
            return Ok(Term { key, test: Test::Absent });
        }
        if matches!(self.tokens.peek(), None | Some(Token::Symbol(","))) {
            return Ok(Term { key, test: Test::Exists });
        }
        let test = match self.tokens.next() {
            Some(Token::Symbol("=" | "==")) => Test::In(vec![self.value(&key)?]),
            Some(Token::Symbol("!=")) => Test::NotIn(vec![self.value(&key)?]),
            Some(Token::Symbol(">")) => Test::Above(self.number(&key)?),
            Some(Token::Symbol("<")) => Test::Below(self.number(&key)?),
            Some(Token::Word("in")) => Test::In(self.values(&key)?),
            Some(Token::Word("notin")) => Test::NotIn(self.values(&key)?),
            other => return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", literal(other))),
        };
        Ok(Term { key, test })
    }

    /// One value; nothing is the empty value.
    fn value(&mut self, key: &str) -> Result<String, String> {
        let value = match self.tokens.peek() {
            None | Some(Token::Symbol(",")) => "",
            Some(Token::Word(value)) => value,
            Some(other) => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        let _ = self.tokens.next_if(|token| matches!(token, Token::Word(_)));
        check_value(key, 0, value)?;
        Ok(value.to_owned())
    }

    fn number(&mut self, key: &str) -> Result<i64, String> {
        let value = self.value(key)?;
        value.parse().map_err(|_| {
            format!("values[0][{key}]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer")
        })
    }

    /// `(a,b)`. Nothing between two commas or parentheses is the empty value.
    fn values(&mut self, key: &str) -> Result<Vec<String>, String> {
        match self.tokens.next() {
            Some(Token::Symbol("(")) => {}
            other => return Err(format!("found '{}' expected: '('", literal(other))),
        }
        let mut values = Vec::new();
        loop {
            let value = match self.tokens.peek() {
                Some(Token::Word(value)) => value,
                Some(Token::Symbol("," | ")")) => "",
                other => return Err(format!("found '{}', expected: ',', ')' or identifier", literal(other.copied()))),
            };
            let _ = self.tokens.next_if(|token| matches!(token, Token::Word(_)));
            check_value(key, values.len(), value)?;
            values.push(value.to_owned());
            match self.tokens.next() {
                Some(Token::Symbol(",")) => {}
                Some(Token::Symbol(")")) => return Ok(values),
                other => return Err(format!("found '{}', expected: ',' or ')'", literal(other))),
            }
        }
    }
}

fn literal(token: Option<Token<'_>>) -> &str {
    token.map_or("", Token::text)
}

/// A label key is `name` or `prefix/name`, where the prefix is a DNS subdomain.
fn check_key(key: &str) -> Result<(), String> {
    let invalid = |reason: &str| Err(format!("<nil>: Invalid value: {key:?}: {reason}"));
    let name = match key.split_once('/') {
        None => key,
        Some(("", _)) => return invalid("prefix part must be non-empty"),
        Some((prefix, _)) if prefix.len() > PREFIX_MAX => return invalid("prefix part must be no more than 253 bytes"),
        Some((prefix, _)) if !is_subdomain(prefix) => {
            return invalid(
                "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
                 start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
                 '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            );
        }
        Some((_, name)) => name,
    };
    if name.is_empty() {
        return invalid("name part must be non-empty");
    }
    if name.len() > LABEL_MAX {
        return invalid("name part must be no more than 63 bytes");
    }
    if !is_label_text(name) {
        return invalid(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
             character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
             '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        );
    }
    Ok(())
}

fn check_value(key: &str, index: usize, value: &str) -> Result<(), String> {
    let invalid = |reason: &str| Err(format!("values[{index}][{key}]: Invalid value: {value:?}: {reason}"));
    if value.len() > LABEL_MAX {
        return invalid("must be no more than 63 bytes");
    }
    if !value.is_empty() && !is_label_text(value) {
        return invalid(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end \
             with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
             '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        );
    }
    Ok(())
}

fn is_label_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn is_subdomain(text: &str) -> bool {
    let part = |part: &str| {
        is_label_text(part) && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `selector` selects an object with the labels `app=web`, `tier=` and `generation=4`.
    fn selects(selector: &str) -> bool {
        Selector::parse_labels(selector).unwrap().matches(|key| match key {
            "app" | "example.com/app" => Some("web"),
            "tier" => Some(""),
            "generation" => Some("4"),
            _ => None,
        })
    }

    #[test]
    fn an_empty_selector_selects_everything() {
        assert!(selects(""));
        assert!(selects("  "));
        assert!(Selector::parse_labels("").unwrap().is_empty());
        assert!(Selector::parse_fields("").unwrap().is_empty());
    }

    #[test]
    fn equality_compares_values() {
        for yes in ["app=web", "app==web", "app = web", "app!=db", "tier=", "absent!=x", "example.com/app=web", "app=web,tier="] {
            assert!(selects(yes), "{yes}");
        }
        for no in ["app=db", "app!=web", "absent=", "absent=x", "app=web,tier=x"] {
            assert!(!selects(no), "{no}");
        }
    }

    #[test]
    fn sets_and_existence() {
        for yes in [
            "app in (web,db)",
            "app notin (db)",
            "absent notin (x)",
            "app",
            "!absent",
            "tier in (a,)",
            "tier in ()",
            "tier in (a,,b)",
            "app in (in, web)",
        ] {
            assert!(selects(yes), "{yes}");
        }
        for no in ["app in (db)", "app notin (web , db)", "absent in (x)", "absent", "!app", "absent in (a,)"] {
            assert!(!selects(no), "{no}");
        }
    }

    #[test]
    fn comparisons_are_between_whole_numbers() {
        assert!(selects("generation>3"));
        assert!(selects("generation<5"));
        assert!(!selects("generation>4"));
        assert!(!selects("app>3"), "a value that is no number is never above one");
        assert!(!selects("absent<3"));
    }

    #[test]
    fn operators_can_be_names_of_labels() {
        assert!(Selector::parse_labels("in in (notin)").unwrap().matches(|key| (key == "in").then_some("notin")));
    }

    #[test]
    fn a_bad_label_selector_is_refused_in_the_api_servers_words() {
        for (selector, words) in [
            ("a=b=c", "found '=', expected: ',' or 'end of string'"),
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("=x", "found '=', expected: !, identifier, or 'end of string'"),
            ("a=b,", "found '', expected: identifier after ','"),
            ("a in x", "unable to parse requirement: found 'x' expected: '('"),
            ("a in (x", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
            ("a=(", "unable to parse requirement: found '(', expected: identifier"),
            (
                "a>x",
                "unable to parse requirement: values[0][a]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
        ] {
            assert_eq!(Selector::parse_labels(selector).unwrap_err(), words, "{selector}");
        }
    }

    #[test]
    fn keys_and_values_have_to_be_valid_labels() {
        for (selector, words) in [
            ("-a=b", "<nil>: Invalid value: \"-a\": name part must consist of"),
            ("/a=b", "<nil>: Invalid value: \"/a\": prefix part must be non-empty"),
            ("Example.com/a=b", "<nil>: Invalid value: \"Example.com/a\": prefix part a lowercase RFC 1123 subdomain"),
            ("a=b/c", "values[0][a]: Invalid value: \"b/c\": a valid label must be an empty string or consist of"),
            ("a in (b,c:)", "values[1][a]: Invalid value: \"c:\": a valid label"),
        ] {
            let error = Selector::parse_labels(selector).unwrap_err();
            assert!(error.starts_with(&format!("unable to parse requirement: {words}")), "{selector}: {error}");
        }
        let long = "x".repeat(64);
        assert!(Selector::parse_labels(&format!("a={long}")).unwrap_err().ends_with("must be no more than 63 bytes"));
        assert!(Selector::parse_labels(&long).unwrap_err().ends_with("name part must be no more than 63 bytes"));
    }

    #[test]
    fn fields_are_compared_as_text_and_a_missing_one_is_empty() {
        let selects = |selector: &str| {
            Selector::parse_fields(selector).unwrap().matches(|path| (path == "spec.nodeName").then_some("node,1=a"))
        };
        for yes in
            ["spec.nodeName=node\\,1\\=a", "spec.nodeName!=x", "status.phase=", "status.phase!=Running", ",", "spec.nodeName!="]
        {
            assert!(selects(yes), "{yes}");
        }
        for no in ["spec.nodeName=", "status.phase=Running", "status.phase!=", "spec.nodeName==node"] {
            assert!(!selects(no), "{no}");
        }
    }

    #[test]
    fn a_bad_field_selector_is_refused_in_the_api_servers_words() {
        for (selector, words) in [
            ("type", "invalid selector: 'type'; can't understand 'type'"),
            ("type=a,b", "invalid selector: 'type=a,b'; can't understand 'b'"),
            ("type=a=b", "invalid field selector: unescaped character in value: ="),
            ("type=\\x", "invalid field selector: invalid escape sequence: \\x"),
            ("type=\\", "invalid field selector: invalid escape sequence: \\"),
        ] {
            assert_eq!(Selector::parse_fields(selector).unwrap_err(), words, "{selector}");
        }
    }
}
