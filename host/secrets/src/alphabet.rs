//! Sets of characters: what tokens, names and values are made of, and what ends them.

/// A set of bytes. Each has a slot, in which a [`Scan`](super::scan::Scan) remembers its last run.
pub(super) struct Alphabet {
    has: [bool; 256],
    pub(super) slot: usize,
}

impl Alphabet {
    /// Letters, digits and these bytes.
    const fn alphanumeric_and(slot: usize, others: &[u8]) -> Self {
        let mut set = Self::only(slot, others);
        let mut byte = 0;
        while byte < 128 {
            if (byte as u8).is_ascii_alphanumeric() {
                set.has[byte] = true;
            }
            byte += 1;
        }
        set
    }

    /// These bytes.
    const fn only(slot: usize, bytes: &[u8]) -> Self {
        let mut has = [false; 256];
        let mut index = 0;
        while index < bytes.len() {
            has[bytes[index] as usize] = true;
            index += 1;
        }
        Self { has, slot }
    }

    /// All but these bytes.
    const fn all_but(slot: usize, bytes: &[u8]) -> Self {
        let mut set = Self::only(slot, bytes);
        let mut byte = 0;
        while byte < 256 {
            set.has[byte] = !set.has[byte];
            byte += 1;
        }
        set
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.has[byte as usize]
    }

    /// The number of bytes at the beginning of a text that belong to the set.
    pub(super) fn run(&self, bytes: &[u8]) -> usize {
        bytes.iter().position(|&byte| !self.has(byte)).unwrap_or(bytes.len())
    }

    /// The number of bytes at the end of a text that belong to the set.
    pub(super) fn run_back(&self, bytes: &[u8]) -> usize {
        bytes.iter().rev().position(|&byte| !self.has(byte)).unwrap_or(bytes.len())
    }
}

/// The number of alphabets.
pub(super) const SLOTS: usize = 32;

/// Letters and digits.
pub(super) static ALPHANUMERIC: Alphabet = Alphabet::alphanumeric_and(0, b"");
/// Letters, digits and underscores.
pub(super) static WORD: Alphabet = Alphabet::alphanumeric_and(1, b"_");
/// Capital letters and digits.
pub(super) static CAPITAL: Alphabet = Alphabet::only(2, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
/// Small letters and digits.
pub(super) static SMALL: Alphabet = Alphabet::only(3, b"abcdefghijklmnopqrstuvwxyz0123456789");
/// Base64 for URLs (RFC 4648, section 5), without padding.
pub(super) static BASE64URL: Alphabet = Alphabet::alphanumeric_and(4, b"-_");
/// Base64 for URLs, in parts with dots between them.
pub(super) static DOTTED: Alphabet = Alphabet::alphanumeric_and(5, b"-_.");
/// Base64 (RFC 4648, section 4) with padding.
pub(super) static BASE64: Alphabet = Alphabet::alphanumeric_and(6, b"+/=");
/// `b64token` of RFC 6750, section 2.1: the token after `Bearer`.
pub(super) static BEARER: Alphabet = Alphabet::alphanumeric_and(7, b"-._~+/=");
/// Client secrets of Microsoft Entra.
pub(super) static ENTRA: Alphabet = Alphabet::alphanumeric_and(8, b"-._~");
/// Base64 with percent signs, as in a query string.
pub(super) static QUERY: Alphabet = Alphabet::alphanumeric_and(9, b"-_.~%+/=");
/// Base64 in parts with an underscore between them.
pub(super) static SENTRY: Alphabet = Alphabet::alphanumeric_and(10, b"+/=_");
/// Names: variables, flags, headers, keys of JSON.
pub(super) static NAME: Alphabet = Alphabet::alphanumeric_and(11, b"-_.");
/// Names with slashes, such as those of annotations.
pub(super) static PATH_NAME: Alphabet = Alphabet::alphanumeric_and(12, b"-_./");
/// Hashes of passwords, as crypt(3) writes them.
pub(super) static CRYPT: Alphabet = Alphabet::alphanumeric_and(13, b"$./=,+-");
/// The path and the query of a URL.
pub(super) static URL_PATH: Alphabet = Alphabet::alphanumeric_and(14, b"-._~%+/=@:");
/// Colons between parts of base64.
pub(super) static COLONS: Alphabet = Alphabet::alphanumeric_and(15, b"-_.:");
/// The lines of a key.
pub(super) static KEY_BODY: Alphabet = Alphabet::alphanumeric_and(16, b"+/= \r\n\t");
/// Bytes of a line.
pub(super) static LINE: Alphabet = Alphabet::all_but(17, b"\n");
/// The inside of double quotes, of single quotes and of back quotes, up to a byte that needs a closer look.
pub(super) static IN_DOUBLE: Alphabet = Alphabet::all_but(18, b"\"\\\n");
pub(super) static IN_SINGLE: Alphabet = Alphabet::all_but(19, b"'\\\n");
pub(super) static IN_BACK: Alphabet = Alphabet::all_but(20, b"`\\\n");
/// A value without quotes, up to a byte that may end it.
pub(super) static BARE: Alphabet = Alphabet::all_but(21, b" \t\r\n\"'`<>&,;|)]}\\");
/// The text of an XML element.
pub(super) static ELEMENT: Alphabet = Alphabet::all_but(22, b"<\n");
/// A list in brackets.
pub(super) static LIST: Alphabet = Alphabet::all_but(23, b"]\n");
/// A word on a command line.
pub(super) static ARGUMENT: Alphabet = Alphabet::all_but(24, b" \t\r\n\"'`|;");
/// The verifier of a password, as PostgreSQL keeps it.
pub(super) static SCRAM: Alphabet = Alphabet::alphanumeric_and(25, b"+/=:$-");
/// A list of keys with commas between them.
pub(super) static KEY_LIST: Alphabet = Alphabet::alphanumeric_and(26, b"+/=-_.,:*");
/// Base64 without padding.
pub(super) static BASE64_BODY: Alphabet = Alphabet::alphanumeric_and(27, b"+/");
/// A URL, up to a byte that people put around it.
pub(super) static URL: Alphabet = Alphabet::all_but(28, b"\t\n \"'<>`");
/// The authority of a URL.
pub(super) static AUTHORITY: Alphabet = Alphabet::all_but(29, b"\t\n \"'<>`/?#");
/// Everything but white space.
pub(super) static UNBROKEN: Alphabet = Alphabet::all_but(30, b" \t\r\n");
/// A user and a long password before a network. A parenthesis ends it.
pub(super) static BEFORE_NETWORK: Alphabet = Alphabet::all_but(31, b" \t\r\n\"'`(");
