//! `sandbar:kubernetes/read`: objects and lists.

use sandbar_kubernetes::{Error as ReadError, Page, Query, Resource, Scope as Within};
use sandbar_policy::{Grant, POD_LOGS, PolicyRule};
use sandbar_sandbox::{Interface, StoreData};
use wasmtime::component::HasSelf;

use super::Capability;
use super::bindings::sandbar::kubernetes::read;
use super::bindings::sandbar::kubernetes::types::{ApiResource, Error, Scope};
use super::host::Host;
use super::types::refuse_more;

pub(super) static CAPABILITY: Capability = Capability {
    interface: Interface {
        name: "sandbar:kubernetes/read",
        link: |linker| read::add_to_linker::<_, HasSelf<Host>>(linker, StoreData::data),
    },
    is_open_to,
};

/// Whether a grant names anything but logs.
pub(super) fn is_open_to(grant: &Grant) -> bool {
    let names_objects = |rule: &PolicyRule| rule.resources.iter().any(|resource| resource != POD_LOGS);
    grant.rules.iter().chain(&grant.cluster_rules).any(names_objects)
}

impl read::Host for Host {
    async fn get_object(
        &mut self,
        of: ApiResource,
        within: Scope,
        name: String,
        fields: Option<Vec<String>>,
        more: Option<String>,
    ) -> Result<String, Error> {
        refuse_more(more.as_deref())?;
        let (of, within) = (Resource::from(of), Within::from(within));
        let object = self.reader()?.get_object(&of, &within, &name, fields.as_deref()).await?;
        Ok(self.hand_over(object)?)
    }

    async fn list_objects(&mut self, query: read::Query) -> Result<read::Page, Error> {
        let page = self.reader()?.list_objects(&query.try_into()?).await?;
        Ok(self.hand_over_page(page)?)
    }
}

impl Host {
    pub(super) fn hand_over_page(&self, page: Page) -> Result<read::Page, ReadError> {
        let Page { items, continue_, remaining, warnings } = page;
        Ok(read::Page { items: self.hand_over(items)?, continue_, remaining, warnings, more: None })
    }
}

impl TryFrom<read::Query> for Query {
    type Error = ReadError;

    fn try_from(query: read::Query) -> Result<Self, ReadError> {
        refuse_more(query.more.as_deref())?;
        Ok(Self {
            of: query.of.into(),
            within: query.within.into(),
            label_selector: query.label_selector,
            field_selector: query.field_selector,
            fields: query.fields,
            limit: query.limit,
            continue_: query.continue_,
        })
    }
}
