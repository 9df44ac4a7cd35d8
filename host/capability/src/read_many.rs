//! `sandbar:kubernetes/read-many`: several objects or lists at once.

use sandbar_kubernetes::{Error as ReadError, ObjectKey, Query};
use sandbar_sandbox::{Interface, StoreData};
use wasmtime::component::HasSelf;

use super::Capability;
use super::bindings::sandbar::kubernetes::types::Error;
use super::bindings::sandbar::kubernetes::{read, read_many};
use super::host::Host;
use super::read::is_open_to;
use super::types::{each, refuse_more};

pub(super) static CAPABILITY: Capability = Capability {
    interface: Interface {
        name: "sandbar:kubernetes/read-many",
        link: |linker| read_many::add_to_linker::<_, HasSelf<Host>>(linker, StoreData::data),
    },
    is_open_to,
};

impl read_many::Host for Host {
    async fn get_many(&mut self, objects: Vec<read_many::Object>) -> Result<Vec<Result<String, Error>>, Error> {
        let objects = objects.into_iter().map(ObjectKey::try_from).collect::<Result<Vec<_>, _>>()?;
        let answers = self.reader()?.get_many(&objects).await?;
        Ok(each(answers, |object| self.hand_over(object)))
    }

    async fn list_many(&mut self, queries: Vec<read::Query>) -> Result<Vec<Result<read::Page, Error>>, Error> {
        let queries = queries.into_iter().map(Query::try_from).collect::<Result<Vec<_>, _>>()?;
        let answers = self.reader()?.list_many(&queries).await?;
        Ok(each(answers, |page| self.hand_over_page(page)))
    }
}

impl TryFrom<read_many::Object> for ObjectKey {
    type Error = ReadError;

    fn try_from(object: read_many::Object) -> Result<Self, ReadError> {
        let read_many::Object { of, within, name, fields, more } = object;
        refuse_more(more.as_deref())?;
        Ok(Self { of: of.into(), within: within.into(), name, fields })
    }
}
