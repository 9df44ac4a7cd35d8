//! `registries` and `signatures` of sandbar.yaml: where components come from that are no files, and who has to have signed them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sandbar_registry::{Policy, Reference};
use schemars::JsonSchema;
use serde::Deserialize;

use super::places::Step;
use super::{Config, present};

/// How components are fetched from registries.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Registries")]
pub struct RegistriesConfig {
    /// Whether `sandbar serve` asks registries for what its cache has not got. Without, `sandbar pull` fills the cache.
    pub pull: bool,
    /// Files with credentials: docker's `config.json`, or the `.dockerconfigjson` of a pull secret; absent: docker's own, if there is one.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<String>", inner(length(min = 1)))]
    pub credentials: Option<Vec<PathBuf>>,
    /// Registries that are not to be trusted as this machine trusts others, by HOST or HOST:PORT.
    pub hosts: BTreeMap<String, RegistryHostConfig>,
    /// Whom to believe about signatures without a key: the `trusted_root.json` of Sigstore. Relative paths start at the folder of this file.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    pub trust_root: Option<PathBuf>,
}

/// How one registry is to be trusted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "RegistryHost")]
pub struct RegistryHostConfig {
    /// The authorities that answer for it, as PEM, and no others.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    pub certificate_authority_file: Option<PathBuf>,
    /// Whether it is spoken to over plain HTTP, credentials included.
    pub insecure: bool,
}

impl RegistriesConfig {
    /// The files that it names.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let of_hosts = self.hosts.values_mut().filter_map(|host| host.certificate_authority_file.as_mut());
        self.credentials.iter_mut().flatten().chain(of_hosts).chain(&mut self.trust_root)
    }
}

/// What is wrong with where components come from.
pub(super) fn faults(config: &Config) -> Vec<(Vec<Step>, String)> {
    let mut faults = Vec::new();
    let hosts = [Step::Key("registries"), Step::Key("hosts")];
    for (host, RegistryHostConfig { certificate_authority_file, insecure }) in &config.registries.hosts {
        let is_host = format!("oci://{host}/a:1")
            .parse::<Reference>()
            .is_ok_and(|parsed| parsed.repository.host() == host.to_ascii_lowercase());
        if !is_host {
            let what = format!(
                "{host:?} is no host of a registry: HOST or HOST:PORT, as references have it between `oci://` and the next `/`"
            );
            faults.push((hosts.to_vec(), what));
        }
        if *insecure == certificate_authority_file.is_some() {
            let what =
                format!("{host:?} has either a `certificateAuthorityFile` or `insecure: true`: without, it needs no entry");
            faults.push((hosts.to_vec(), what));
        }
    }
    let needs_root = |policy: &Option<std::sync::Arc<Policy>>| policy.as_ref().is_some_and(|policy| policy.needs_trust_root());
    let of_tools = config.tools.iter().enumerate().map(|(at, tool)| {
        let path = vec![Step::Key("tools"), Step::Entry(at), Step::Key("signatures")];
        (path, &tool.signatures)
    });
    let policies = std::iter::once((vec![Step::Key("signatures")], &config.signatures)).chain(of_tools);
    if config.registries.trust_root.is_none() {
        let what = "a rule without a key needs `registries.trustRoot`: whom to believe about certificates and logs";
        faults.extend(policies.filter(|(_, policy)| needs_root(policy)).map(|(path, _)| (path, what.to_owned())));
    }
    faults
}
