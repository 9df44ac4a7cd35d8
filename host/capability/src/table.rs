//! `sandbar:kubernetes/table`: lists as the API server shows them to people.

use sandbar_kubernetes::{Column, Page, TablePage};
use sandbar_sandbox::{Interface, StoreData};
use wasmtime::component::HasSelf;

use super::Capability;
use super::bindings::sandbar::kubernetes::types::Error;
use super::bindings::sandbar::kubernetes::{read, table};
use super::host::Host;
use super::read::is_open_to;

pub(super) static CAPABILITY: Capability = Capability {
    interface: Interface {
        name: "sandbar:kubernetes/table",
        link: |linker| table::add_to_linker::<_, HasSelf<Host>>(linker, StoreData::data),
    },
    is_open_to,
};

impl table::Host for Host {
    async fn list_table(&mut self, query: read::Query) -> Result<table::TablePage, Error> {
        let TablePage { columns, page } = self.reader()?.list_table(&query.try_into()?).await?;
        let Page { items, continue_, remaining, warnings } = page;
        let columns = columns.into_iter().map(|Column { name, priority }| table::Column { name, priority }).collect();
        Ok(table::TablePage { columns, rows: self.hand_over(items)?, continue_, remaining, warnings, more: None })
    }
}
