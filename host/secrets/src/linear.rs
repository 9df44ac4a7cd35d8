//! Every look at untrusted text takes steps in proportion to its length, whatever it is.
//!
//! The texts are made from the triggers, so a new trigger is covered: each by itself, next to text that can make a look go far
//! ahead or back, and in pairs, repeated.

use sandbar_text::steps::counted;
use sandbar_text::{clean, clean_line};

use super::{LONGEST, MaskedLines, find, has_line_with_secret, has_secret, mask, mask_tail};
use crate::quotable;

/// Bytes of the shorter text, and how many times longer the other one is.
const SHORT: usize = 2 * 1024;
const TIMES: usize = 4;

/// Bytes of a text that is as long as the pieces in which logs are masked, and more.
const LONG: usize = 64 * 1024;

/// Steps that do not grow with the text: those at its beginning and end. At the beginning there are fewer lines to remember.
const AT_ONCE: usize = 48 * 1024;

/// Most steps for one byte. A look around a trigger of a few bytes takes a few hundred.
const STEPS_A_BYTE: usize = 1_200;

/// Text that may make a look go on: fillers, long values, beginnings without an end, and text before a place.
const AROUND: &[&str] = &[
    "",
    "a",
    "a1",
    "A",
    "0",
    "=",
    ":",
    " ",
    "\n",
    "\t",
    "'",
    "\"",
    "`",
    "\\",
    "\\\"",
    "\\n",
    "%3D",
    "%22",
    "&quot;",
    "&amp;",
    "\\u003d",
    "\\u001b[m",
    "-",
    "--",
    "_",
    ".",
    ",",
    ";",
    "/",
    "<",
    ">",
    "[",
    "[\"",
    "{",
    "}",
    "]",
    ")",
    "(",
    "|",
    "@",
    "#",
    "$",
    "*",
    "~",
    "+",
    "=>",
    "->",
    "=[",
    "={\"value\":",
    ": |\n  a",
    "=\"",
    "='",
    "=\\\"",
    "='a''",
    " a",
    " -p",
    "\",\"",
    "é",
    "\u{1b}[0m",
    "\u{1b}]",
    "\u{9d}x",
    "\u{9c}",
    "\u{200b}",
    "\r",
    "\u{8}",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "aB3dE5gH7jK9mN1pQ2sT4vW6yZ8aB3d",
    "AAAA",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "-----END CERTIFICATE-----\n",
    "LS0tLS1CRUdJTi",
    "[masked: x]",
    "name: ",
    "value: ",
    "=true ",
    "=a,",
    ": a\n",
    "://a:b",
    "@tcp(",
];

/// A function that looks at untrusted text.
type Look = fn(&str);

/// The functions that look at untrusted text.
const LOOKS: &[(&str, Look)] = &[
    ("mask_behind", |text| drop(mask_tail(&("x ".repeat(LONGEST) + text)))),
    ("clean", |text| drop(clean(text))),
    ("clean_line", |text| drop(clean_line(text, 64))),
    ("quotable", |text| drop(quotable(text, 64))),
    MASK[0],
    ("is_suspect", |text| _ = has_secret(text)),
    ("has_line_with_secret", |text| _ = has_line_with_secret(text)),
    ("MaskedLines", |text| {
        let mut lines = MaskedLines::new();
        for line in text.split_inclusive('\n') {
            drop(lines.mask(line));
        }
        drop(lines.finish());
    }),
];

/// The function that does most of the work of the others.
const MASK: &[(&str, Look)] = &[("mask", |text| drop(mask(text)))];

/// A unit, repeated up to so many bytes.
fn text(unit: &str, length: usize) -> String {
    unit.repeat(length.div_ceil(unit.len()).max(1))
}

fn check(looks: &[(&str, Look)], unit: &str, short: usize) {
    for (name, look) in looks {
        let [few, many] = [short, TIMES * short].map(|length| {
            let text = text(unit, length);
            (counted(|| look(&text)), text.len())
        });
        let limit = (few.0 + AT_ONCE) * TIMES * 21 / 20;
        assert!(many.0 <= limit, "{name} of {unit:?}: {} steps for {} bytes, {} for {}", few.0, few.1, many.0, many.1);
        assert!(many.0 <= many.1 * STEPS_A_BYTE, "{name} of {unit:?}: {} steps for {} bytes", many.0, many.1);
    }
}

#[test]
fn each_trigger_by_itself_and_beside_what_makes_one_look_on() {
    // Each test takes a quarter of the combinations, and its neighbours the others.
    for (index, literal) in find::literals().iter().enumerate() {
        for around in AROUND.iter().skip(index % 4).step_by(4) {
            check(MASK, &format!("{around}{literal}{around}"), SHORT);
        }
    }
}

#[test]
fn long_texts_of_one_trigger() {
    // Long enough for work that is quadratic in the text to be most of it.
    let literals = find::literals();
    for (index, literal) in literals.iter().enumerate().step_by(3) {
        check(MASK, &format!("{literal}{}", AROUND[index % AROUND.len()]), LONG);
    }
    for around in AROUND.iter().filter(|around| !around.is_empty()) {
        check(if around.contains('\n') { LOOKS } else { MASK }, around, LONG);
    }
}

#[test]
fn two_triggers_in_turn() {
    let literals = find::literals();
    // The pairs at these distances: every trigger meets dozens of others.
    for distance in [1, 8, 34, 89, 144] {
        for (index, literal) in literals.iter().enumerate() {
            let other = &literals[(index + distance) % literals.len()];
            check(MASK, &format!("{literal}{other}"), SHORT / 2);
            check(MASK, &format!("{literal}=a {other}\""), SHORT / 2);
        }
    }
}

#[test]
fn whatever_looks_at_a_text() {
    for one in AROUND.iter().filter(|unit| !unit.is_empty()) {
        check(LOOKS, one, SHORT);
        for other in AROUND {
            check(&LOOKS[1..], &format!("{one}{other}"), SHORT / 2);
        }
    }
}

/// Statements, commands and members that are endless, or nested.
const WITHIN_EACH_OTHER: &[&str] = &[
    "(password) VALUES (",
    "(pwd)VALUES('",
    "(pwd)VALUES(\\\"\n",
    "(pwd)VALUES(\\\"",
    "(pwd) VALUES ('(pwd) VALUES (''",
    "(pwd) VALUES ('a','b'),",
    "(pwd,token,a)values\n(1,'',NOW())\n,\n",
    "(token)Values(((",
    "(token)Values)))",
    "('a'),",
    "{kty=oct,k=",
    "kty:k:d=",
    "kty='k='",
    "password for a ",
    "password of a b:\n",
    "password is generated for ",
    "token for a is ",
    "(pwd)values(row([",
    "mysql -p ",
    "mysql \"-p\" ",
    "mysql \"",
    "mysql \\\"",
    "mysql & -p",
    "htpasswd -n -C ",
    "htpasswd -nb a ",
    "curl -u '\\' ",
    "sig=&se=",
    "a:b@tcp(",
    "a=b:c=@unix(",
];

#[test]
fn what_begins_anew_within_itself() {
    const FILLERS: &[&str] = &["a", "('a'),", "(", "'", "''", "\\'", "\"", "\n", " ", "\"a\" ", "a,", "a=b "];
    for (index, unit) in WITHIN_EACH_OTHER.iter().enumerate() {
        check(if unit.contains('\n') { LOOKS } else { MASK }, unit, 4 * SHORT);
        for around in AROUND.iter().skip(index % 8).step_by(8) {
            check(MASK, &format!("{unit}{around}"), SHORT);
        }
        for filler in FILLERS.iter().skip(index % 2).step_by(2) {
            let make = |length: usize| format!("{unit}{}", text(filler, length));
            let [few, many] = [SHORT, TIMES * SHORT].map(|length| counted(|| drop(mask(&make(length)))));
            assert!(many <= (few + AT_ONCE) * TIMES * 21 / 20, "{unit:?} before {filler:?}: {few} and {many} steps");
        }
    }
}

#[test]
fn one_trigger_before_a_long_text() {
    for literal in find::literals() {
        for filler in ["a", "a1", "A", " a", "=", "\\", "\\\"", "%3D", "a,", "/", "\n", "a\n", "'", "aB3dE5gH7jK9"] {
            let make = |length: usize| format!("{literal}{}", text(filler, length));
            let [few, many] = [SHORT, TIMES * SHORT].map(|length| counted(|| drop(mask(&make(length)))));
            assert!(many <= (few + AT_ONCE) * TIMES * 21 / 20, "{literal:?} before {filler:?}: {few} and {many} steps");
        }
    }
}

#[test]
fn what_is_kept_in_part_is_looked_at_in_part() {
    let endless = "\u{9d}x\u{9c}".repeat(1 << 18);
    for look in [|text: &str| drop(clean_line(text, 64)), |text: &str| drop(quotable(text, 64))] {
        assert!(counted(|| look(&endless)) < 64 * 1024);
    }
}

/// A program's arguments are looked at once, even if its name is repeated among them.
#[test]
fn a_program_among_its_own_arguments() {
    const STEPS: usize = 100;
    for unit in [
        "=7z -p",
        " =mysql -p",
        "/7z -p",
        "=zip -P",
        "=bcp -Pa",
        "=curl -u:",
        "(7z -p",
        "=snmpget -cX",
        "=htpasswd -b a b ",
        "=sshpass -p a",
        "=docker login -p ",
        "'psql' 'PGPASSWORD=a' ",
    ] {
        let text = text(unit, LONG);
        let steps = counted(|| drop(mask(&text)));
        assert!(steps <= text.len() * STEPS, "{unit:?}: {steps} steps for {} bytes", text.len());
    }
}
