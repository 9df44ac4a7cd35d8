//! What an operator decides about registries.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cache::Cache;
use super::credentials::DockerConfig;
use super::proxy::Proxies;
use super::signature::TrustRoot;

/// What an operator decides about registries.
#[derive(Debug, Default)]
pub struct Settings {
    /// Hosts that are not to be trusted as this machine trusts others, by `HOST` or `HOST:PORT` as references write it. The host of a token
    /// server or of a storage that blobs are redirected to is another one.
    pub hosts: BTreeMap<String, Trust>,
    /// Whose credentials are used: the first of these that has some for a host and a name.
    pub credentials: Vec<DockerConfig>,
    /// The proxy on the way to them.
    pub proxies: Proxies,
    /// Bytes of a component.
    pub component_bytes: u64,
    /// Where contents are kept by their digest.
    pub cache: Option<Cache>,
    /// Whom to believe about signatures without a key. Needed where a [policy asks for it](super::Policy::needs_trust_root).
    pub trust_root: Option<Arc<TrustRoot>>,
    /// Whether registries are asked. Without, there is what the cache has.
    pub online: bool,
}

/// Who answers for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// These authorities, as PEM, and no others.
    Authorities(Arc<[u8]>),
    /// Nobody: it is spoken to over plain HTTP, and credentials for it are sent that way.
    Insecure,
}
