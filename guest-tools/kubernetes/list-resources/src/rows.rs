//! A page as a table of text: the server's columns, chosen fields, or names and ages.

use std::collections::BTreeMap;

use sandbar_tool::columns::{Columns, cell};
use sandbar_tool::kubernetes::{Time, lenient};
use sandbar_tool::path::Path;
use sandbar_tool::read::Table;
use sandbar_tool::{Metadata, Page};
use serde::Deserialize;
use serde_json::Value;

/// Bytes of a cell. Columns are made for a screen; messages of events are longer, and begin with what matters.
const CELL_MAX: usize = 120;

/// Bytes of a cell that was asked for.
const FIELD_MAX: usize = 300;

/// Bytes of a name: Kubernetes has no longer one. It is never cut, since it is what to ask with.
const NAME_MAX: usize = 253;

/// Names of columns are few words.
const COLUMN_MAX: usize = 40;

/// A page whose rows are text.
pub(crate) struct Listing {
    pub(crate) page: Counted,
    pub(crate) table: String,
}

/// A page less its rows.
pub(crate) struct Counted {
    pub(crate) items: usize,
    pub(crate) continue_: Option<String>,
    pub(crate) remaining: Option<u32>,
    pub(crate) warnings: Vec<String>,
    pub(crate) hint: Option<String>,
    /// That of all rows, where they have one and it is the same.
    pub(crate) namespace: Option<String>,
}

/// What an object is, as far as its API shows no columns.
#[derive(Deserialize)]
pub(crate) struct Aged {
    metadata: OfAged,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfAged {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default, deserialize_with = "lenient::or_default")]
    creation_timestamp: Option<Time>,
}

/// What of each object is in a row, and how its columns are called.
struct Rows {
    columns: Vec<String>,
    rows: Vec<(Metadata, Vec<String>)>,
}

/// The columns that kubectl shows by default.
pub(crate) fn of_table(Table { columns, page }: Table) -> Listing {
    // The name is that of the metadata: what a server shows for it may be anything.
    let is_name = |name: &str| name.eq_ignore_ascii_case("name");
    let shown: Vec<String> = columns
        .into_iter()
        .filter(|column| !column.wide && !column.name.eq_ignore_ascii_case("namespace"))
        .map(|column| column.name)
        .collect();
    let (page, items) = apart(page);
    let row = |metadata: &Metadata, cells: &BTreeMap<String, Value>| {
        let of = |column: &String| match cells.get(column) {
            _ if is_name(column) => cell(&metadata.name, NAME_MAX),
            Some(Value::String(time)) if column == "Age" => cell(&age(time), CELL_MAX),
            Some(value) => shortly(&[value], CELL_MAX),
            None => String::new(),
        };
        shown.iter().map(of).collect()
    };
    let rows = items.into_iter().map(|item| (row(&item.metadata, &item.cells), item.metadata));
    let rows = rows.map(|(cells, metadata)| (metadata, cells)).collect();
    let columns = shown.iter().map(|column| cell(column, COLUMN_MAX)).collect();
    listing(page, Rows { columns, rows })
}

/// An age, also where a custom resource has the time itself.
fn age(text: &str) -> String {
    Time::parse(text).map_or_else(|| text.to_owned(), Time::age)
}

/// A column for each path.
pub(crate) fn of_fields(page: Page<Value>, paths: &[Path]) -> Listing {
    let (page, items) = apart(page);
    let row = |object: Value| {
        let metadata = Metadata::deserialize(&object["metadata"]).unwrap_or_default();
        let cells = paths.iter().map(|path| shortly(&path.values(&object), FIELD_MAX));
        let cells = std::iter::once(cell(&metadata.name, NAME_MAX)).chain(cells).collect();
        (metadata, cells)
    };
    let rows = items.into_iter().map(row).collect();
    let columns = std::iter::once("Name".to_owned()).chain(paths.iter().map(ToString::to_string)).collect();
    listing(page, Rows { columns, rows })
}

/// Names and ages.
pub(crate) fn of_metadata(page: Page<Aged>) -> Listing {
    let (page, items) = apart(page);
    let row = |Aged { metadata }: Aged| {
        let age = metadata.creation_timestamp.map(Time::age).unwrap_or_default();
        let cells = vec![cell(&metadata.name, NAME_MAX), age];
        (Metadata { name: metadata.name, namespace: metadata.namespace }, cells)
    };
    let rows = items.into_iter().map(row).collect();
    listing(page, Rows { columns: ["Name", "Age"].map(str::to_owned).into(), rows })
}

fn apart<T>(page: Page<T>) -> (Counted, Vec<T>) {
    let Page { items, continue_, remaining, warnings, hint } = page;
    (Counted { items: items.len(), continue_, remaining, warnings, hint, namespace: None }, items)
}

/// Values as one cell, with commas between.
fn shortly(values: &[&Value], bytes: usize) -> String {
    let mut text = String::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        match value {
            Value::String(value) => text.push_str(value),
            Value::Null => {}
            value => text.push_str(&value.to_string()),
        }
        if text.len() > bytes {
            break;
        }
    }
    cell(&text, bytes)
}

/// The rows as text. Their namespaces are a column only where they differ.
fn listing(mut page: Counted, Rows { columns, rows }: Rows) -> Listing {
    let first = rows.first().map(|(metadata, _)| metadata.namespace.clone()).unwrap_or_default();
    let differ = rows.iter().any(|(metadata, _)| metadata.namespace != first);
    page.namespace = (!differ && !first.is_empty()).then_some(first);
    let namespace = differ.then(|| "Namespace".to_owned());
    let mut table = Columns::new(namespace.into_iter().chain(columns));
    for (metadata, cells) in rows {
        let namespace = differ.then(|| cell(&metadata.namespace, NAME_MAX));
        table.row(namespace.into_iter().chain(cells).collect());
    }
    Listing { page, table: table.to_string() }
}
