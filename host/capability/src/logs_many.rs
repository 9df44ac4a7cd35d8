//! `sandbar:kubernetes/logs-many`: several container logs at once.

use sandbar_kubernetes::LogSource;
use sandbar_sandbox::{Interface, StoreData};
use wasmtime::component::HasSelf;

use super::Capability;
use super::bindings::sandbar::kubernetes::types::Error;
use super::bindings::sandbar::kubernetes::{logs, logs_many};
use super::host::Host;
use super::logs::is_open_to;
use super::types::each;

pub(super) static CAPABILITY: Capability = Capability {
    interface: Interface {
        name: "sandbar:kubernetes/logs-many",
        link: |linker| logs_many::add_to_linker::<_, HasSelf<Host>>(linker, StoreData::data),
    },
    is_open_to,
};

impl logs_many::Host for Host {
    async fn tail_many(&mut self, sources: Vec<logs::Source>) -> Result<Vec<Result<logs::Excerpt, Error>>, Error> {
        let sources = sources.into_iter().map(LogSource::try_from).collect::<Result<Vec<_>, _>>()?;
        let answers = self.reader()?.tail_many(&sources).await?;
        Ok(each(answers, |excerpt| self.hand_over_excerpt(excerpt)))
    }
}
