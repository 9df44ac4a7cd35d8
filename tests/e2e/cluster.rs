//! The cluster with Sandbar in it: one that was named, or one made here.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sandbar_tests::until;
use tokio::net::TcpStream;

use crate::kubectl::Way;
use crate::node::Node;

/// The image that deploy/base names.
const SHIPPED: &str = "image: sandbar:0.1.0";

/// Of the Service.
const PORT: u16 = 8090;

/// The base as it ships, with two replicas.
const OVERLAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/overlay");

/// A cluster in which Sandbar is deployed.
pub(crate) struct Cluster {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    /// Where it was made here.
    node: Option<Node>,
}

impl Cluster {
    /// The one of all tests.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: tokio::sync::OnceCell<Cluster> = tokio::sync::OnceCell::const_new();
        SHARED.get_or_init(Self::with_sandbar).await
    }

    async fn with_sandbar() -> Self {
        let kubectl = variable("E2E_KUBECTL");
        let given = std::env::var_os("E2E_KUBECONFIG").filter(|path| !path.is_empty());
        let cluster = match given {
            Some(kubeconfig) => Self { kubectl, kubeconfig: kubeconfig.into(), node: None },
            None => {
                assert!(std::env::var_os("E2E_ISOLATED").is_some(), "a cluster is made in namespaces of its own: make e2e");
                let node = Node::start(&variable("E2E_PROGRAMS")).await;
                node.import(&variable("E2E_PROGRAMS").join("pause.tar"));
                node.import(&variable("E2E_IMAGE_TAR"));
                Self { kubectl, kubeconfig: node.kubeconfig().to_owned(), node: Some(node) }
            }
        };
        let manifests = cluster.kubectl(&["kustomize", OVERLAY]);
        assert!(manifests.contains(SHIPPED), "{SHIPPED:?} is what ships");
        let manifests = match std::env::var("E2E_IMAGE") {
            Ok(image) if cluster.node.is_none() => manifests.replace(SHIPPED, &format!("image: {image}")),
            _ => manifests,
        };
        cluster.apply(&manifests);
        cluster.rolled_out();
        cluster
    }

    /// Runs kubectl in the namespace `coder-system` and returns what it prints.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.run(arguments, "")
    }

    fn apply(&self, manifests: &str) {
        self.run(&["apply", "--filename", "-"], manifests);
    }

    fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut kubectl = Command::new(&self.kubectl)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--namespace", "coder-system"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl can be run");
        kubectl.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("kubectl reads");
        let output = kubectl.wait_with_output().expect("kubectl ends");
        assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Waits until all pods are of the newest kind and ready.
    pub(crate) fn rolled_out(&self) {
        self.kubectl(&["rollout", "status", "deployment/coder-k8s-mcp", "--timeout", "180s"]);
    }

    /// The names of the pods.
    pub(crate) fn pods(&self) -> Vec<String> {
        let names = self.kubectl(&["get", "pods", "--selector", "app=coder-k8s-mcp", "--output", "name"]);
        names.lines().map(|name| name.trim_start_matches("pod/").to_owned()).collect()
    }

    /// `kubectl port-forward` to the Service, from this port or a free one.
    pub(crate) async fn port_forward(&self, port: u16) -> Way {
        let ports = if port == 0 { format!(":{PORT}") } else { format!("{port}:{PORT}") };
        let arguments = ["port-forward", "--address", "127.0.0.1", "service/coder-k8s", &ports];
        Way::open(&self.kubectl, &self.kubeconfig, &arguments, "").await
    }

    /// The address of the Service, which kube-proxy serves; only this cluster's own machines reach it.
    pub(crate) async fn service_url(&self) -> Option<String> {
        self.node.as_ref()?;
        let address = self.kubectl(&["get", "service", "coder-k8s", "--output", "jsonpath={.spec.clusterIP}"]);
        let address = SocketAddr::new(address.parse().expect("an address"), PORT);
        // kube-proxy hears of a new pod later than `kubectl rollout status` does.
        until("the Service leads to a pod", || async move { TcpStream::connect(address).await.ok() }).await;
        Some(format!("http://{address}/mcp"))
    }

    /// The way through the API server to the Service.
    pub(crate) async fn proxy(&self) -> Way {
        let path = "/api/v1/namespaces/coder-system/services/coder-k8s:mcp/proxy";
        Way::open(&self.kubectl, &self.kubeconfig, &["proxy", "--port", "0"], path).await
    }
}

fn variable(name: &str) -> PathBuf {
    std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: make e2e")).into()
}
