//! Capability: is the API server there and ready, and which version does it run. It needs no rule.

use serde::Deserialize;

use crate::{Code, Error, host};

/// The state of the API server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(serde::Serialize))]
#[serde(rename_all = "camelCase")]
pub struct ApiServer {
    /// Its version, `v1.37.2` for example.
    pub git_version: String,
    /// What it runs on, `linux/amd64` for example.
    pub platform: String,
    /// Whether it says that it is ready to serve.
    pub ready: bool,
}

/// Asks the API server how it is. It fails where the server does not answer.
pub fn api_server() -> Result<ApiServer, Error> {
    let json = host::api_server()?;
    serde_json::from_str(&json)
        .map_err(|error| Error::new(Code::Other, format!("the host's health report is malformed: {error}")))
}
