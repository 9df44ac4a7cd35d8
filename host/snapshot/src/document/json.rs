//! The documents of a JSON file.

use serde::de::DeserializeSeed as _;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::parsing::{Parsing, within};
use super::whole::Whole;
use super::{Document, line_of};
use crate::room::Room;

pub(super) fn each_json(text: &str, room: &mut Room, mut take: impl FnMut(Document, &mut Room)) -> Result<(), String> {
    // Split into documents first: asked after each whether more follow, the parser would count lines from the beginning.
    for document in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let document = document.map_err(|error| not_json(error.line(), &error, None))?.get();
        let read = |parsing: &mut Parsing| Whole(parsing).deserialize(&mut serde_json::Deserializer::from_str(document));
        let read = within(room, read).map_err(|(error, why)| {
            let before = document.as_ptr().addr() - text.as_ptr().addr();
            not_json(line_of(text.as_bytes(), before) + error.line() - 1, &error, why)
        });
        take(read?, room);
    }
    Ok(())
}

/// Why a document cannot be read. The parser's message may quote it.
fn not_json(line: usize, error: &serde_json::Error, why: Option<String>) -> String {
    let why = why.unwrap_or_else(|| match error.classify() {
        Category::Eof => "it ends before it is complete".to_owned(),
        Category::Syntax | Category::Data | Category::Io => format!("column {} is the first that cannot be read", error.column()),
    });
    format!("line {line}: not JSON: {why}")
}
