//! The log's description of a crash. Function names come from the guest, in any length, and a mangled one can expand
//! exponentially: so they are demangled here, within bounds, and not by wasmtime.

use sandbar_text::beginning;
use wasmtime::WasmBacktrace;

/// Frames that are named, the innermost first: as many as wasmtime keeps.
const FRAMES: usize = 20;

/// Bytes of one function's name.
const NAME_BYTES: usize = 160;

/// Bytes of the whole description.
pub(super) const DESCRIPTION_BYTES: usize = (8 + FRAMES) * NAME_BYTES;

/// The error, and the functions in which it happened.
pub(super) fn describe(error: &wasmtime::Error) -> String {
    let (mut words, _) = beginning(&error.root_cause(), 8 * NAME_BYTES);
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    for (index, frame) in frames.iter().take(FRAMES).enumerate() {
        words.push_str(if index == 0 { ", in " } else { " < " });
        words.push_str(&frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), function));
    }
    words
}

/// A function's name as its author wrote it.
fn function(name: &str) -> String {
    // The alternate form leaves out the hash.
    beginning(&format_args!("{:#}", rustc_demangle::demangle(name)), NAME_BYTES).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_and_short() {
        assert_eq!(function("_ZN7hostile9misbehave4trap17h0123456789abcdefE"), "hostile::misbehave::trap");
        assert_eq!(function("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
        assert_eq!(function("plain"), "plain");
        assert_eq!(function(&"é".repeat(1 << 20)).len(), NAME_BYTES);
    }

    #[test]
    fn a_name_that_stands_for_a_huge_text_ends_where_there_is_no_more_room() {
        // Each letter behind is a pair of what the one before stands for.
        let mut name = "_RINvC1a1fT".to_owned();
        let mut before = name.len() - 1;
        name.push_str("hhE");
        for _ in 0..60 {
            let here = name.len();
            let digit = |number: usize| {
                const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
                let (high, low) = ((number - 1) / 62, (number - 1) % 62);
                let high = if high > 0 { &DIGITS[high..=high] } else { &[] };
                format!("B{}{}_", String::from_utf8_lossy(high), char::from(DIGITS[low]))
            };
            let back = digit(before - 2);
            name.push_str(&format!("T{back}{back}E"));
            before = here;
        }
        name.push('E');
        assert!(rustc_demangle::try_demangle(&name).is_ok(), "{name}");
        assert!(function(&name).len() <= NAME_BYTES);
    }
}
