//! As much of DER as it takes to look into a timestamp, and to leave an extension out of a certificate.

/// One value: its tag, what is in it, and all of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'d> {
    pub(super) tag: u8,
    pub(super) content: &'d [u8],
    pub(super) whole: &'d [u8],
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const TIME: u8 = 0x18;

/// The first of some values, and the rest. None where there is none, or one of another form.
pub(super) fn first(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (&tag, after) = bytes.split_first()?;
    let (&short, after) = after.split_first()?;
    let (length, head) = match short {
        0..=0x7f => (usize::from(short), 2),
        0x81..=0x84 => {
            let octets = usize::from(short - 0x80);
            let length = after.get(..octets)?.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
            (length, 2 + octets)
        }
        _ => return None,
    };
    let whole = bytes.get(..head.checked_add(length)?)?;
    Some((Value { tag, content: &whole[head..], whole }, &bytes[whole.len()..]))
}

/// The values in some bytes, all of which they take.
pub(super) fn all(mut bytes: &[u8]) -> Option<Vec<Value<'_>>> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let (value, rest) = first(bytes)?;
        values.push(value);
        bytes = rest;
    }
    Some(values)
}

/// The one value with a tag that some bytes are.
pub(super) fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    first(bytes).filter(|(value, rest)| value.tag == tag && rest.is_empty()).map(|(value, _)| value.content)
}

/// A value with this in it.
pub(super) fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let octets = &length[length.iter().take_while(|octet| **octet == 0).count()..];
    let mut whole = vec![tag];
    match content.len() {
        0..=0x7f => whole.push(length[length.len() - 1]),
        _ => {
            whole.push(0x80 + u8::try_from(octets.len()).unwrap_or_default());
            whole.extend_from_slice(octets);
        }
    }
    whole.extend_from_slice(content);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wrapped_is_found_again() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let whole = wrapped(OCTETS, &content);
            assert_eq!(only(&whole, OCTETS), Some(&content[..]));
            assert!(only(&whole, SEQUENCE).is_none() && only(&[&whole[..], &[0]].concat(), OCTETS).is_none());
            assert!(first(&whole[..whole.len() - 1]).is_none(), "{length}");
        }
        for broken in [&[][..], &[0x30], &[0x30, 0x80], &[0x30, 0x85, 1, 1, 1, 1, 1], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert!(first(broken).is_none(), "{broken:?}");
        }
        assert_eq!(all(&[0x02, 1, 5, 0x04, 0]).map(|values| values.len()), Some(2));
        assert!(all(&[0x02, 1, 5, 0x04]).is_none());
    }
}
