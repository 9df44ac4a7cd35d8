//! `sandbar:kubernetes/logs`: container logs.

use sandbar_kubernetes::{Excerpt, LogSource};
use sandbar_policy::{POD_LOGS, PolicyRule};
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
    is_open_to: |grant| {
        let names_logs = |rule: &PolicyRule| rule.resources.iter().any(|resource| resource == POD_LOGS);
        grant.rules.iter().any(names_logs)
    },
};

impl logs::Host for Host {
    async fn tail(&mut self, source: logs::Source) -> Result<logs::Excerpt, Error> {
        refuse_more(source.more.as_deref())?;
        let source = LogSource {
            namespace: source.namespace,
            pod: source.pod,
            container: source.container,
            previous: source.previous.unwrap_or(false),
            tail_lines: source.tail_lines,
            since_seconds: source.since_seconds,
            timestamps: source.timestamps.unwrap_or(false),
            matching: source.matching,
            limit_bytes: source.limit_bytes,
        };
        let mut excerpt = self.reader()?.tail(&source).await?;
        excerpt.text = self.hand_over(excerpt.text)?;
        Ok(excerpt.into())
    }
}

impl From<Excerpt> for logs::Excerpt {
    fn from(excerpt: Excerpt) -> Self {
        Self {
            text: excerpt.text,
            truncated: excerpt.truncated,
            dropped_bytes: excerpt.dropped_bytes,
            older: excerpt.older,
            warnings: excerpt.warnings,
            more: None,
        }
    }
}
