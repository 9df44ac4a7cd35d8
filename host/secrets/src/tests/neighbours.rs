//! Texts beside each other: none of them keeps the secrets of the next one from being found.

use super::*;
use crate::has_line_with_secret;

/// A statement whose rows never end.
const OPEN: &str = "INSERT INTO t (c, password) VALUES (";
const STATEMENT: &str = "INSERT INTO users (name, password) VALUES ('bob', 'hunter2x')";

#[test]
fn a_statement_without_an_end_hides_no_other_one() {
    for before in [OPEN, "INSERT INTO t (password) VALUES ('it", "INSERT INTO t (c, password) VALUES (1,", "x"] {
        for between in ["\n", " ", "; ", "\n, "] {
            for times in [1, 2, 7, 8, 9, 100] {
                let text = format!("{}{STATEMENT}", format!("{before}{between}").repeat(times));
                assert!(!shown(&text).contains("hunter2x"), "{times} times {before:?} and {between:?}: {}", shown(&text));
            }
        }
    }
    let mut log = MaskedLines::new();
    let lines = log.mask(&format!("{OPEN}\n{STATEMENT}\n")).into_owned() + &log.finish();
    assert!(lines.contains("[masked: password]") && !lines.contains("hunter2x"), "{lines}");
}

#[test]
fn a_line_has_a_secret_if_it_has_one_by_itself() {
    // A fixed seed, by xorshift.
    let mut state = 0x5eed_0b1e_u64;
    let mut below = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % most
    };
    let is_plain = |text: &String| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let around = [
        "",
        " ",
        "'",
        "\"",
        "(",
        ")",
        ", ",
        "=",
        ": ",
        "-p ",
        "sesame-street",
        "hunter2x",
        "\\n",
        "%3D",
        "&quot;",
        "=>",
        "/",
        "a",
    ];
    let mut pieces: Vec<String> = around.iter().map(|&piece| piece.to_owned()).collect();
    pieces.extend([OPEN, STATEMENT, "LS0tLS1CRUdJTiB", "kty=", "mysql ", "user:s3same@h"].map(str::to_owned));
    pieces.extend(crate::find::literals());
    pieces.extend(examples().into_iter().map(|(_, example)| example));
    pieces.retain(is_plain);
    let (mut with, mut without) = (0, 0);
    for _ in 0..20_000 {
        let lines: Vec<String> =
            (0..1 + below(6)).map(|_| (0..below(5)).map(|_| pieces[below(pieces.len())].as_str()).collect()).collect();
        let expected = lines.iter().any(|line| has_secret(line));
        *(if expected { &mut with } else { &mut without }) += 1;
        assert_eq!(has_line_with_secret(&lines.join("\n")), expected, "{lines:?}");
    }
    assert!(with > 2_000 && without > 2_000, "{with} and {without}");
}
