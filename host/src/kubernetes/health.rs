//! Whether the API server is there and ready, and which version it runs.

use http::StatusCode;
use serde::Deserialize;

use super::error::{Code, Error};
use super::exchange::{ApiServer, FIRST_BYTE, Failure};
use super::items::malformed;
use super::request::Get;
use super::types::Health;
use crate::policy::Budget;

/// Bytes of `/version`, which has under 1 KiB, and of `/readyz`, which says `ok`.
const ANSWER_MAX: usize = 64 * 1024;

/// Asks `/version`, which is static, and `/readyz`, which includes etcd.
///
/// A server that answers and says that it is not ready is no error: `ready` is false then.
pub(super) async fn read(api: &ApiServer, budget: &Budget) -> Result<Health, Error> {
    let (version, ready) = futures::join!(version(api, budget), ready(api, budget));
    let Version { git_version, platform } = version?;
    Ok(Health { git_version, platform, ready: ready? })
}

async fn version(api: &ApiServer, budget: &Budget) -> Result<Version, Error> {
    let incoming = api.get(&Get::fixed("/version"), budget, FIRST_BYTE).await?;
    let body = incoming.bytes(ANSWER_MAX, "the API server's version").await?;
    serde_json::from_slice(&body).map_err(|error| malformed(&error.to_string()))
}

async fn ready(api: &ApiServer, budget: &Budget) -> Result<bool, Error> {
    match api.get(&Get::fixed("/readyz"), budget, FIRST_BYTE).await {
        Ok(incoming) => incoming.bytes(ANSWER_MAX, "the API server's state").await.map(|_| true),
        // Its way of saying "no".
        Err(Failure::Refused(refusal)) if refusal.status.is_server_error() => Ok(false),
        // Something else serves this API and has no such path; that it answers is all there is to know.
        Err(Failure::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => Ok(true),
        Err(failure) => match Error::from(failure) {
            error if error.code == Code::Unavailable => Ok(false),
            error => Err(error),
        },
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
    #[serde(default)]
    platform: String,
}
