//! Sizes in messages.

use std::fmt::Display;

/// A number of bytes as limits are written: `8 MiB`, `64 KiB`, `1500 bytes`.
pub fn size(bytes: u64) -> impl Display {
    let (unit, name) = match bytes {
        _ if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => (1 << 20, "MiB"),
        _ if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => (1 << 10, "KiB"),
        1 => (1, "byte"),
        _ => (1, "bytes"),
    };
    format!("{} {name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_as_it_is() {
        for (bytes, words) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (1025, "1025 bytes"),
            (64 << 10, "64 KiB"),
            (8 << 20, "8 MiB"),
            ((1 << 20) + 1024, "1025 KiB"),
            (u64::MAX, "18446744073709551615 bytes"),
        ] {
            assert_eq!(size(bytes).to_string(), words);
        }
    }
}
