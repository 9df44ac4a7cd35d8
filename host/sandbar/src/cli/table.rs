//! A structured answer as a table, for people.

use std::fmt::Write as _;

use sandbar_text::clean_line;
use serde_json::{Map, Value};

/// Bytes of a cell. What is longer is cut: `-o json` has all of it.
const CELL_BYTES: usize = 60;

/// Columns, and cells, of a table. An answer that has more is no table for people.
const COLUMNS: usize = 24;
const CELLS: usize = 100_000;

/// What is between two columns.
const GAP: &str = "  ";

/// A list of objects as a table with a column for each of their keys, below what stands beside the list. None where there is no such list.
pub(super) fn table(value: &Value) -> Option<String> {
    let Value::Object(around) = value else { return rows(value).and_then(|rows| aligned(&rows)) };
    let (key, list) = around.iter().find_map(|(key, value)| Some((key, rows(value)?)))?;
    let mut text = String::new();
    // The mark of what others wrote is for models.
    for (other, value) in around.iter().filter(|(other, _)| *other != key && !other.starts_with('_')) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{other}: {}", cell(Some(value)));
    }
    Some(text + &aligned(&list)?)
}

/// The objects of a list that has some, and nothing else.
fn rows(value: &Value) -> Option<Vec<&Map<String, Value>>> {
    let list = value.as_array().filter(|list| !list.is_empty())?;
    list.iter().map(Value::as_object).collect()
}

fn aligned(rows: &[&Map<String, Value>]) -> Option<String> {
    let mut keys: Vec<&String> = Vec::new();
    for key in rows.iter().flat_map(|row| row.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
        if keys.len() > COLUMNS {
            return None;
        }
    }
    if keys.len() * rows.len() > CELLS {
        return None;
    }
    let heads = keys.iter().map(|key| clean_line(key, CELL_BYTES).to_uppercase()).collect();
    let lines = rows.iter().map(|row| keys.iter().map(|key| cell(row.get(*key))).collect());
    let lines: Vec<Vec<String>> = std::iter::once(heads).chain(lines).collect();
    let widths: Vec<usize> =
        (0..keys.len()).map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or_default()).collect();
    let line = |cells: &Vec<String>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join(GAP).trim_end().to_owned() + "\n"
    };
    Some(lines.iter().map(line).collect())
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => clean_line(text, CELL_BYTES),
        Some(other) => clean_line(other.to_string(), CELL_BYTES),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_of_objects_is_a_table_below_what_stands_beside_it() {
        let value = json!({ "items": [{ "name": "web", "restarts": 3 }, { "name": "a\nb", "ready": true }], "next": "c1", "_untrusted": "x" });
        assert_eq!(table(&value).as_deref(), Some("next: c1\nNAME  RESTARTS  READY\nweb   3         -\na b   -         true\n"));
        assert_eq!(table(&json!([{ "a": { "b": [1] } }])).as_deref(), Some("A\n{\"b\":[1]}\n"));
        let wide = (0..=COLUMNS).map(|column| (column.to_string(), json!(1))).collect::<Map<_, _>>();
        for value in [json!([wide]), json!({ "items": [] }), json!({ "items": [1] }), json!("text"), json!([])] {
            assert_eq!(table(&value), None, "{value}");
        }
    }
}
