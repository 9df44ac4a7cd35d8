//! What makes two lines the same: all of them but numbers and ids.

/// Bytes of a UUID, and where its dashes are.
const UUID: usize = 36;
const DASHES: [usize; 4] = [8, 13, 18, 23];

/// Letters and digits of a word in hexadecimal that is no word of a language: with a digit in it, and without.
const HEX: usize = 6;
const HEX_WITHOUT_DIGITS: usize = 16;

/// The text with `#` in place of each UUID, each word in hexadecimal, and each number.
pub(crate) fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    mask(text, &mut masked);
    masked
}

/// The same in a text that is there already.
pub(crate) fn mask(text: &str, masked: &mut String) {
    let bytes = text.as_bytes();
    masked.clear();
    let mut at = 0;
    while at < bytes.len() {
        let is_word = bytes[at].is_ascii_alphanumeric();
        let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric() == is_word).count();
        if !is_word {
            masked.push_str(&text[at..at + length]);
            at += length;
        } else if is_uuid(&bytes[at..]) {
            masked.push('#');
            at += UUID;
        } else {
            push_word(masked, &text[at..at + length]);
            at += length;
        }
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    let Some(uuid) = bytes.get(..UUID) else { return false };
    let fits = |(at, byte): (usize, &u8)| if DASHES.contains(&at) { *byte == b'-' } else { byte.is_ascii_hexdigit() };
    uuid.iter().enumerate().all(fits) && !bytes.get(UUID).is_some_and(u8::is_ascii_alphanumeric)
}

fn push_word(masked: &mut String, word: &str) {
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    // Most words.
    if !has_digit && word.len() < HEX_WITHOUT_DIGITS {
        masked.push_str(word);
        return;
    }
    let is_hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_address = word.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_address || (is_hex && word.len() >= if has_digit { HEX } else { HEX_WITHOUT_DIGITS }) {
        masked.push('#');
        return;
    }
    let mut in_number = false;
    for character in word.chars() {
        let is_digit = character.is_ascii_digit();
        if !is_digit {
            masked.push(character);
        } else if !in_number {
            masked.push('#');
        }
        in_number = is_digit;
    }
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn numbers_and_ids_are_masked_and_words_are_not() {
        for (text, is) in [
            ("took 15ms, 3 of 10", "took #ms, # of #"),
            ("id 6f1c2f3e-aaaa-bbbb-cccc-abcdefabcdef.", "id #."),
            ("6f1c2f3e-aaaa-bbbb-cccc-abcdefabcdef0", "#-aaaa-bbbb-cccc-#"),
            ("at 0xdeadbeef 0x", "at # #"),
            ("commit a1b2c3d, deadbeefdeadbeef", "commit #, #"),
            ("added a facade, decade", "added a facade, decade"),
            ("é1é 12é", "é#é #é"),
            ("", ""),
        ] {
            let mut masked = "what was there".to_owned();
            mask(text, &mut masked);
            assert_eq!(masked, is, "{text}");
        }
    }
}
