//! The tool `check_health`: does Sandbar reach the cluster.

use sandbar_tool::health;
use sandbar_tool::{Code, Component, Error, Tool, Tools};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {}

/// There is only "ok": what is not is an error.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: &'static str,
    /// The version of Sandbar.
    version: &'static str,
    kubernetes_version: String,
}

fn check_health(Arguments {}: Arguments) -> Result<Answer, Error> {
    let server = health::api_server().map_err(|error| error.context("the Kubernetes API server cannot be asked"))?;
    if !server.ready {
        return Err(Error::new(
            Code::Unavailable,
            format!(
                "the Kubernetes API server ({}) answers, but says that it is not ready: reads may fail; try again in a while",
                server.git_version
            ),
        ));
    }
    Ok(Answer { status: "ok", version: env!("CARGO_PKG_VERSION"), kubernetes_version: server.git_version })
}

fn component() -> Component<impl Tools> {
    Component::new().tool(
        Tool::new(
            "check_health",
            "Whether the Kubernetes API server behind these tools answers and is ready, and its version. Use it when other tools \
             fail. It says nothing about Coder: list_control_planes does.",
            check_health,
        )
        .title("Check health"),
    )
}

sandbar_tool::export!(component, manifest: "manifest.json");

#[cfg(test)]
mod tests {
    use sandbar_tool::health::ApiServer;
    use sandbar_tool::testing::Host;
    use sandbar_tool::{Code, Error};

    use super::component;

    fn server(ready: bool) -> Host {
        let server = ApiServer { git_version: "v1.37.2".to_owned(), platform: "linux/amd64".to_owned(), ready };
        Host::new().health(move || Ok(server.clone()))
    }

    #[test]
    fn a_ready_server_is_ok() {
        let answer = server(true).run(|| component().call("check_health", "{}")).expect("an answer");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            answer,
            format!(r#"{{"structuredContent":{{"status":"ok","version":"{version}","kubernetesVersion":"v1.37.2"}}}}"#)
        );
    }

    #[test]
    fn a_server_that_is_not_ready_is_an_error() {
        let error = server(false).run(|| component().call("check_health", "{}")).expect_err("not ready");
        assert_eq!(
            error.to_string(),
            "the Kubernetes API server (v1.37.2) answers, but says that it is not ready: reads may fail; try again in a while"
        );
    }

    #[test]
    fn a_server_that_does_not_answer_is_an_error() {
        let host = Host::new().health(|| Err(Error::new(Code::Unavailable, "connection refused")));
        let error = host.run(|| component().call("check_health", "{}")).expect_err("no server");
        assert_eq!(error.to_string(), "the Kubernetes API server cannot be asked: connection refused");
    }
}
