//! Whether the API server is there and ready, and which version it runs.

use http::StatusCode;
use sandbar_policy::Budget;
use sandbar_secrets::quotable;
use serde::Deserialize;

use super::error::{Code, Error};
use super::exchange::{ApiServer, FIRST_BYTE, Failure};
use super::request::ApiRequest;
use super::types::Health;

/// Bytes of `/version`, which has under 1 KiB, and of `/readyz`, which says `ok`.
const ANSWER_MAX: usize = 64 * 1024;

/// Bytes of a version or a platform, such as `v1.37.2-eks-1234567` and `linux/amd64`.
const VERSION_BYTES: usize = 100;

/// Asks `/version`, which is static, and `/readyz`, which includes etcd.
///
/// A server that answers and says that it is not ready is no error: `ready` is false then.
pub(super) async fn read(api: &ApiServer, budget: &Budget) -> Result<Health, Error> {
    let (version, ready) = futures::join!(version(api, budget), ready(api, budget));
    let Version { git_version, platform } = version?;
    let (git_version, platform) = (quotable(&git_version, VERSION_BYTES), quotable(&platform, VERSION_BYTES));
    Ok(Health { git_version, platform, ready: ready? })
}

async fn version(api: &ApiServer, budget: &Budget) -> Result<Version, Error> {
    let incoming = api.ask(&ApiRequest::fixed("/version"), budget, FIRST_BYTE).await?;
    incoming.json(ANSWER_MAX, "the API server's version").await
}

async fn ready(api: &ApiServer, budget: &Budget) -> Result<bool, Error> {
    match api.ask(&ApiRequest::fixed("/readyz"), budget, FIRST_BYTE).await {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{FakeAnswer, cluster};

    const VERSION: &str = r#"{"major":"1","gitVersion":"v1.37.2","platform":"linux/amd64"}"#;

    /// What the cluster's health is, given the answer of `/readyz`.
    async fn health(readyz: impl Fn() -> FakeAnswer + Send + Sync + 'static) -> Result<Health, Error> {
        let (cluster, _) = cluster(move |path, _| if path == "/version" { FakeAnswer::ok(VERSION) } else { readyz() });
        cluster.health(Duration::from_secs(30)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_may_yet_not_be_ready() {
        let health_is = |ready| Ok(Health { git_version: "v1.37.2".into(), platform: "linux/amd64".into(), ready });
        assert_eq!(health(|| FakeAnswer::ok("ok")).await, health_is(true));
        assert_eq!(health(|| FakeAnswer::with_status(500, "[-]etcd failed")).await, health_is(false));
        assert_eq!(health(|| FakeAnswer::Silence).await, health_is(false));
        assert_eq!(health(|| FakeAnswer::with_status(404, "404 page not found")).await, health_is(true));
        assert_eq!(health(|| FakeAnswer::with_status(401, "no")).await.expect_err("no access").code, Code::Denied);
    }

    #[tokio::test]
    async fn what_a_server_says_of_itself_is_clean() {
        let version = r#"{"gitVersion":"v1\u001b[31m\u202eevil\u001b]0;t\u0007\n[+] all is well","platform":"x\u200b\u001b[2J"}"#;
        let (cluster, _) = cluster(move |_, _| FakeAnswer::ok(version));
        let health = cluster.health(Duration::from_secs(1)).await.expect("healthy");
        assert_eq!((health.git_version.as_str(), health.platform.as_str()), ("v1 evil [+] all is well", "x"));
    }

    #[tokio::test]
    async fn what_a_server_says_of_itself_is_cut() {
        let long = "x".repeat(10_000);
        for version in [serde_json::json!({ "gitVersion": long, "platform": long }), serde_json::json!(long)] {
            let (cluster, _) = cluster(move |_, _| FakeAnswer::ok(version.to_string()));
            match cluster.health(Duration::from_secs(1)).await {
                Ok(health) => assert!(health.git_version.len() + health.platform.len() < 300),
                Err(error) => assert!(error.message.len() < 400, "{} bytes", error.message.len()),
            }
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error() {
        let (cluster, _) = cluster(|_, _| FakeAnswer::Disconnect);
        assert_eq!(cluster.health(Duration::from_secs(1)).await.expect_err("gone").code, Code::Unavailable);
        let (cluster, _) = crate::testing::cluster(|_, _| FakeAnswer::ok("<html>"));
        assert_eq!(cluster.health(Duration::from_secs(1)).await.expect_err("something else").code, Code::Other);
    }
}
