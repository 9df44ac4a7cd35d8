//! Cuts an object to a size: the largest parts give way, and each is named by the path that shows it.

use std::collections::BTreeSet;

use sandbar_tool::kubernetes::lenient::shortened;
use sandbar_tool::path::below;
use serde_json::Value;

/// Bytes of the least part that is worth showing.
const LEAST: usize = 64;

/// Bytes around a member or an entry: quotes, a colon and a comma.
const AROUND: usize = 4;

/// Parts that are named.
const NAMED_MAX: usize = 20;

/// Bytes of a path that is named: of some keys, and one with a prefix.
const PATH_MAX: usize = 400;

/// Cuts it to about so many bytes of JSON. Answers with what was cut: a path and what is missing of it.
pub(crate) fn fit(object: &mut Value, bytes: usize) -> Vec<String> {
    let mut cut = Cut { said: Vec::new() };
    let size = Size::of(object);
    cut.value(object, &size, bytes, "");
    let more = cut.said.len().saturating_sub(NAMED_MAX);
    cut.said.truncate(NAMED_MAX);
    if more > 0 {
        cut.said.push(format!("and {more} more"));
    }
    cut.said
}

/// Bytes of a value as JSON and of its parts, in their order. Each is counted once, however deep it is.
struct Size {
    bytes: usize,
    parts: Vec<Size>,
}

impl Size {
    fn of(value: &Value) -> Self {
        let (beside, parts): (usize, Vec<Self>) = match value {
            Value::Array(entries) => (0, entries.iter().map(Self::of).collect()),
            // A colon after each key.
            Value::Object(members) => {
                (members.keys().map(|key| written(key.as_str()) + 1).sum(), members.values().map(Self::of).collect())
            }
            plain => return Self { bytes: written(plain), parts: Vec::new() },
        };
        let commas = parts.len().saturating_sub(1);
        Self { bytes: "[]".len() + commas + beside + parts.iter().map(|part| part.bytes).sum::<usize>(), parts }
    }
}

/// Bytes of something plain as JSON.
fn written<T: serde::Serialize + ?Sized>(plain: &T) -> usize {
    serde_json::to_string(plain).map_or(0, |json| json.len())
}

struct Cut {
    said: Vec<String>,
}

impl Cut {
    fn say(&mut self, path: &str, missing: std::fmt::Arguments<'_>) {
        let path = if path.is_empty() { "the object" } else { path };
        self.said.push(format!("{} ({missing})", shortened(path.to_owned(), PATH_MAX)));
    }

    fn value(&mut self, value: &mut Value, Size { bytes, parts }: &Size, room: usize, path: &str) {
        let bytes = *bytes;
        if bytes <= room {
            return;
        }
        match value {
            Value::String(text) => {
                // A character can take six bytes in JSON.
                let mut keep = room.saturating_sub(AROUND + '…'.len_utf8());
                loop {
                    text.truncate(text.floor_char_boundary(keep));
                    if keep == 0 || written(text.as_str()) + '…'.len_utf8() <= room {
                        break;
                    }
                    keep = keep / 4 * 3;
                }
                text.push('…');
                self.say(path, format_args!("a text of {bytes} bytes"));
            }
            Value::Array(entries) => {
                let there = entries.len();
                let mut left = room.saturating_sub(AROUND);
                let fitting = parts.iter().take_while(|part| take(&mut left, part.bytes + 1)).count();
                // The first that does not fit is cut, if there is room for some of it; a list of one large entry is none of nothing.
                let shown = fitting + usize::from(left > LEAST * 4);
                entries.truncate(shown);
                if shown < there {
                    self.say(path, format_args!("{shown} of {there} entries, {bytes} bytes in all"));
                }
                if let Some((entry, size)) = entries.get_mut(fitting).zip(parts.get(fitting)) {
                    self.value(entry, size, left, path);
                }
            }
            Value::Object(members) => {
                let mut left = room.saturating_sub(AROUND);
                let there = members.len();
                let around = |key: &str| key.len() + AROUND;
                if left / there.max(1) < LEAST {
                    // Too many for a part each: the first that fit.
                    let sizes = members.keys().zip(parts).map(|(key, part)| around(key) + part.bytes);
                    let mut fitting = sizes.take_while(|&size| take(&mut left, size)).count();
                    self.say(path, format_args!("{fitting} of {there} keys, {bytes} bytes in all"));
                    members.retain(|_, _| take(&mut fitting, 1));
                    return;
                }
                // The small ones first: what they leave is for the large ones.
                let mut sized: Vec<_> = members.iter_mut().zip(parts).collect();
                sized.sort_by_key(|((key, _), part)| around(key) + part.bytes);
                let mut gone = BTreeSet::new();
                for (at, ((key, member), of)) in sized.into_iter().enumerate() {
                    let (part, size) = (left / (there - at), around(key) + of.bytes);
                    left -= part.min(size);
                    if size <= part {
                        continue;
                    }
                    let inner = below(path, key);
                    if key.len() + LEAST <= part {
                        self.value(member, of, part - around(key), &inner);
                    } else {
                        gone.insert(key.clone());
                        self.say(&inner, format_args!("{size} bytes"));
                    }
                }
                members.retain(|key, _| !gone.contains(key));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Takes so much of what is left, if there is as much.
fn take(left: &mut usize, bytes: usize) -> bool {
    left.checked_sub(bytes).map(|less| *left = less).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn assert_is_that_of_json(value: &Value) {
        let size = Size::of(value);
        assert_eq!(size.bytes, value.to_string().len(), "{value}");
        let parts: Vec<&Value> = match value {
            Value::Array(entries) => entries.iter().collect(),
            Value::Object(members) => members.values().collect(),
            _ => Vec::new(),
        };
        assert_eq!(parts.len(), size.parts.len());
        for (part, size) in parts.into_iter().zip(size.parts) {
            assert_eq!(size.bytes, part.to_string().len());
            assert_is_that_of_json(part);
        }
    }

    #[test]
    fn a_size_is_that_of_the_json() {
        let value = json!({ "a\"": [1, -2.5, null, true, "é\n\u{1}", []], "": {}, "b": { "c": { "d": ["x"] }, "e": 1e300 } });
        assert_is_that_of_json(&value);
    }
}
