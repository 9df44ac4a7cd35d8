//! The characters that tokens are made of, as tables, and where a word begins.

/// A set of bytes.
pub(super) struct Alphabet([bool; 256]);

impl Alphabet {
    /// Letters and digits, and these.
    const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut set = Self::only(others);
        let mut byte = 0;
        while byte < 128 {
            if (byte as u8).is_ascii_alphanumeric() {
                set.0[byte] = true;
            }
            byte += 1;
        }
        set
    }

    /// These.
    const fn only(bytes: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut index = 0;
        while index < bytes.len() {
            set[bytes[index] as usize] = true;
            index += 1;
        }
        Self(set)
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }

    /// How many bytes of the text's beginning belong to it.
    pub(super) fn run(&self, bytes: &[u8]) -> usize {
        bytes.iter().position(|&byte| !self.has(byte)).unwrap_or(bytes.len())
    }

    /// How many bytes of the text's end belong to it.
    pub(super) fn run_back(&self, bytes: &[u8]) -> usize {
        bytes.iter().rev().position(|&byte| !self.has(byte)).unwrap_or(bytes.len())
    }
}

/// Letters and digits.
pub(super) static ALPHANUMERIC: Alphabet = Alphabet::alphanumeric_and(b"");
/// With an underscore.
pub(super) static WORD: Alphabet = Alphabet::alphanumeric_and(b"_");
/// Capital letters and digits.
pub(super) static CAPITAL: Alphabet = Alphabet::only(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
/// Small letters and digits.
pub(super) static SMALL: Alphabet = Alphabet::only(b"abcdefghijklmnopqrstuvwxyz0123456789");
/// Base64 as URLs have it (RFC 4648, section 5), without padding.
pub(super) static BASE64URL: Alphabet = Alphabet::alphanumeric_and(b"-_");
/// The same with dots between its parts.
pub(super) static DOTTED: Alphabet = Alphabet::alphanumeric_and(b"-_.");
/// Base64 (RFC 4648, section 4) with padding.
pub(super) static BASE64: Alphabet = Alphabet::alphanumeric_and(b"+/=");
/// `b64token` of RFC 6750, section 2.1: what follows `Bearer`.
pub(super) static BEARER: Alphabet = Alphabet::alphanumeric_and(b"-._~+/=");
/// What Microsoft Entra makes client secrets of.
pub(super) static ENTRA: Alphabet = Alphabet::alphanumeric_and(b"-._~");
/// Base64 with percent signs, as it stands in a query string.
pub(super) static QUERY: Alphabet = Alphabet::alphanumeric_and(b"-_.~%+/=");
/// Base64 in parts with an underscore between them.
pub(super) static SENTRY: Alphabet = Alphabet::alphanumeric_and(b"+/=_");
/// Names: variables, flags, headers, keys of JSON.
pub(super) static NAME: Alphabet = Alphabet::alphanumeric_and(b"-_.");

/// Whether a word can begin at `at`: nothing before it, or nothing that belongs to a word. The last letter of an escape sequence does
/// not: `\n` and `\u003d` of JSON, `\x22` of nginx, `%3D` of a URL.
pub(super) fn begins_word(bytes: &[u8], at: usize, word: &Alphabet) -> bool {
    let before = &bytes[..at];
    match before.last() {
        None => true,
        Some(&byte) if !word.has(byte) => true,
        Some(b'n' | b'r' | b't') if before.len() >= 2 && before[before.len() - 2] == b'\\' => true,
        Some(_) => {
            let hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
            (before.len() >= 3 && before[before.len() - 3] == b'%' && hex(&before[before.len() - 2..]))
                || (before.len() >= 4 && before[before.len() - 4..].starts_with(b"\\x") && hex(&before[before.len() - 2..]))
                || (before.len() >= 6 && before[before.len() - 6..].starts_with(b"\\u") && hex(&before[before.len() - 4..]))
        }
    }
}
