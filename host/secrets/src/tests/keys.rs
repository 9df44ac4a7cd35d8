//! Private keys, in a text and from line to line of a log.

use super::*;

#[test]
fn private_keys_are_masked_line_by_line() {
    for label in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        let mask = "[masked: private key]\n";
        assert_eq!(
            shown(&format!("before\n{}after", key(label, 3))),
            format!("before\n-----BEGIN {label}-----\n{}-----END {label}-----\nafter", mask.repeat(4))
        );
    }
    let one_line = key("PRIVATE KEY", 2).replace('\n', "\\n");
    assert_eq!(
        shown(&format!("{{\"private_key\":\"{one_line}\",\"a\":1}}")),
        "{\"private_key\":\"[masked: private key]\",\"a\":1}"
    );
    assert_eq!(
        shown(&format!("key {one_line} and")),
        "key -----BEGIN PRIVATE KEY-----[masked: private key]-----END PRIVATE KEY-----\\n and"
    );
    let prose = "the file has no -----BEGIN PRIVATE KEY----- line\nok\n";
    assert!(!shown(prose).contains(&random(20)));
}

#[test]
fn any_number_of_keys_may_stand_on_a_line() {
    let (begin, end, mask) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "[masked: private key]");
    let body = random(64);
    let whole = |body: &str| format!("{begin}{body}{end}");
    for (text, masked) in [
        (format!("{} and {}", whole(&body), whole(&body)), format!("{} and {}", whole(mask), whole(mask))),
        (whole(&body).repeat(3), whole(mask).repeat(3)),
        (format!("{begin}\n{body}\n{end}{begin}\n{body}\n{end}\n"), format!("{begin}\n{mask}\n{end}{begin}\n{mask}\n{end}\n")),
        (format!("{end} {}", whole(&body)), format!("{end} {}", whole(mask))),
        (format!("x\n{} {body}{end}\n", whole(&body)), format!("x\n{} {mask}{end}\n", whole(mask))),
        (format!("{begin} {body} {body} x9A=\nok"), format!("{begin} {mask} {mask} {mask}\nok")),
        (format!("{begin} {} {} end", &body[..24], &body[24..40]), format!("{begin} {mask} {mask} end")),
        (format!("{begin}{body}{begin}{body}"), format!("{begin}{mask}{begin}{mask}")),
    ] {
        assert_eq!(shown(&text), masked);
    }
}

#[test]
fn a_key_is_found_in_whatever_its_lines_are_wrapped() {
    let body = random(64);
    for wrap in
        ["{\"msg\":\"?\"}", "level=info msg=\"?\"", "[app]?", "[app] ?", "app | ?", "2026-11-20T10:00:00.000000000Z stdout F ? "]
    {
        let lines = ["-----BEGIN PRIVATE KEY-----", &body, &body, "x9A=", "-----END PRIVATE KEY-----"];
        let whole: String = lines.iter().map(|line| wrap.replace('?', line) + "\n").collect();
        for from in 0..3 {
            let cut: String = whole.split_inclusive('\n').skip(from).collect();
            for text in [cut.clone(), format!("one\n{cut}"), cut.replacen('\n', "\nready\n", 1)] {
                let shown = log(&text, 1);
                assert!(!shown.contains(&body[..20]) && !shown.contains(&body[44..]) && !shown.contains("x9A"), "{shown}");
                assert_eq!(shown.lines().count(), text.lines().count(), "{shown}");
            }
        }
    }
}

#[test]
fn words_that_follow_the_mention_of_a_key_stay() {
    let text = "no '-----BEGIN PRIVATE KEY-----' line in the file\nretrying\nfailed\nbye\n";
    assert_eq!(shown(text), text);
    assert_eq!(log(text, 1), text);
}

#[test]
fn a_key_in_a_log_may_be_cut_anywhere() {
    let key = key("RSA PRIVATE KEY", 6);
    let stamped: String = key.lines().map(|line| format!("2026-11-20T10:00:00.000000000Z {line}\n")).collect();
    for whole in [format!("one\n{key}two\n"), stamped] {
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for from in 0..lines.len() {
            for to in from..=lines.len() {
                let cut = lines[from..to].concat();
                for piece in [1, 2, 100] {
                    let shown = log(&cut, piece);
                    assert_eq!(shown.lines().count(), to - from, "{cut}");
                    assert!(!shown.contains("aB3dE5") && !shown.contains("K9mN1p"), "{from}..{to} by {piece}: {shown}");
                }
            }
        }
    }
}

#[test]
fn lines_of_others_do_not_end_a_key() {
    let key = key("PRIVATE KEY", 3).replace('\n', "\nanother program says this\n");
    assert!(!log(&key, 1).contains("K9mN1p"), "{}", log(&key, 1));
    assert_eq!(log(&key, 1).matches("another program says this\n").count(), 6);
}

#[test]
fn lines_that_are_no_key_come_out_as_they_went_in() {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for text in [
        "ok\ndone\nready\n".to_owned(),
        format!("{digest}\n{digest}\n"),
        format!("{}\n{}\n-----END CERTIFICATE-----\nx\n", random(64), random(30)),
        "ok\n-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----".to_owned(),
        "one word".to_owned(),
        "\n\n".to_owned(),
    ] {
        for piece in [1, 2, 100] {
            assert_eq!(log(&text, piece), text);
        }
    }
}

#[test]
fn a_wrapped_file_is_followed_to_its_end() {
    let pem = key("RSA PRIVATE KEY", 12);
    let bundle = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n{pem}", "Zz9+".repeat(16));
    let certificate =
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", format!("{}\n", random(64)).repeat(9));
    let wrap = |text: &str, columns: usize, before: &str| -> (Vec<String>, String) {
        let encoded = STANDARD.encode(text);
        let lines: Vec<String> =
            encoded.as_bytes().chunks(columns).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        (lines.clone(), lines.iter().map(|line| format!("{before}{line}\n")).collect())
    };
    for columns in [60, 64, 72, 76, 100] {
        for before in ["", "      ", "2026-11-20T10:00:00.000000000Z "] {
            for (file, from) in [(&pem, 0), (&bundle, 4)] {
                let (lines, wrapped) = wrap(file, columns, before);
                for text in [
                    format!("{}{wrapped}INFO done\n", "INFO one\n".repeat(20)),
                    format!("users:\n  client-key-data: >-\n{wrapped}port: 1\n"),
                ] {
                    for shown in [shown(&text), log(&text, 1), log(&text, 7)] {
                        let left: Vec<_> = lines[from..].iter().filter(|line| shown.contains(line.as_str())).collect();
                        assert!(left.is_empty(), "{columns}, {before:?}: {left:?} in {shown}");
                        assert_eq!(shown.lines().count(), text.lines().count());
                        assert!(shown.ends_with("done\n") || shown.ends_with("port: 1\n"), "{shown}");
                    }
                }
            }
            let (_, wrapped) = wrap(&certificate, columns, before);
            let text = format!("{}{wrapped}INFO done\n", "INFO one\n".repeat(20));
            assert_eq!(shown(&text), text);
        }
    }
}
