//! `apiService`: the server as a part of the Kubernetes API.

use sandbar_policy::is_subdomain;
use schemars::JsonSchema;
use serde::Deserialize;

use super::places::Step;

/// The server as a part of the Kubernetes API: the API server hands on the requests of whoever may `create` it. The port has to speak TLS.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "ApiService")]
pub struct ApiServiceConfig {
    /// The API group. It belongs to one server in a cluster.
    pub group: String,
    /// The name of the server in it.
    pub server: String,
}

impl Default for ApiServiceConfig {
    fn default() -> Self {
        Self { group: "mcp.sandbar.dev".to_owned(), server: "sandbar".to_owned() }
    }
}

impl ApiServiceConfig {
    /// What is wrong, and with which key.
    pub(super) fn faults(&self) -> impl Iterator<Item = (Step, String)> {
        let group = (!is_subdomain(&self.group) || !self.group.contains('.')).then(|| {
            let what = format!(
                "{:?} is no API group: write a DNS name of yours with a dot in it, mcp.example.com for example",
                self.group
            );
            (Step::Key("group"), what)
        });
        let of_kubernetes = [".k8s.io", ".kubernetes.io"].iter().any(|domain| self.group.ends_with(domain));
        let reserved = of_kubernetes.then(|| {
            let what = format!("{:?} is Kubernetes' own: an API group belongs to whom its domain belongs to", self.group);
            (Step::Key("group"), what)
        });
        let server = (!is_subdomain(&self.server)).then(|| {
            let what = format!("{:?} is no name of an object: write lower-case letters, digits, `-` and `.`", self.server);
            (Step::Key("server"), what)
        });
        group.into_iter().chain(reserved).chain(server)
    }
}
