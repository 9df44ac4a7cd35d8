//! Cuts an object to a size: the largest parts give way, and each is named by the path that shows it.

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
    cut.value(object, bytes, "");
    let more = cut.said.len().saturating_sub(NAMED_MAX);
    cut.said.truncate(NAMED_MAX);
    if more > 0 {
        cut.said.push(format!("and {more} more"));
    }
    cut.said
}

fn size(value: &Value) -> usize {
    serde_json::to_string(value).map_or(0, |json| json.len())
}

struct Cut {
    said: Vec<String>,
}

impl Cut {
    fn say(&mut self, path: &str, missing: std::fmt::Arguments<'_>) {
        let path = if path.is_empty() { "the object" } else { path };
        self.said.push(format!("{} ({missing})", shortened(path.to_owned(), PATH_MAX)));
    }

    fn value(&mut self, value: &mut Value, room: usize, path: &str) {
        let bytes = size(value);
        if bytes <= room {
            return;
        }
        match value {
            Value::String(text) => {
                // A character can take six bytes in JSON.
                let mut keep = room.saturating_sub(AROUND + '…'.len_utf8());
                loop {
                    text.truncate(text.floor_char_boundary(keep));
                    if keep == 0 || size(&Value::from(text.as_str())) + '…'.len_utf8() <= room {
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
                let fitting = entries.iter().map(|entry| size(entry) + 1).take_while(|&size| take(&mut left, size)).count();
                // The first that does not fit is cut, if there is room for some of it; a list of one large entry is none of nothing.
                let shown = fitting + usize::from(left > LEAST * 4);
                entries.truncate(shown);
                if shown < there {
                    self.say(path, format_args!("{shown} of {there} entries, {bytes} bytes in all"));
                }
                if let Some(entry) = entries.get_mut(fitting) {
                    self.value(entry, left, path);
                }
            }
            Value::Object(members) => {
                let mut sizes: Vec<(String, usize)> =
                    members.iter().map(|(key, member)| (key.clone(), key.len() + AROUND + size(member))).collect();
                let mut left = room.saturating_sub(AROUND);
                if left / sizes.len().max(1) < LEAST {
                    // Too many for a part each: the first that fit.
                    let there = sizes.len();
                    let fitting = sizes.iter().take_while(|(_, size)| take(&mut left, *size)).count();
                    let mut at = 0;
                    members.retain(|_, _| {
                        at += 1;
                        at <= fitting
                    });
                    self.say(path, format_args!("{fitting} of {there} keys, {bytes} bytes in all"));
                    return;
                }
                // The small ones first: what they leave is for the large ones.
                sizes.sort_by_key(|(_, size)| *size);
                let count = sizes.len();
                for (at, (key, size)) in sizes.into_iter().enumerate() {
                    let part = left / (count - at);
                    left -= part.min(size);
                    if size <= part {
                        continue;
                    }
                    let inner = below(path, &key);
                    match members.get_mut(&key) {
                        Some(member) if key.len() + LEAST <= part => self.value(member, part - key.len() - AROUND, &inner),
                        _ => {
                            members.shift_remove(&key);
                            self.say(&inner, format_args!("{size} bytes"));
                        }
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Takes so much of what is left, if there is as much.
fn take(left: &mut usize, bytes: usize) -> bool {
    left.checked_sub(bytes).map(|less| *left = less).is_some()
}
