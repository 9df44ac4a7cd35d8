//! Texts and encodings.

use super::Outcome::{Connects, Refused};
use super::{Row, SERVER, TOKEN, config};

pub(super) fn rows() -> Vec<Row> {
    let good = config(SERVER, TOKEN);
    let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect::<Vec<u8>>()
    };
    let json = r#"{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"clusters":[{"name":"c","cluster":{"server":"https://<SIGNED>","certificate-authority-data":"<CA>"}}],"users":[{"name":"u","user":{"token":"good-token"}}]}"#;
    let text = |text: String| text.into_bytes();
    vec![
        ("a plain one", text(good.clone()), Connects),
        ("JSON", text(json.to_owned()), Connects),
        ("JSON with tabs and line breaks", text(json.replace(',', ",\n\t")), Connects),
        ("Windows line ends", text(good.replace('\n', "\r\n")), Connects),
        ("a byte order mark", text(format!("\u{feff}{good}")), Connects),
        ("UTF-16 little endian", utf16(&good, u16::to_le_bytes), Connects),
        ("UTF-16 big endian", utf16(&good, u16::to_be_bytes), Connects),
        ("a second document", text(format!("{good}---\ncurrent-context: other\n")), Connects),
        ("a second document that is broken", text(format!("{good}---\n[\n")), Connects),
        ("comments and an end mark", text(format!("# comment\n---\n{good}...\n")), Connects),
        ("a key twice", text(good.replace("current-context: c", "current-context: x\ncurrent-context: c")), Connects),
        (
            "an alias",
            text(good.replace("- name: c\n  context", "- name: &name c\n  context").replace("cluster: c\n", "cluster: *name\n")),
            Connects,
        ),
        ("no apiVersion and no kind", text(good.replace("apiVersion: v1\nkind: Config\n", "")), Connects),
        ("another kind", text(good.replace("kind: Config", "kind: Pod")), Refused("kind")),
        ("another version", text(good.replace("apiVersion: v1", "apiVersion: v2")), Refused("apiVersion")),
        (
            "unknown fields",
            text(good.replace("kind: Config", "kind: Config\ncolour: red\npreferences: {colors: true}\nextensions: []")),
            Connects,
        ),
        ("a broken text", text(good.replace("token: good-token", "token: SECRET-token\n    x: [")), Refused("line ")),
    ]
}
