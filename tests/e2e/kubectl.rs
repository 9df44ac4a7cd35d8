//! kubectl's ways into a cluster: `port-forward`, and `proxy`.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use sandbar_tests::process::{Leash, Transcript};
use sandbar_tests::until;

/// A kubectl that serves something on a local port until it is dropped.
#[derive(Debug)]
pub(crate) struct Way {
    child: Child,
    port: u16,
    url: String,
    _leash: Leash,
}

impl Way {
    /// `arguments` make kubectl say where it listens, after `127.0.0.1:`; `path` is where `/mcp` is there.
    pub(crate) async fn open(kubectl: &Path, kubeconfig: &Path, arguments: &[&str], path: &str) -> Self {
        let mut child = Command::new(kubectl)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--namespace", "coder-system"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl can be run");
        let leash = Leash::new(child.id());
        let said = Transcript::of(child.stdout.take().expect("it is piped"));
        let words = Transcript::of(child.stderr.take().expect("it is piped"));
        let port = until(&format!("kubectl {arguments:?} listens"), || {
            let port = port_in(&said.text());
            let ended = child.try_wait().expect("it can be asked");
            let words = words.text();
            async move {
                assert!(port.is_some() || ended.is_none(), "kubectl ended with {ended:?}: {words}");
                port
            }
        })
        .await;
        Self { child, port, url: format!("http://127.0.0.1:{port}{path}/mcp"), _leash: leash }
    }

    /// The address of `/mcp`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The local port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `Forwarding from 127.0.0.1:8090 -> 8090`, `Starting to serve on 127.0.0.1:8001`
fn port_in(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("127.0.0.1:")?;
    let (port, _) = rest.split_once(|other: char| !other.is_ascii_digit())?;
    port.parse().ok()
}
