//! The rows of a table as objects: the metadata of what a row shows, and its cells by the names of their columns. So a row is masked, kept,
//! filtered and counted like any object, and a cell under `Password` is what a field of that name is.

use std::collections::BTreeSet;

use sandbar_secrets::Secrets;
use sandbar_text::clean_line;
use serde::Deserialize;

use super::single::ListMetadata;
use crate::context::ReadContext;
use crate::error::{Code, Error};
use crate::fields::Keep;
use crate::items::malformed;
use crate::object::{Mask, Object};
use crate::request::Form;
use crate::response::json;
use crate::types::{Column, ServedResource};

/// Columns of a table. The widest of Kubernetes has 12.
const COLUMNS_MAX: usize = 100;

/// Bytes of a column's name.
const NAME_MAX: usize = 64;

/// The API groups of which Kubernetes makes all tables, from fields that hold no secrets. The group of a custom resource has a dot.
const OWN_GROUPS: [&str; 5] = ["", "apps", "autoscaling", "batch", "policy"];

/// What is sent of each object in a table of this resource. The cells of a custom resource show whatever fields somebody has chosen. Which of
/// them are secret is seen from the whole object, as it is where the object is read.
pub(super) fn form(context: &ReadContext, of: &ServedResource) -> Form {
    let is_masked = context.grant.secrets == Secrets::Masked;
    Form::Row { is_with_object: is_masked && !OWN_GROUPS.contains(&of.group.as_str()) }
}

/// The table so far.
pub(super) struct Rows {
    columns: Option<Vec<Column>>,
    mask: Mask,
    /// Whether secrets of the objects are looked for in the cells.
    is_with_object: bool,
}

impl Rows {
    /// None: it is no table that was asked for.
    pub(super) fn of(form: Form, mask: Mask) -> Option<Self> {
        match form {
            Form::Row { is_with_object } => Some(Self { columns: None, mask, is_with_object }),
            Form::Whole | Form::Metadata => None,
        }
    }

    /// A row as an object. `outline` is what came before the first row: the columns among it.
    pub(super) fn object(&mut self, outline: &[u8], row: &[u8]) -> Result<String, Error> {
        let columns = match &mut self.columns {
            Some(columns) => columns,
            none => none.insert(Outline::read(&[outline, b"]}"].concat())?.columns(self.mask)),
        };
        let row = Object::read(row)?;
        let row = row.row().ok_or_else(|| malformed("a row has no `cells`, or not the metadata of its object"))?;
        let mut object = format!("{{\"metadata\":{},\"cells\":{{", row.metadata);
        let mut add = |(column, cell): (&Column, &str)| {
            object.push_str(if object.ends_with('{') { "" } else { "," });
            object.push_str(&serde_json::Value::from(&*column.name).to_string());
            object.push(':');
            object.push_str(cell);
        };
        if self.is_with_object {
            if !row.has_object() {
                return Err(no_objects());
            }
            columns.iter().zip(row.cells_without_secrets(self.mask)).for_each(|(column, cell)| add((column, &cell)));
        } else {
            columns.iter().zip(row.cells()).for_each(add);
        }
        object.push_str("}}");
        Ok(object)
    }

    /// The list's metadata and the columns, once the body has ended; `outline` is all of it but the rows.
    pub(super) fn end(self, outline: &[u8]) -> Result<(ListMetadata, Vec<Column>), Error> {
        let mut outline = Outline::read(outline)?;
        Ok((std::mem::take(&mut outline.metadata), self.columns.unwrap_or_else(|| outline.columns(self.mask))))
    }
}

/// What of a row is kept: its cells, and of its metadata what was asked for.
pub(super) fn kept(fields: Option<&[String]>) -> Result<Keep, Error> {
    let mut paths = vec!["cells".to_owned()];
    match fields {
        None => paths.extend(["metadata.namespace", "metadata.name"].map(str::to_owned)),
        Some(fields) => paths.extend(fields.iter().filter(|path| path.starts_with("metadata")).cloned()),
    }
    Keep::parse(Some(&paths))
}

/// A table without its rows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: ListMetadata,
    #[serde(default)]
    column_definitions: Vec<Definition>,
}

#[derive(Deserialize)]
struct Definition {
    name: String,
    #[serde(default)]
    priority: u32,
}

impl Outline {
    fn read(outline: &[u8]) -> Result<Self, Error> {
        let read: Self = json(outline)?;
        if read.kind == "Table" { Ok(read) } else { Err(no_table()) }
    }

    /// A name that two columns have is another for the second.
    fn columns(self, mask: Mask) -> Vec<Column> {
        let mut names = BTreeSet::new();
        let columns = self.column_definitions.into_iter().take(COLUMNS_MAX).map(|Definition { name, priority }| {
            let mut name = clean_line(mask.name(&name), NAME_MAX);
            while !names.insert(name.clone()) {
                name.push('\'');
            }
            Column { name, priority }
        });
        columns.collect()
    }
}

/// Of an API that sends objects where it is asked for a table, or refuses to.
pub(super) fn no_table() -> Error {
    Error::new(Code::NotServed, "the API behind this resource shows its objects in no table; list them and choose fields")
}

/// Of an API that sends only metadata with its table.
fn no_objects() -> Error {
    let words = "the API behind this resource sends a table without its objects, so nothing tells which of its cells show a secret; list the \
                 objects and choose fields";
    Error::new(Code::NotServed, words)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sandbar_policy::{Budget, Grant, Limits, Namespaces};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{FakeAnswer, allowed, cluster, grant, list, query, reader, resource};
    use crate::types::{Query, Scope, TablePage};

    fn pods(within: Scope) -> Query {
        query(resource("", "pods"), within)
    }

    fn team_a() -> Scope {
        Scope::Namespace("team-a".to_owned())
    }

    /// A table as a server sends it: the columns before the rows.
    fn table(namespace: &str, columns: &[&str], rows: &[(&str, Value)], more: &str) -> FakeAnswer {
        let columns: Vec<Value> = columns.iter().map(|name| json!({ "name": name, "type": "string", "priority": 1 })).collect();
        let object = |name: &str| json!({ "kind": "PartialObjectMetadata", "metadata": { "namespace": namespace, "name": name, "uid": "1" } });
        let rows: Vec<Value> = rows.iter().map(|(name, cells)| json!({ "cells": cells, "object": object(name) })).collect();
        let (columns, rows) = (Value::from(columns), Value::from(rows));
        let metadata = if more.is_empty() { json!({}) } else { json!({ "continue": more, "remainingItemCount": 3 }) };
        FakeAnswer::ok(format!(
            r#"{{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{metadata},"columnDefinitions":{columns},"rows":{rows}}}"#
        ))
    }

    async fn read(
        answer: impl Fn(&str) -> FakeAnswer + Send + Sync + 'static,
        query: &Query,
        namespaces: Namespaces,
    ) -> Result<TablePage, Error> {
        let (cluster, _) = cluster(move |path, _| answer(path));
        reader(&cluster, namespaces, Limits::default()).list_table(query).await
    }

    fn names(page: &TablePage) -> Vec<&str> {
        page.columns.iter().map(|column| column.name.as_str()).collect()
    }

    #[tokio::test]
    async fn a_row_is_its_cells_by_their_columns_and_the_metadata_that_was_asked_for() {
        let answer =
            |_: &str| table("team-a", &["Name", "Ready", "Ready", "Age"], &[("web-0", json!(["web-0", "1/1", 2, "3d"]))], "next");
        let page = read(answer, &pods(team_a()), Namespaces::All).await.expect("a page");
        assert_eq!(names(&page), ["Name", "Ready", "Ready'", "Age"]);
        assert_eq!(
            page.page.items,
            r#"[{"metadata":{"namespace":"team-a","name":"web-0"},"cells":{"Name":"web-0","Ready":"1/1","Ready'":2,"Age":"3d"}}]"#
        );
        assert_eq!((page.columns[0].priority, page.page.remaining, page.page.continue_.is_some()), (1, Some(3), true));
        let fields = Some(vec!["metadata.uid".to_owned(), "spec".to_owned()]);
        let page = read(answer, &Query { fields, ..pods(team_a()) }, Namespaces::All).await.expect("a page");
        assert!(page.page.items.starts_with(r#"[{"metadata":{"uid":"1"},"cells":{"#), "{}", page.page.items);
    }

    #[tokio::test]
    async fn a_cell_is_masked_as_a_field_of_its_columns_name_is() {
        let answer = |_: &str| table("team-a", &["Name", "Password"], &[("web-0", json!(["web-0", "hunter2secret!"]))], "");
        let page = read(answer, &pods(team_a()), Namespaces::All).await.expect("a page");
        assert!(page.page.items.contains("[masked: password]") && !page.page.items.contains("hunter2"), "{}", page.page.items);
        // Its name is masked, too, and the same in both places.
        let token = format!("ghp_{}", "aB3dE5gH7j".repeat(4).split_at(36).0);
        let answer = move |_: &str| table("team-a", &[&token], &[("web-0", json!(["x"]))], "");
        let page = read(answer, &pods(team_a()), Namespaces::All).await.expect("a page");
        let rows: Value = serde_json::from_str(&page.page.items).expect("JSON");
        assert_eq!(
            (names(&page), &rows[0]["cells"]),
            (vec!["[masked: GitHub token]"], &json!({ "[masked: GitHub token]": "x" }))
        );
    }

    /// A table of custom resources with whole objects, of which `spec` is one.
    async fn read_custom(spec: Value, cells: Value) -> Result<(TablePage, String), Error> {
        let names: Vec<String> = (0..cells.as_array().expect("cells").len()).map(|n| format!("C{n}")).collect();
        let columns: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        let object = json!({ "kind": "Login", "metadata": { "name": "l1", "namespace": "team-a" }, "spec": spec });
        let table = json!({ "kind": "Table", "columnDefinitions": columns, "rows": [{ "cells": cells, "object": object }] });
        let (cluster, seen) = cluster(move |_, _| FakeAnswer::json(table.clone()));
        let of = query(resource("coder.com", "codercontrolplanes"), team_a());
        let page = reader(&cluster, Namespaces::All, Limits::default()).list_table(&of).await?;
        Ok((page, seen.last("includeObject").unwrap_or_default()))
    }

    #[tokio::test]
    async fn a_cell_of_a_custom_resource_hides_what_its_object_hides() {
        let spec = json!({
            "password": "hunter2-S3cr",
            "env": [{ "name": "DB_PASSWORD", "value": "sesame-4711" }],
            "command": ["mysql", "-psesame99"],
            "apiToken": 47_114_711,
            "secretKey": 4711.25,
            "manifest": r#"{"kind":"Secret","data":{"pin":"NDcx","x":"abc"}}"#,
            "size": "large",
        });
        let cells = json!([
            "l1", "hunter2-S3cr", "sesame-4711", "map[env:[map[name:DB_PASSWORD value:sesame-4711]] size:large]", 47_114_711, 4711,
            "4.71125e+03", "NDcx", "abc", "abcd", ["large", "hunter2-S3cr"], { "a": "-psesame99" }, null, "large", true, 3,
        ]);
        let (page, included) = read_custom(spec, cells).await.expect("a page");
        assert_eq!(included, "Object");
        let rows: Value = serde_json::from_str(&page.page.items).expect("JSON");
        let is_hidden = |n: usize| rows[0]["cells"][format!("C{n}")].as_str().is_some_and(|cell| cell.starts_with("[masked: "));
        let hidden: Vec<usize> = (0..16).filter(|&n| is_hidden(n)).collect();
        assert_eq!(hidden, [1, 2, 3, 4, 5, 6, 7, 8, 10, 11], "{}", page.page.items);
        assert_eq!(rows[0]["metadata"], json!({ "namespace": "team-a", "name": "l1" }));
        // More of them than are looked for.
        let many: Vec<Value> = (0..2000).map(|n| json!({ "name": "DB_PASSWORD", "value": format!("sesame-{n}") })).collect();
        let (page, _) = read_custom(json!({ "env": many }), json!(["l1", "sesame-1999", null])).await.expect("a page");
        assert!(
            page.page.items.ends_with(r#""cells":{"C0":"[masked: password]","C1":"[masked: password]","C2":null}}]"#),
            "{}",
            page.page.items
        );
    }

    #[tokio::test]
    async fn a_table_without_its_objects_is_not_shown_where_they_may_hold_secrets() {
        let answer = |_: &str| table("team-a", &["Name", "Login"], &[("l1", json!(["l1", "hunter2-S3cr"]))], "");
        let custom = query(resource("coder.com", "codercontrolplanes"), team_a());
        let error = read(answer, &custom, Namespaces::All).await.expect_err("no objects");
        assert_eq!(error, no_objects());
        // Those of Kubernetes are as cheap as ever, and so are all where nothing is masked.
        let (cluster, seen) = cluster(move |path, _| answer(path));
        reader(&cluster, Namespaces::All, Limits::default()).list_table(&pods(team_a())).await.expect("a page");
        let shown = Grant { secrets: Secrets::Shown, ..grant(Namespaces::All) };
        let page =
            cluster.reader(Arc::new(shown), Arc::new(Budget::new(Limits::default()))).list_table(&custom).await.expect("a page");
        assert!(page.page.items.contains("hunter2-S3cr"));
        assert!(seen.all().iter().all(|path| !path.contains("includeObject")), "{:?}", seen.all());
    }

    #[tokio::test]
    async fn the_tables_of_several_namespaces_are_one() {
        let answer = |path: &str| match path.contains("team-a") {
            true => table("team-a", &["Name"], &[("a", json!(["a"]))], ""),
            false => table("team-b", &["Name"], &[("b", json!(["b"]))], ""),
        };
        let page = read(answer, &pods(Scope::EveryNamespace), allowed(&["team-a", "team-b"])).await.expect("a page");
        assert_eq!((names(&page), page.page.items.matches("cells").count()), (vec!["Name"], 2));
        let empty = read(|_| table("team-a", &["Name"], &[], ""), &pods(team_a()), Namespaces::All).await.expect("a page");
        assert_eq!((names(&empty), empty.page.items.as_str()), (vec!["Name"], "[]"));
    }

    #[tokio::test]
    async fn where_there_is_no_table_that_is_said() {
        for answer in [
            || list("team-a", &["a"], None),
            || FakeAnswer::status(406, "NotAcceptable", "only the following media types are accepted", json!({})),
        ] {
            let error = read(move |_| answer(), &pods(team_a()), Namespaces::All).await.expect_err("no table");
            assert_eq!(error, no_table());
        }
        let broken =
            |_: &str| FakeAnswer::ok(r#"{"kind":"Table","columnDefinitions":[{"name":"Name"}],"rows":[{"cells":["a"]}]}"#);
        let error = read(broken, &pods(team_a()), Namespaces::All).await.expect_err("no metadata");
        assert!(error.message.contains("a row has no `cells`"), "{}", error.message);
    }
}
