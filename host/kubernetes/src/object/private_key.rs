//! Whether bytes hold a private key anywhere: in DER, in text, or in base64.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::{memchr_iter, memmem};
use sandbar_secrets::has_secret;
use sandbar_text::steps::steps;

/// Base64 that may be cut anywhere.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Letters of the shortest run of base64 that is looked at. A key of 256 bits has 39 bytes at least.
const LETTERS: usize = 40;

/// Bytes of the shortest text that is looked at.
const TEXT: usize = 16;

/// Bytes of the shortest number that is a secret: a key of 256 bits, of which the first may be zero.
const NUMBER: usize = 16;

/// Tags of ASN.1.
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// How the identifiers begin by which a key is encrypted with a password: of PKCS #5 and of PKCS #12.
const BY_PASSWORD: [&[u8]; 2] = [b"\x2a\x86\x48\x86\xf7\x0d\x01\x05", b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"];

/// What an OpenSSH key begins with.
const OPENSSH: &[u8] = b"openssh-key-v1\0";

/// Whether there is a private key in these bytes, from whichever of them on, or a text with a secret.
pub(super) fn is_in(bytes: &[u8]) -> bool {
    is_in_der(bytes) || is_in_base64(bytes) || texts(bytes).any(has_secret)
}

fn is_in_der(bytes: &[u8]) -> bool {
    steps(bytes.len());
    memmem::find(bytes, OPENSSH).is_some() || memchr_iter(SEQUENCE, bytes).any(|at| begins_key(&bytes[at..]).is_some())
}

/// Whether a private key begins here, be it cut: as of PKCS #1 (RFC 8017) and DSA, PKCS #8 (RFC 5958), or SEC 1 (RFC 5915).
fn begins_key(bytes: &[u8]) -> Option<()> {
    let (SEQUENCE, key, _) = element(bytes)? else { return None };
    let (tag, first, rest) = element(key)?;
    let (next, content, behind) = element(rest)?;
    let is = match (tag, next) {
        (SEQUENCE, OCTETS) => {
            let (kind, identifier, _) = element(first)?;
            kind == OBJECT_IDENTIFIER && BY_PASSWORD.iter().any(|by| identifier.starts_with(by))
        }
        (INTEGER, _) if !is_version(first) => false,
        (INTEGER, SEQUENCE) => element(content)?.0 == OBJECT_IDENTIFIER && element(behind)?.0 == OCTETS,
        (INTEGER, OCTETS) => content.len() >= NUMBER,
        (INTEGER, INTEGER) => content.len() >= NUMBER && element(behind)?.0 == INTEGER,
        _ => false,
    };
    is.then_some(())
}

/// Whether an integer is the version of a key: 0 or 1.
fn is_version(integer: &[u8]) -> bool {
    integer.split_last().is_some_and(|(last, zeros)| *last <= 1 && zeros.iter().take(NUMBER).all(|&byte| byte == 0))
}

/// The first element of DER, or of BER: its tag, its content, and what is behind it. Of one that is cut, or says no length, the content is
/// the rest.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    let digits = usize::from(if length < 0x80 { 0 } else { length & 0x7f });
    let (long, rest) = rest.split_at_checked(digits)?;
    let length = match length {
        0x80 => usize::MAX,
        short @ 0..0x80 => usize::from(short),
        _ => long.iter().fold(0, |length: usize, &digit| length.saturating_mul(256).saturating_add(usize::from(digit))),
    };
    let (content, behind) = rest.split_at(length.min(rest.len()));
    Some((tag, content, behind))
}

/// Whether there is a key in what is in base64, with line breaks or without, from whichever letter on.
fn is_in_base64(bytes: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let runs = bytes.split(|byte| !is_letter(byte) && !byte.is_ascii_whitespace());
    runs.filter(|run| run.len() >= LETTERS).any(|run| {
        let letters: Vec<u8> = run.iter().filter(|byte| is_letter(byte)).map(standard).collect();
        (0..4.min(letters.len())).any(|cut| {
            let letters = &letters[cut..];
            steps(letters.len());
            let whole = &letters[..letters.len() - usize::from(letters.len() % 4 == 1)];
            BASE64.decode(whole).is_ok_and(|bytes| is_in_der(&bytes))
        })
    })
}

/// A letter of base64 for URLs as one of the usual kind.
fn standard(letter: &u8) -> u8 {
    match letter {
        b'-' => b'+',
        b'_' => b'/',
        letter => *letter,
    }
}

/// The texts among these bytes.
fn texts(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let texts = bytes.split(|byte| !matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')).filter(|text| text.len() >= TEXT);
    texts.filter_map(|text| std::str::from_utf8(text).ok())
}
