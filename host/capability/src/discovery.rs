//! `sandbar:kubernetes/discovery`: which resources the cluster serves.

use sandbar_kubernetes::{ServedKind, ServedKinds};
use sandbar_sandbox::{Interface, StoreData};
use wasmtime::component::HasSelf;

use super::Capability;
use super::bindings::sandbar::kubernetes::discovery;
use super::bindings::sandbar::kubernetes::types::{ApiResource, Error};
use super::host::Host;

/// Bytes that a kind takes beside its names.
const KIND_BYTES: usize = 64;

pub(super) static CAPABILITY: Capability = Capability {
    interface: Interface {
        name: "sandbar:kubernetes/discovery",
        link: |linker| discovery::add_to_linker::<_, HasSelf<Host>>(linker, StoreData::data),
    },
    is_open_to: |_| true,
};

impl discovery::Host for Host {
    async fn served_kinds(&mut self) -> Result<discovery::Kinds, Error> {
        let ServedKinds { kinds, warnings } = self.reader()?.served_kinds().await?;
        let bytes = kinds.iter().map(|served| KIND_BYTES + served.kind.len() + served.resource.plural.len()).sum::<usize>();
        self.budget.take_handed(bytes as u64).map_err(sandbar_kubernetes::Error::from)?;
        Ok(discovery::Kinds { kinds: kinds.into_iter().map(Into::into).collect(), warnings, more: None })
    }
}

impl From<ServedKind> for discovery::Kind {
    fn from(ServedKind { resource, kind, short_names }: ServedKind) -> Self {
        Self {
            of: ApiResource { group: resource.group, version: resource.version, plural: resource.plural },
            name: kind,
            short_names,
            namespaced: resource.namespaced,
            verbs: resource.verbs.names().map(str::to_owned).collect(),
        }
    }
}
