//! Names that others have chosen, and by which somebody is told apart: whatever could not be seen in them is written out.

use super::clean::is_hidden;
use super::steps::steps;

/// Escapes a name injectively: control and invisible characters, those that move what is beside them, and `separator` become `\u{...}`. A
/// backslash that already begins such an escape is escaped itself, so the output is unambiguous.
pub fn identifier(name: &str, separator: Option<char>) -> String {
    let mut shown = String::with_capacity(name.len());
    for (at, character) in name.char_indices() {
        steps(1);
        let is_odd = character.is_control() || is_hidden(character) || Some(character) == separator;
        if is_odd || name[at..].starts_with("\\u{") {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_look_different() {
        for name in ["ann", "system:serviceaccount:team-a:agent", "CORP\\ann", "jörg müller", "a,b"] {
            assert_eq!(identifier(name, None), name);
        }
        for (name, shown) in [
            ("ann\u{200b}", "ann\\u{200b}"),
            ("\u{202e}nna", "\\u{202e}nna"),
            ("ann\0", "ann\\u{0}"),
            ("a\u{1b}[31mb\nc\td", "a\\u{1b}[31mb\\u{a}c\\u{9}d"),
            ("ann\\u{200b}", "ann\\u{5c}u{200b}"),
        ] {
            assert_eq!(identifier(name, None), shown);
        }
        assert_eq!(identifier("x,system:masters", Some(',')), "x\\u{2c}system:masters");
    }
}
