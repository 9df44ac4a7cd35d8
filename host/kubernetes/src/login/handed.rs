//! Masks what the kubeconfig gives a credential plugin in the plugin's messages.
//!
//! A plugin quotes these values in any form: in a URL, in JSON, in a header. So a message is decoded in each of these ways, and
//! searched for every part of a value that is useful by itself.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::target::{Plugin, Secret};

/// Bytes of the shortest part that is searched: shorter ones are words.
const TELLING: usize = 6;

/// Bytes of all parts, in all their encodings. A service account's key file in a variable takes 50 KiB. Beyond this bound, none
/// of the plugin's messages is shown.
const PATTERNS_MAX: usize = 512 * 1024;

/// Layers of encoding that are undone: a URL in JSON.
const ENCODED_MAX: usize = 2;

/// How much longer a byte usually becomes when it is encoded: `\u003d`.
const ENCODED_LONGER: usize = 6;

const MASKED: &str = "[masked: from the kubeconfig]";

/// The values that a plugin is given.
pub(super) struct Handed {
    /// None if they are too many to search.
    parts: Option<AhoCorasick>,
    /// Bytes of the longest part.
    longest: usize,
}

impl Handed {
    pub(super) fn to(plugin: &Plugin) -> Self {
        let values = plugin.arguments.iter().chain(plugin.environment.iter().map(|(_, value)| value));
        let mut parts = BTreeSet::new();
        values.for_each(|value| parts_of(Secret::expose(value), &mut parts));
        let parts: BTreeSet<Vec<u8>> = parts.into_iter().flat_map(|part| encodings(part.as_bytes())).collect();
        let longest = parts.iter().map(Vec::len).max().unwrap_or(0);
        let bytes: usize = parts.iter().map(Vec::len).sum();
        // Hexadecimal has both cases. A DFA, the default for few patterns, would take a KiB for each byte of them.
        let search =
            |parts| AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::ContiguousNFA)).build(parts);
        let parts = Some(parts).filter(|_| bytes <= PATTERNS_MAX).and_then(|parts| search(parts).ok());
        Self { parts, longest }
    }

    /// A text with the values masked. `is_all`: nothing was cut off its end, where a part of a value could begin.
    pub(super) fn masked_in(&self, text: &str, is_all: bool) -> String {
        let Some(parts) = &self.parts else { return "[masked: the kubeconfig hands it too much to look for]".to_owned() };
        let mut found: Vec<_> = readings(text).iter().flat_map(|reading| reading.find(parts)).collect();
        found.sort_unstable_by_key(|found| found.start);
        let unclear = if is_all { 0 } else { self.longest * ENCODED_LONGER };
        let end = text.floor_char_boundary(text.len().saturating_sub(unclear));
        let (mut masked, mut at) = (String::new(), 0);
        for found in found.into_iter().take_while(|found| found.start < end) {
            // An overlapping part is already masked.
            if found.start >= at {
                masked.push_str(&text[at..found.start]);
                masked.push_str(MASKED);
            }
            at = at.max(found.end);
        }
        if at < end {
            masked.push_str(&text[at..end]);
        }
        masked
    }
}

/// The parts of a value: all of it, each of its lines, the strings in its JSON, the `x` of `--client-secret=x` and of `a=1&b=x`,
/// and the credentials of a URL: `user:x` and `x`.
fn parts_of(value: &str, parts: &mut BTreeSet<String>) {
    let mut add = |part: &str| {
        let part = part.trim();
        if part.len() >= TELLING {
            parts.insert(part.to_owned());
        }
    };
    add(value);
    for line in value.split(['\n', '\r']) {
        add(line);
        line.split_once('=').into_iter().chain(line.split_once(": ")).for_each(|(_, part)| add(part));
        for setting in line.split(['&', ';', ',', ' ']) {
            setting.split_once('=').into_iter().for_each(|(_, part)| add(part));
            let user_info = setting.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
            user_info.into_iter().for_each(|(user_info, _)| {
                add(user_info);
                user_info.split_once(':').into_iter().for_each(|(_, password)| add(password));
            });
        }
    }
    let json = value.find('{').and_then(|at| serde_json::from_str::<Value>(&value[at..]).ok());
    let mut inside: Vec<Value> = json.into_iter().collect();
    while let Some(value) = inside.pop() {
        match value {
            Value::String(text) => parts_of(&text, parts),
            Value::Array(values) => inside.extend(values),
            Value::Object(values) => inside.extend(values.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}

/// A part, its hexadecimal form, and its Base64 form at each alignment.
fn encodings(part: &[u8]) -> Vec<Vec<u8>> {
    let hexadecimal: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut encodings = vec![part.to_vec(), hexadecimal.into_bytes()];
    for before in 0..3 {
        let text = [&vec![0; before], part].concat();
        // The letters that hold bits of this part alone.
        let letters = (before * 8).div_ceil(6)..text.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            encodings.push(engine.encode(&text).as_bytes()[letters.clone()].to_vec());
        }
    }
    encodings
}

/// A decoded text.
struct Reading<'t> {
    bytes: Cow<'t, [u8]>,
    /// The range of each byte in the original text; none if it is the original.
    places: Option<Vec<Range<usize>>>,
}

impl Reading<'_> {
    /// The ranges in the original text where a part was found.
    fn find(&self, parts: &AhoCorasick) -> Vec<Range<usize>> {
        let found = parts.find_overlapping_iter(&*self.bytes);
        found.map(|found| self.place(found.start()).start..self.place(found.end() - 1).end).collect()
    }

    /// Decodes it in one more way; none if nothing in it is encoded so.
    fn decoded(&self, decode: Decode) -> Option<Reading<'static>> {
        let (mut bytes, mut places, mut is_changed) = (Vec::new(), Vec::new(), false);
        let mut at = 0;
        while at < self.bytes.len() {
            let taken = match decode(&self.bytes[at..], &mut bytes) {
                0 => {
                    bytes.push(self.bytes[at]);
                    1
                }
                taken => {
                    is_changed = true;
                    taken
                }
            };
            let place = self.place(at).start..self.place(at + taken - 1).end;
            places.resize(bytes.len(), place);
            at += taken;
        }
        is_changed.then_some(Reading { bytes: bytes.into(), places: Some(places) })
    }

    fn place(&self, at: usize) -> Range<usize> {
        self.places.as_ref().map_or(at..at + 1, |places| places[at].clone())
    }
}

/// A text, decoded in every way.
fn readings(text: &str) -> Vec<Reading<'_>> {
    let mut readings = vec![Reading { bytes: text.as_bytes().into(), places: None }];
    let mut known = 0;
    for _ in 0..ENCODED_MAX {
        let decode = |reading: &Reading<'_>| DECODERS.map(|decode| reading.decoded(decode));
        let further: Vec<_> = readings[known..].iter().flat_map(decode).flatten().collect();
        known = readings.len();
        readings.extend(further);
    }
    readings
}

/// Appends what the first bytes encode. Returns how many bytes it has decoded; 0 for a byte that is not encoded.
type Decode = fn(&[u8], &mut Vec<u8>) -> usize;

const DECODERS: [Decode; 3] = [percent, plus, backslash];

/// `%2F`.
fn percent(text: &[u8], bytes: &mut Vec<u8>) -> usize {
    let byte = text.strip_prefix(b"%").and_then(|digits| hexadecimal(digits, 2));
    bytes.extend(byte.and_then(|byte| u8::try_from(byte).ok()));
    byte.map_or(0, |_| 3)
}

/// A space in a query string.
fn plus(text: &[u8], bytes: &mut Vec<u8>) -> usize {
    let is_plus = text.starts_with(b"+");
    bytes.extend(is_plus.then_some(b' '));
    usize::from(is_plus)
}

/// Escapes of JSON, and of quoted strings in Go and Python.
fn backslash(text: &[u8], bytes: &mut Vec<u8>) -> usize {
    let Some((letter, rest)) = text.strip_prefix(b"\\").and_then(<[u8]>::split_first) else { return 0 };
    let (code, taken) = match letter {
        b'n' => (Some(u32::from(b'\n')), 2),
        b'r' => (Some(u32::from(b'\r')), 2),
        b't' => (Some(u32::from(b'\t')), 2),
        b'"' | b'\\' | b'/' | b'\'' => (Some(u32::from(*letter)), 2),
        b'x' => (hexadecimal(rest, 2), 4),
        b'u' => match (hexadecimal(rest, 4), rest.get(4..).and_then(|rest| rest.strip_prefix(b"\\u"))) {
            // Beyond the Basic Multilingual Plane JSON writes a surrogate pair.
            (Some(high @ 0xd800..0xdc00), Some(second)) => {
                let low = hexadecimal(second, 4).and_then(|low| low.checked_sub(0xdc00));
                (low.map(|low| 0x10000 + ((high - 0xd800) << 10) + low), 12)
            }
            (code, _) => (code, 6),
        },
        b'U' => (hexadecimal(rest, 8), 10),
        _ => (None, 0),
    };
    let Some(letter) = code.and_then(char::from_u32) else { return 0 };
    bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    taken
}

/// The value of the first `digits` hexadecimal digits.
fn hexadecimal(text: &[u8], digits: usize) -> Option<u32> {
    let mut digits = text.get(..digits)?.iter().map(|&digit| char::from(digit).to_digit(16));
    digits.try_fold(0, |number: u32, digit| Some(number << 4 | digit?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Interactive;

    fn handed(values: &[&str]) -> Handed {
        Handed::to(&Plugin {
            command: "login".to_owned(),
            arguments: values.iter().map(|value| Secret::new(*value)).collect(),
            environment: Vec::new(),
            api_version: String::new(),
            install_hint: None,
            interactive: Interactive::Never,
            wants_cluster: false,
        })
    }

    fn percent_encoded(text: &str, keep: &str) -> String {
        let encode = |byte: u8| match keep.as_bytes().contains(&byte) || byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        text.bytes().map(encode).collect()
    }

    #[test]
    fn of_a_value_that_holds_several_each_is_hidden() {
        for value in [
            "client_id=a&client_secret=zq8Lw2&scope=b",
            "client_id=a;client_secret=zq8Lw2;scope=b",
            "--set=a=1,secret=zq8Lw2",
            "-Da=1 -Dsecret=zq8Lw2 -v",
            "http://u:zq8Lw2@proxy.example:3128",
            "proxy=http://u:zq8Lw2@proxy.example:3128,direct",
            "https://zq8Lw2@git.example",
        ] {
            let said = handed(&[value]).masked_in("bad secret zq8Lw2", true);
            assert_eq!(said, format!("bad secret {MASKED}"), "{value}");
        }
    }

    #[test]
    fn a_value_is_hidden_in_every_way_in_which_a_plugin_writes_it() {
        let value = "zq8Lw2/Xk7+Rm4=Vt9&\"q 5\u{e9}\u{1f511}'";
        let json = serde_json::to_string(value).expect("JSON");
        let json = json.trim_matches('"');
        let ascii: String = value
            .encode_utf16()
            .map(|unit| if unit < 0x80 { char::from(unit as u8).to_string() } else { format!("\\u{unit:04x}") })
            .collect();
        let all: String = value.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        let url = percent_encoded(value, "-_.~");
        for written in [
            value.to_owned(),
            json.to_owned(),
            json.replace('/', "\\/"),
            ascii.replace('"', "\\\""),
            all,
            serde_json::to_string(json).expect("JSON").trim_matches('"').to_owned(),
            url.clone(),
            url.to_lowercase(),
            url.replace("%20", "+"),
            percent_encoded(value, "/+=&'"),
            percent_encoded(value, "").replace('%', "%25"),
            percent_encoded(json, ""),
            value.bytes().map(|byte| format!("{byte:02X}")).collect(),
            STANDARD_NO_PAD.encode(value),
            URL_SAFE_NO_PAD.encode(value),
            STANDARD_NO_PAD.encode(format!("a:{value}")),
            URL_SAFE_NO_PAD.encode(format!("name:{value}:more")),
            percent_encoded(&STANDARD_NO_PAD.encode(format!("id:{value}")), ""),
        ] {
            let handed = handed(&[&format!("--secret={value}")]);
            let said = handed.masked_in(&format!("before {written} after"), true);
            assert!(said.starts_with("before ") && said.ends_with(" after") && said.contains(MASKED), "{written}: {said}");
            // In Base64, letters that also hold bits of the neighbours stay.
            assert!(said.len() <= "before  after".len() + MASKED.len() + 16, "{written}: {said}");
        }
    }

    #[test]
    fn no_part_of_a_value_stays_because_another_is_hidden() {
        for (values, said, shown) in [
            (&["service-account", "service-account-zq8Lw2"][..], "as service-account-zq8Lw2 no", "as [] no"),
            (&["service-account-zq8Lw2", "service-account"], "as service-account-zq8Lw2 no", "as [] no"),
            (&["abcdefgh", "fghijklm"], "x abcdefghijklm y", "x [] y"),
            (&["abcdefgh", "ijklmnop"], "x abcdefghijklmnop y", "x [][] y"),
            (&["abcdefgh"], "abcdefgh, abcdefgh", "[], []"),
            (&["--secret=abcdefgh"], "secret ABCDEFGH", "secret []"),
            (&["first-line\r\nzq8Lw2Xk7\n  last-line  \n"], "zq8Lw2Xk7, last-line", "[], []"),
            (&["first-line\nzq8Lw2Xk7\nlast-line"], r#""first-line\nzq8Lw2Xk7\nlast-line""#, r#""[]""#),
            (&["a\npassword = zq8Lw2Xk7\nb"], "wrong: zq8Lw2Xk7", "wrong: []"),
            (&[r#"{"private_key": "-----BEGIN\nzq8Lw2Xk7\n", "x": [{"id": "client-7"}]}"#], "client-7 zq8Lw2Xk7", "[] []"),
            (&["short", ""], "short words stay", "short words stay"),
        ] {
            assert_eq!(handed(values).masked_in(said, true).replace(MASKED, "[]"), shown, "{said}");
        }
    }

    #[test]
    fn what_may_go_on_where_the_text_is_cut_is_not_shown() {
        let handed = handed(&["zq8Lw2Xk7Rm4Vt9Bn3Yc6"]);
        for cut in 1..=21 {
            let text = format!("{} {}", "x".repeat(2_000), &"zq8Lw2Xk7Rm4Vt9Bn3Yc6"[..cut]);
            let said = handed.masked_in(&text, false);
            assert!(said.len() > 1_000 && !said.contains('z'), "{cut}: {said}");
        }
    }

    #[test]
    fn too_much_to_look_for_leaves_nothing_to_be_said() {
        let said = handed(&[&"0123456789".repeat(20_000)]).masked_in("012345", true);
        assert!(said.starts_with("[masked") && !said.contains("012345"), "{said}");
    }
}
