//! `sandbar:kubernetes/logs`: container logs.

use sandbar_kubernetes::{Error as ReadError, Excerpt, LogSource};
use sandbar_policy::{Grant, POD_LOGS, PolicyRule};
use sandbar_sandbox::{Interface, StoreData};
use wasmtime::component::HasSelf;

use super::Capability;
use super::bindings::sandbar::kubernetes::logs;
use super::bindings::sandbar::kubernetes::types::Error;
use super::host::Host;
use super::types::refuse_more;

pub(super) static CAPABILITY: Capability = Capability {
    interface: Interface {
        name: "sandbar:kubernetes/logs",
        link: |linker| logs::add_to_linker::<_, HasSelf<Host>>(linker, StoreData::data),
    },
    is_open_to,
};

/// Whether a grant names logs.
pub(super) fn is_open_to(grant: &Grant) -> bool {
    let names_logs = |rule: &PolicyRule| rule.resources.iter().any(|resource| resource == POD_LOGS);
    grant.rules.iter().any(names_logs)
}

impl logs::Host for Host {
    async fn tail(&mut self, source: logs::Source) -> Result<logs::Excerpt, Error> {
        let excerpt = self.reader()?.tail(&source.try_into()?).await?;
        Ok(self.hand_over_excerpt(excerpt)?)
    }
}

impl Host {
    pub(super) fn hand_over_excerpt(&self, excerpt: Excerpt) -> Result<logs::Excerpt, ReadError> {
        let Excerpt { text, truncated, dropped_bytes, older, warnings } = excerpt;
        Ok(logs::Excerpt { text: self.hand_over(text)?, truncated, dropped_bytes, older, warnings, more: None })
    }
}

impl TryFrom<logs::Source> for LogSource {
    type Error = ReadError;

    fn try_from(source: logs::Source) -> Result<Self, ReadError> {
        refuse_more(source.more.as_deref())?;
        Ok(Self {
            namespace: source.namespace,
            pod: source.pod,
            container: source.container,
            previous: source.previous.unwrap_or(false),
            tail_lines: source.tail_lines,
            since_seconds: source.since_seconds,
            timestamps: source.timestamps.unwrap_or(false),
            matching: source.matching,
            limit_bytes: source.limit_bytes,
        })
    }
}
