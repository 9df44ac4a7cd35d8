//! PEM as Go parses it: text between blocks is ignored, and so are damaged blocks.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use rustls::pki_types::CertificateDer;

/// As in Go, the unused bits of the last letter may be set.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A PEM block.
pub struct Block {
    /// `CERTIFICATE` for example.
    pub label: String,
    /// Whether it has headers, as encrypted keys have.
    pub has_headers: bool,
    /// What is in it.
    pub content: Vec<u8>,
}

/// The certificates of a text, in their order.
pub(super) fn certificates(text: &[u8]) -> impl Iterator<Item = CertificateDer<'static>> {
    let of_certificates = blocks(text).into_iter().filter(|block| block.label == "CERTIFICATE");
    of_certificates.map(|block| CertificateDer::from(block.content))
}

/// The blocks of a text.
pub fn blocks(text: &[u8]) -> Vec<Block> {
    let text = String::from_utf8_lossy(text);
    let mut blocks = Vec::new();
    let mut open: Option<(String, bool, String)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
            open = Some((label.to_owned(), false, String::new()));
        } else if let Some(label) = line.strip_prefix("-----END ").and_then(|rest| rest.strip_suffix("-----")) {
            if let Some((begun, has_headers, content)) = open.take()
                && begun == label
                && let Ok(content) = BASE64.decode(content)
            {
                blocks.push(Block { label: begun, has_headers, content });
            }
        } else if let Some((_, has_headers, content)) = &mut open {
            if line.contains(':') {
                *has_headers = true;
            } else {
                content.extend(line.chars().filter(|letter| !letter.is_ascii_whitespace()));
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_blocks_count_and_all_else_is_passed_over() {
        let text = "Bag Attributes\n  friendlyName: x\n-----BEGIN A-----\r\nAQ\r\n I=\r\n-----END A-----\r\njunk\n\
            -----BEGIN B-----\n!!!\n-----END B-----\n-----BEGIN C-----\nAQ==\n-----BEGIN D-----\nProc-Type: 4,ENCRYPTED\n\nAQ==\n-----END D-----\n\
            -----BEGIN X-----\nAQJ=\n-----END X-----\n-----BEGIN E-----\nAQ==\n-----END F-----\n-----BEGIN G-----\nAQ==";
        let found: Vec<_> =
            blocks(text.as_bytes()).into_iter().map(|block| (block.label, block.has_headers, block.content)).collect();
        assert_eq!(
            found,
            [("A".to_owned(), false, vec![1, 2]), ("D".to_owned(), true, vec![1]), ("X".to_owned(), false, vec![1, 2])]
        );
        assert!(blocks(b"\xff\x00").is_empty());
    }
}
