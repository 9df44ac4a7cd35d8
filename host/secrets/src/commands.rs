//! Passwords on command lines, of programs whose flags do not say that they take one.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::{memmem, memrchr};
use rustc_hash::FxHashSet;
use sandbar_text::steps::steps;

use super::alphabet::{ARGUMENT, IN_DOUBLE, IN_SINGLE, UNBROKEN};
use super::extent;
use super::names::named;
use super::scan::Scan;
use super::values::{names_nothing, says_state};
use super::{By, Found, LONGEST};

/// Words that are looked at, of a command line from the program on, and of a list.
pub const WORDS_MAX: usize = 48;

/// Bytes of a command line that are looked at, and the most that one word counts for: a long word is a value as a rule, and is
/// passed over. If the words of a command are known, they alone count.
const LINE_MAX: usize = 384;
const LONG_WORD: usize = 32;

/// Programs of one list that are looked at, such as `timeout`, `sshpass` and the one that it runs.
const PROGRAMS_MAX: usize = 8;

/// Bytes of a quoted argument in which escapes are followed.
const ESCAPED_MAX: usize = 384;

/// The secret part of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    All,
    /// Whatever follows the first byte of this kind.
    After(u8),
    /// Whatever follows the first equals sign: `--from-literal=name=value`.
    Value,
    /// Whatever follows OpenSSL's `pass:`.
    Source,
}

/// An argument that takes a password.
enum Takes {
    /// The next argument, or the rest of this one.
    Flag(&'static str, Part),
    /// Like `Flag`, for a flag of one letter that others may precede: `-su` for `-u`.
    Among(&'static str, Part),
    /// The rest of this argument; the next one is unrelated.
    Glued(&'static str, Part),
    /// The argument at this position after the command, not counting flags and their values.
    Operand(usize),
    /// Like `Operand`, one position earlier after a flag with this letter, which replaces the first argument.
    OperandUnless(usize, u8),
    /// No password: a flag that ends in this letter takes the next argument, and no other flag does.
    Other(u8),
}

use Part::{After, All, Source};
use Takes::{Among, Flag, Glued, Operand, OperandUnless, Other};

/// A program, a word that has to follow it, and the arguments that take a password.
pub(super) struct Program {
    pub(super) name: &'static str,
    verb: &'static str,
    takes: &'static [Takes],
}

const fn program(name: &'static str, verb: &'static str, takes: &'static [Takes]) -> Program {
    Program { name, verb, takes }
}

const P: &[Takes] = &[Flag("-p", All)];
const GLUED: &[Takes] = &[Glued("-p", All)];
const USER: &[Takes] =
    &[Among("-u", After(b':')), Flag("--user", After(b':')), Flag("-U", After(b':')), Flag("--proxy-user", After(b':'))];
const LDAP: &[Takes] = &[Flag("-w", All), Flag("-a", All), Flag("-s", All)];
const SMB: &[Takes] = &[Flag("-U", After(b'%')), Flag("--user", After(b'%'))];
const OPENSSL: &[Takes] = &[
    Flag("-passin", Source),
    Flag("-passout", Source),
    Flag("-pass", Source),
    Flag("-password", Source),
    Flag("-k", All),
    Flag("-K", All),
];
const CREATE: &[Takes] = &[Flag("--from-literal", Part::Value), Flag("--docker-password", All)];
const CAPITAL: &[Takes] = &[Flag("-P", All)];

pub(super) static PROGRAMS: &[Program] = &[
    program("mysql", "", GLUED),
    program("mysqldump", "", GLUED),
    program("mysqladmin", "", GLUED),
    program("mysqlimport", "", GLUED),
    program("mysqlcheck", "", GLUED),
    program("mysqlsh", "", GLUED),
    program("mariadb", "", GLUED),
    program("mariadb-dump", "", GLUED),
    program("mariadb-admin", "", GLUED),
    program("xtrabackup", "", GLUED),
    program("curl", "", USER),
    program("wget", "", USER),
    program("redis-cli", "", &[Flag("-a", All), Flag("--pass", All)]),
    program("valkey-cli", "", &[Flag("-a", All), Flag("--pass", All)]),
    program("redis-benchmark", "", &[Flag("-a", All)]),
    program("sshpass", "", P),
    program("mongo", "", P),
    program("mongosh", "", P),
    program("mongodump", "", P),
    program("mongorestore", "", P),
    program("mongoexport", "", P),
    program("mongoimport", "", P),
    program("mongostat", "", P),
    program("ldapsearch", "", LDAP),
    program("ldapadd", "", LDAP),
    program("ldapmodify", "", LDAP),
    program("ldapdelete", "", LDAP),
    program("ldapwhoami", "", LDAP),
    program("ldappasswd", "", LDAP),
    program("openssl", "", OPENSSL),
    program("docker", "login", P),
    program("podman", "login", P),
    program("buildah", "login", P),
    program("nerdctl", "login", P),
    program("skopeo", "login", P),
    program("crane", "login", P),
    program("oras", "login", P),
    program("helm", "login", P),
    program("az", "login", P),
    program("oc", "login", P),
    program("cf", "login", P),
    program("vault", "login", &[Operand(0)]),
    program("heroku", "login", P),
    // With `-n` it writes to the terminal, so there is no file argument. `-C` and `-r` set the cost of a hash.
    program("htpasswd", "", &[OperandUnless(2, b'n'), Other(b'C'), Other(b'r')]),
    program("smbclient", "", SMB),
    program("rpcclient", "", SMB),
    program("winexe", "", SMB),
    program("smbget", "", SMB),
    program("sqlcmd", "", CAPITAL),
    program("bcp", "", CAPITAL),
    program("isql", "", CAPITAL),
    program("mosquitto_pub", "", CAPITAL),
    program("mosquitto_sub", "", CAPITAL),
    program("ipmitool", "", CAPITAL),
    program("unzip", "", CAPITAL),
    program("zip", "", CAPITAL),
    program("7z", "", GLUED),
    program("7za", "", GLUED),
    program("unrar", "", GLUED),
    program("cqlsh", "", P),
    program("twine", "", P),
    program("etcdctl", "", &[Flag("--user", After(b':'))]),
    program("lftp", "", &[Flag("-u", After(b','))]),
    program("sqlplus", "", &[Operand(0)]),
    program("ssh-keygen", "", &[Flag("-N", All), Flag("-P", All)]),
    program("snmpwalk", "", &[Flag("-A", All), Flag("-X", All), Flag("-c", All)]),
    program("snmpget", "", &[Flag("-A", All), Flag("-X", All), Flag("-c", All)]),
    program("rabbitmqctl", "add_user", &[Operand(1)]),
    program("rabbitmqctl", "change_password", &[Operand(1)]),
    program("rabbitmqctl", "authenticate_user", &[Operand(1)]),
    program("ngrok", "authtoken", &[Operand(0)]),
    program("ngrok", "add-authtoken", &[Operand(0)]),
    program("mc", "set", &[Operand(3)]),
    program("kubectl", "secret", CREATE),
    program("oc", "secret", CREATE),
    program("composer", "config", &[Operand(2)]),
    program("xfreerdp", "", &[Glued("/p:", All)]),
    program("swaks", "", &[Flag("-ap", All)]),
    program("kadmin", "", &[Flag("-w", All), Flag("-pw", All)]),
    program("pscp", "", &[Flag("-pw", All)]),
    program("plink", "", &[Flag("-pw", All)]),
    program("useradd", "", P),
];

/// The name of a program that takes passwords, if the word is one, with or without its path.
fn program_of(word: &str) -> Option<&'static str> {
    static NAMES: LazyLock<FxHashSet<&str>> = LazyLock::new(|| PROGRAMS.iter().map(|program| program.name).collect());
    // Most words of a command are flags.
    if word.starts_with('-') {
        return None;
    }
    let name = &word[memrchr(b'/', word.as_bytes()).map_or(0, |slash| slash + 1)..];
    NAMES.get(name).copied()
}

/// Whether [`secret_words`] may find something in these words.
pub fn has_program<'w>(mut words: impl Iterator<Item = Cow<'w, str>>) -> bool {
    words.any(|word| program_of(&word).is_some())
}

/// The words of a command that are secret because of its program, and what each is. For commands that are lists in Kubernetes.
pub fn secret_words<'w>(words: impl Iterator<Item = Cow<'w, str>>) -> Vec<(usize, &'static str)> {
    // As text, with each word between quotes. A quote within a word ends none, and nothing at its beginning or in its place reads
    // as a separator.
    let (mut text, mut ends, mut programs) = (String::new(), Vec::new(), Vec::new());
    for word in words {
        let end = word.floor_char_boundary(LONGEST);
        text.push('"');
        text.extend(word[..end].char_indices().map(|(at, character)| match character {
            '"' | '\\' | '\n' => '_',
            '\'' | ',' | ' ' | '\t' if at == 0 => '_',
            character => character,
        }));
        text.push_str(if end == 0 { "_" } else { "" });
        programs.extend(program_of(&word).map(|name| (text.len().saturating_sub(name.len()), name)));
        ends.push(text.len());
        text.push_str("\" ");
    }
    steps(text.len());
    let scan = Scan::new(&text, &[], true);
    let mut found = Vec::new();
    for (at, name) in programs.into_iter().take(PROGRAMS_MAX) {
        let end = at + name.len();
        for program in PROGRAMS.iter().filter(|program| program.name == name && Program::begins(&scan, at, end)) {
            program.find_in(Arguments { scan: &scan, at: end, left: WORDS_MAX, room: usize::MAX }, false, &mut found);
        }
    }
    found.iter().map(|secret| (ends.partition_point(|&end| end <= secret.at.start), secret.kind)).collect()
}

/// The input of a program that reads a password: `echo sesame | docker login --password-stdin`. The pipe, or what follows the
/// program's name, is at `at`.
pub(super) fn piped(scan: &Scan<'_>, at: usize) -> Option<Found> {
    /// Bytes of the program and its arguments, and of the command that writes to it.
    const PROGRAM: usize = 192;
    const WRITER: usize = 384;
    const WRITERS: &[&[u8]] = &[b"echo ", b"printf ", b"echo -n ", b"printf %s ", b"<<< "];
    let program = scan.before(at + 1, PROGRAM);
    let pipe = at + 1 - (program.len() - program.iter().rposition(|&byte| matches!(byte, b'|' | b'\n'))?);
    let end = pipe - scan.before(pipe, 4).iter().rev().take_while(|&&byte| byte == b' ').count();
    let near = scan.before(end, WRITER);
    let near = &near[near.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)..];
    let written = WRITERS.iter().filter_map(|writer| memmem::rfind(near, writer).map(|found| found + writer.len())).max();
    let start = match written {
        Some(written) => end - near.len() + written,
        // A single word, of any length.
        None => Some(scan.word_back(end, &UNBROKEN))
            .filter(|&word| WRITERS.iter().any(|writer| scan.before(word, 16).ends_with(writer)))?,
    };
    let quote = scan.byte(start).filter(|byte| matches!(byte, b'"' | b'\''));
    let end = match quote {
        Some(b'"') => scan.run(start + 1, &IN_DOUBLE),
        Some(_) => scan.run(start + 1, &IN_SINGLE),
        None => scan.run(start, &ARGUMENT),
    };
    let secret = start + usize::from(quote.is_some())..end;
    let shown = scan.judged(&secret);
    (!secret.is_empty() && !names_nothing(shown) && !shown.starts_with('$')).then_some(Found {
        at: secret,
        kind: "password",
        by: By::Place,
    })
}

/// An argument of a command line, without its quotes.
struct Argument {
    /// The start of what precedes it.
    from: usize,
    at: Range<usize>,
    /// Whether a quote follows without a space: `-p'sesame'`.
    goes_on: bool,
}

impl Program {
    /// The text to search for: the name, with a space after a short one.
    pub(super) fn trigger(&self) -> String {
        /// Bytes of a name that is rare within other words.
        const LONG: usize = 5;
        format!("{}{}", self.name, if self.name.len() < LONG { " " } else { "" })
    }

    /// Adds the secrets after a program's name at `at`. If the name is among the arguments of the same program, it continues
    /// after the last one that was looked at, so that each argument is looked at once.
    pub(super) fn find(&self, scan: &Scan<'_>, at: usize, found: &mut Vec<Found>) {
        let end = at + self.name.len();
        if !Self::begins(scan, at, end) {
            return;
        }
        let last = scan.last_argument(self.id());
        let is_within = last > end;
        if is_within && self.has_operand() {
            return;
        }
        let arguments = Arguments { scan, at: end.max(last), left: WORDS_MAX, room: LINE_MAX };
        scan.set_last_argument(self.id(), self.find_in(arguments, is_within, found));
    }

    /// Identifies the row of the table.
    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether the name from `at` to `end` is that of a program with arguments.
    fn begins(scan: &Scan<'_>, at: usize, end: usize) -> bool {
        let begins = scan.byte_before(at).is_none_or(|byte| {
            byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'/' | b'(' | b';' | b'|' | b'[' | b'=')
        });
        begins && matches!(scan.byte(end), Some(b' ' | b'"' | b'\'' | b','))
    }

    /// Adds the secrets among its arguments. `has_verb`: the required word was already there. Returns the position of the last
    /// argument.
    fn find_in(&self, arguments: Arguments<'_, '_>, has_verb: bool, found: &mut Vec<Found>) -> usize {
        let scan = arguments.scan;
        let mut last = arguments.at;
        let mut has_verb = has_verb || self.verb.is_empty();
        let (has_operand, mut operands) = (self.has_operand(), 0);
        // Cleared if a flag replaces the first argument.
        let mut has_first = true;
        // The part that the next argument holds, after a flag.
        let mut pending: Option<Part> = None;
        let mut is_taken = false;
        for argument in arguments {
            let start = argument.at.start;
            last = argument.from;
            if !has_verb {
                has_verb = argument.at.len() == self.verb.len() && scan.starts_with(start, self.verb);
                continue;
            }
            if pending.is_none() && !has_operand && !matches!(scan.byte(start), Some(b'-' | b'/')) {
                continue;
            }
            let text = scan.judged(&argument.at);
            if let Some(part) = pending.take() {
                pending = part.is_quoted_behind(text, argument.goes_on).then_some(All);
                self.push(part, scan, argument.at, found);
                continue;
            }
            let flag = self.takes.iter().find_map(|takes| takes.by_flag(text, argument.goes_on));
            match flag {
                Some((part, "")) => pending = Some(part),
                Some((part, rest)) if part.is_quoted_behind(rest, argument.goes_on) => pending = Some(All),
                Some((part, rest)) => self.push(part, scan, start + text.len() - rest.len()..argument.at.end, found),
                None if text.starts_with('-') => {
                    is_taken = self.takes_next(text);
                    has_first &= !self.takes.iter().any(|takes| match *takes {
                        OperandUnless(_, letter) => !text.starts_with("--") && text.as_bytes().contains(&letter),
                        _ => false,
                    });
                }
                None if is_taken => is_taken = false,
                None => {
                    let is_secret = self.takes.iter().any(|takes| match *takes {
                        Operand(place) => place == operands,
                        OperandUnless(place, _) => place == operands + usize::from(!has_first),
                        _ => false,
                    });
                    if is_secret {
                        let part = if self.name == "sqlplus" { After(b'/') } else { All };
                        self.push(part, scan, argument.at, found);
                    }
                    operands += 1;
                }
            }
        }
        last
    }

    fn has_operand(&self) -> bool {
        self.takes.iter().any(|takes| matches!(takes, Operand(_) | OperandUnless(..)))
    }

    /// Whether a flag may take the next argument, if that matters: `-h host`. A flag that includes its value does not.
    fn takes_next(&self, flag: &str) -> bool {
        let mut others =
            self.takes.iter().filter_map(|takes| if let Other(letter) = takes { Some(letter) } else { None }).peekable();
        if others.peek().is_some() {
            return !flag.starts_with("--") && others.any(|letter| flag.as_bytes().last() == Some(letter));
        }
        flag.len() == 2 && flag != "--" && self.has_operand()
    }

    fn push(&self, part: Part, scan: &Scan<'_>, at: Range<usize>, found: &mut Vec<Found>) {
        let text = scan.judged(&at);
        let skip = match part {
            All => Some(0),
            After(separator) => text.bytes().position(|byte| byte == separator).map(|at| at + 1),
            Part::Value => text.bytes().position(|byte| byte == b'=').map(|at| at + 1),
            Source => text.starts_with("pass:").then_some("pass:".len()),
        };
        let Some(secret) = skip.and_then(|skip| text.get(skip..)) else { return };
        // `sqlplus user/password@host`
        let secret = if self.name == "sqlplus" { secret.split('@').next().unwrap_or_default() } else { secret };
        let start = at.start + skip.unwrap_or_default();
        let is_none =
            secret.is_empty() || secret.starts_with('-') || names_nothing(secret) || self.has_operand() && says_state(secret);
        if !is_none {
            let end = if self.name == "sqlplus" { start + secret.len() } else { at.end };
            found.push(Found { at: start..end, kind: "password", by: By::Place });
        }
    }
}

impl Part {
    /// Whether an argument ends where this part of it begins, and a quote follows: `--from-literal=key='sesame'`.
    fn is_quoted_behind(self, text: &str, goes_on: bool) -> bool {
        let separator = match self {
            After(separator) => separator,
            Part::Value => b'=',
            All | Source => return false,
        };
        goes_on && text.as_bytes().last() == Some(&separator)
    }
}

impl Takes {
    /// Whether an argument is this flag, and the part of its value that it includes. `goes_on`: a quote follows without a space.
    fn by_flag<'t>(&self, text: &'t str, goes_on: bool) -> Option<(Part, &'t str)> {
        match *self {
            Among(flag, part) => {
                /// Letters of flags in one argument.
                const FLAGS: usize = 8;
                let letters = text.strip_prefix('-').filter(|letters| letters.len() <= FLAGS)?;
                let is_last = letters.ends_with(&flag[1..]) && letters.bytes().all(|letter| letter.is_ascii_alphabetic());
                if is_last { Some((part, "")) } else { Flag(flag, part).by_flag(text, goes_on) }
            }
            Flag(flag, part) => {
                let rest = text.strip_prefix(flag)?;
                match rest.as_bytes() {
                    [] => Some((part, "")),
                    [b'=', ..] => Some((part, &rest[1..])),
                    // `-pPASSWORD`, but not `-passin` for `-p`.
                    _ if flag.len() == 2
                        && !text.starts_with("--")
                        && !text[1..].bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') =>
                    {
                        Some((part, rest))
                    }
                    _ => None,
                }
            }
            Glued(flag, part) if goes_on && text == flag => Some((part, "")),
            Glued(flag, part) => text
                .strip_prefix(flag)
                .filter(|rest| !rest.is_empty() && named(text).is_none_or(|_| !rest.starts_with("ass")))
                .map(|rest| (part, rest)),
            Operand(_) | OperandUnless(..) | Other(_) => None,
        }
    }
}

/// The arguments of a command line, or of a list of strings.
struct Arguments<'s, 't> {
    scan: &'s Scan<'t>,
    at: usize,
    /// Words and bytes that may still be looked at.
    left: usize,
    room: usize,
}

impl Iterator for Arguments<'_, '_> {
    type Item = Argument;

    fn next(&mut self) -> Option<Argument> {
        self.left = self.left.checked_sub(1)?;
        // Arguments are separated by spaces, or by quotes and a comma.
        let between = self.scan.ahead(self.at, 8);
        let length = between.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b',')).count();
        let (start, between) = (self.at + length, &between[..length]);
        let quote = between.last().copied().filter(|byte| matches!(byte, b'"' | b'\''));
        // A quote after a space begins an argument, whose content does not end the command.
        let opens = quote.is_some() && between.iter().any(|byte| matches!(byte, b' ' | b'\t' | b','));
        let ends = match self.scan.byte(start) {
            None | Some(b'\n' | b'\r') => true,
            Some(b'|' | b';' | b']' | b')') => !opens,
            Some(b'&') => !opens && matches!(self.scan.byte(start + 1), Some(b'&' | b' ')),
            _ => false,
        };
        if length == 0 || ends {
            return None;
        }
        let end = match quote {
            Some(quote) => extent::quoted(self.scan, start - 1, quote, ESCAPED_MAX).at.end,
            None => self.scan.run(start, &ARGUMENT),
        };
        // `[podman, login]` of YAML.
        let end = end - usize::from(quote.is_none() && end > start + 1 && self.scan.byte_before(end) == Some(b','));
        self.room = self.room.checked_sub((end - self.at).min(LONG_WORD))?;
        let from = std::mem::replace(&mut self.at, end + usize::from(end == start));
        let goes_on = quote.is_none() && matches!(self.scan.byte(end), Some(b'\'' | b'"'));
        Some(Argument { from, at: start..end, goes_on })
    }
}
