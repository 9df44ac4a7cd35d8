//! Capability: lists as the API server shows them to people, a few columns for each object.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{List, Metadata, Page, owned, parse};
use crate::{Error, host};

/// One page of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The columns, in their order.
    pub columns: Vec<Column>,
    /// The rows.
    pub page: Page<Row>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, unique in the table.
    pub name: String,
    /// Whether kubectl shows it with `-o wide` alone.
    pub wide: bool,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Row {
    /// Which object it shows.
    pub metadata: Metadata,
    /// Its cells, by the names of their columns.
    pub cells: BTreeMap<String, Value>,
}

impl<T: DeserializeOwned> List<T> {
    /// Reads one page of the list as a table. [`Code::NotServed`](crate::Code::NotServed) where the API shows none.
    pub fn table(mut self) -> Result<Table, Error> {
        self.query.fields = owned(&["metadata.namespace", "metadata.name"]);
        let read = host::list_table(&self.query)?;
        let columns = read.columns.into_iter().map(|column| Column { name: column.name, wide: column.priority > 0 });
        let mut page = Page {
            items: parse(&read.rows)?,
            continue_: read.continue_,
            remaining: read.remaining,
            warnings: read.warnings,
            hint: None,
        };
        page.hint = self.hint(page.is_all_of_nothing());
        Ok(Table { columns: columns.collect(), page })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Host, page};
    use crate::{Code, Resource};

    #[test]
    fn a_row_has_its_cells_by_their_columns() {
        let pods = Resource::new("", "v1", "pods");
        let columns = || ["Name", "IP"].map(|name| Column { name: name.to_owned(), wide: name == "IP" }).to_vec();
        let host = Host::new().tables(move |request| match request.resource.as_str() {
            "pods" => {
                let cells = BTreeMap::from([("Name".to_owned(), json!("a")), ("IP".to_owned(), json!("10.0.0.1"))]);
                let metadata = Metadata { name: "a".to_owned(), namespace: "team-a".to_owned() };
                let page = Page { items: vec![Row { metadata, cells }], ..page([]).map(|_| unreachable!()) };
                Ok(Table { columns: columns(), page })
            }
            other => Err(Error::new(Code::NotServed, other)),
        });
        let table = host.run(|| pods.list::<Value>().within("team-a").table()).expect("a table");
        assert_eq!((table.columns[1].wide, &table.page.items[0].cells["IP"]), (true, &json!("10.0.0.1")));
        let error = host.run(|| Resource::new("", "v1", "nodes").list::<Value>().table()).expect_err("none");
        assert_eq!(error.code(), Code::NotServed);
    }
}
