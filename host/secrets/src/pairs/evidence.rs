//! The evidence that a value needs beside its name.

use super::line::ends_line;
use super::link::{Link, Site};
use crate::extent::{Extent, Style};
use crate::scan::Scan;
use crate::values::{reads_as_message, says_state};

/// The evidence that a value needs beside its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// It has to look random.
    Random,
    /// It has to look random, or the whole has to look like a setting.
    Setting,
    /// No evidence suffices.
    More,
}

/// The evidence that is needed: words of a sentence follow colons and spaces, too.
pub(super) fn needs(scan: &Scan<'_>, site: &Site<'_>, value: &Extent, starts_line: bool) -> Needs {
    let quoted = value.style == Style::Quoted;
    match (site.link, site.is_quoted, quoted, site.spaces) {
        // link           name   value  spaces
        (Link::Equals, _, true, _) => Needs::Nothing,
        (Link::Equals, _, false, 0) => Needs::Nothing,
        (Link::Equals, _, false, _) => Needs::Setting,
        (Link::Owner, _, true, _) => Needs::Nothing,
        (Link::Owner, _, false, _) => Needs::Setting,
        (Link::Arrow | Link::Pair | Link::Tag | Link::Comma, ..) => Needs::Nothing,
        // The kubelet writes `volume "token" : secret "x" not found`. JSON with this space has quotes around its values.
        (Link::Colon, true, false, _) if scan.starts_with(site.start + site.name.len() + 1, " ") => Needs::Setting,
        (Link::Colon, true, ..) => Needs::Nothing,
        (Link::Colon, false, true, _) => Needs::Nothing,
        (Link::Colon, false, false, 0) if is_field(scan, site) => Needs::Nothing,
        (Link::Colon, false, false, 0 | 1) => Needs::Setting,
        (Link::Colon, false, false, _) if starts_line => Needs::Setting,
        (Link::Colon, false, false, _) => Needs::More,
        (Link::Space, ..) => by_space(scan, site, value, starts_line),
    }
}

/// Whether a name with a colon is a field of a structure that Go prints: `{User:a Password:b}`.
fn is_field(scan: &Scan<'_>, site: &Site<'_>) -> bool {
    matches!(scan.byte_before(site.start), Some(b'{' | b'['))
        || site.name.starts_with(|c: char| c.is_ascii_uppercase())
            && site.name.bytes().any(|byte| byte.is_ascii_lowercase())
            && scan.byte_before(site.start) == Some(b' ')
}

/// The evidence for a value after a space.
fn by_space(scan: &Scan<'_>, site: &Site<'_>, value: &Extent, starts_line: bool) -> Needs {
    /// Bytes before a name in which `login` shows that it belongs to `.netrc`.
    const LOGIN: usize = 120;
    let shown = scan.judged(&value.at);
    let is_flag = scan.before(site.start, 1) == b"-";
    if is_flag {
        let is_prose = FLAG_PROSE.contains(&shown) || says_state(shown) || shown.starts_with('-');
        return if is_prose { Needs::More } else { Needs::Nothing };
    }
    // `ALTER ROLE app PASSWORD 'x'`
    let is_sql = value.style == Style::Quoted && matches!(scan.byte(value.at.start - 1), Some(b'\'' | b'"'));
    if is_sql && !reads_as_message(shown) {
        let is_statement =
            site.name.bytes().all(|byte| byte.is_ascii_uppercase()) || scan.byte(value.at.start - 1) == Some(b'\'');
        return if is_statement { Needs::Nothing } else { Needs::Random };
    }
    // `machine h login u password p`
    let before = scan.before(site.start, LOGIN);
    let before = &before[..before.len() - before.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count()];
    let user = before.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
    let login = &before[..user];
    let login = login.trim_ascii_end();
    let is_login = |word: &[u8]| login.strip_suffix(word).is_some_and(|rest| rest.last().is_none_or(u8::is_ascii_whitespace));
    let parted = scan.byte_before(site.start).is_some_and(|byte| byte.is_ascii_whitespace());
    let is_netrc = parted && user < before.len() && (is_login(b"login") || is_login(b"user"));
    if is_netrc
        && matches!(site.name, "password" | "passwd" | "insecure-password")
        && !reads_as_message(shown)
        && !says_state(shown)
    {
        return Needs::Nothing;
    }
    // `aws configure set aws_secret_access_key …`, `password is hunter2`
    if before.ends_with(b"set") || before.ends_with(b"SET") {
        return if site.name.contains(['_', '.', '-']) || site.name.len() > 8 { Needs::Nothing } else { Needs::Random };
    }
    // `HTTP_Passwd hunter2` of a file of settings, `password is hunter2`, `| password | hunter2 |`
    let is_column = starts_line && ends_line(scan, value.at.end);
    let before = scan.before(value.at.start, 4);
    let is_told = [&b" is "[..], b"is: ", b" | "].iter().any(|link| before.ends_with(link));
    if is_column || is_told { Needs::Random } else { Needs::More }
}

/// Words after the name of a flag in a sentence about it.
const FLAG_PROSE: &[&str] = &[
    "a",
    "and",
    "as",
    "argument",
    "can",
    "cannot",
    "file",
    "flag",
    "flags",
    "for",
    "from",
    "has",
    "if",
    "in",
    "instead",
    "int",
    "is",
    "may",
    "must",
    "not",
    "on",
    "option",
    "or",
    "parameter",
    "requires",
    "should",
    "string",
    "stringArray",
    "strings",
    "the",
    "to",
    "value",
    "was",
    "when",
    "will",
    "with",
    "duration",
    "bool",
];

/// Whether a name and its value are a setting: alone on their line, or the last one of a line or list, under a name that nobody
/// would write in a sentence.
pub(super) fn is_setting(scan: &Scan<'_>, site: &Site<'_>, value: &Extent, starts_line: bool) -> bool {
    let end = value.at.end;
    let is_last = ends_line(scan, end);
    let names_variable = site.name.contains('_') || !site.name.bytes().any(|byte| byte.is_ascii_lowercase());
    let is_test = site.name == "PASS" && site.link == Link::Colon;
    let in_list = is_last || matches!(scan.byte(end), Some(b',' | b';' | b'}' | b'&'));
    let in_braces = scan.before(site.start, 2).contains(&b'{');
    value.at.len() > 1 && !is_test && (starts_line && is_last || (names_variable || in_braces) && in_list)
}
