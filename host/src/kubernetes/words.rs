//! What others say, inside of messages of ours: the one way for the words of the API server, and of parsers that quote it, into an
//! error, an answer or the log.

use crate::policy;

/// Bytes that are looked at for each that may be shown: some of a text is not to be seen, and is taken out.
const LOOKED_AT: usize = 4;

/// Somebody else's words: clean, on one line, without secrets, and no more than so many bytes of them, whatever there is. What is cut
/// off shows as `…`.
pub(super) fn of_others(words: &str, most: usize) -> String {
    let start = &words[..words.floor_char_boundary(most * LOOKED_AT)];
    let mut shown = policy::quotable(start);
    if shown.len() > most || start.len() < words.len() {
        shown.truncate(shown.floor_char_boundary(most));
        shown.push('…');
    }
    shown
}

/// A number of bytes as a limit is written: `8 MiB`, `64 KiB`.
pub(super) fn size(bytes: usize) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_clean_and_short_and_hold_no_secret() {
        for (words, shown) in [
            ("pods is forbidden", "pods is forbidden"),
            ("a\u{1b}[31m\u{202e}b\u{1b}]0;t\u{7}\nc\u{200b}", "ab c"),
            ("no access with password=sesame1 here", "no access with password=[masked: password] here"),
            (
                "0123456789012345678901234567890123456789012345678901234567890123456789",
                "012345678901234567890123456789012345678901234567890123456789…",
            ),
            ("", ""),
        ] {
            assert_eq!(of_others(words, 60), shown);
        }
        let long = "é".repeat(30);
        assert_eq!(of_others(&long, 60), long);
        assert_eq!(of_others(&format!("x{long}"), 60), format!("x{}…", "é".repeat(29)), "no character is cut in two");
        assert_eq!(of_others(&"\u{200b}".repeat(1 << 20), 60), "…", "no more is looked at than may be shown");
        assert!(of_others(&"ghp_".repeat(1 << 20), 60).len() < 100);
    }
}
