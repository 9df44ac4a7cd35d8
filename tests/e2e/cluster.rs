//! The cluster with Sandbar in it: one that was named, or one made here.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandbar_tests::sandbar::Run;
use sandbar_tests::until;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::faults::{self, Fault};
use crate::kubectl::Way;
use crate::node::{self, Node};
use crate::registry::Registry;

/// The image that deploy/base names.
const SHIPPED: &str = "image: sandbar:0.1.0";

/// Of the Service.
const PORT: u16 = 8090;

/// The namespace, which no overlay has.
const NAMESPACE: &str = include_str!("../../deploy/namespace.yaml");

/// The base as it ships, with two replicas, and open.
const OVERLAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/overlay");

/// With the pack kubernetes.
const PACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/kubernetes");

/// With scripts.
pub(crate) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/scripts");

/// With tools from a registry.
pub(crate) const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/tools");

/// The Helm chart.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/chart");

/// As a part of the Kubernetes API.
const IDENTITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/identity");

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
        cluster.apply(NAMESPACE);
        cluster.deploy(OVERLAY);
        cluster
    }

    /// Deploys what a folder has, and waits for it.
    fn deploy(&self, overlay: &str) {
        let manifests = self.kubectl(&["kustomize", overlay]);
        assert!(manifests.contains(SHIPPED), "{SHIPPED:?} is what ships");
        self.apply(&manifests.replace(SHIPPED, &format!("image: {}", self.image())));
        self.rolled_out();
    }

    /// What Sandbar's image is called here.
    fn image(&self) -> String {
        let given = std::env::var("E2E_IMAGE").ok().filter(|_| self.node.is_none());
        given.unwrap_or_else(|| SHIPPED.trim_start_matches("image: ").to_owned())
    }

    /// Serves the pack kubernetes beside the tools that there were, with the roles that `sandbar rbac` prints for them.
    pub(crate) async fn serves_the_pack(&self) {
        let printed = Run::new(&["rbac", "--cluster", "demo", "--config"]).arg(format!("{PACK}/sandbar.yaml")).finish().await;
        assert_eq!(printed.code(), 0, "{}", printed.stderr);
        self.apply(&printed.stdout);
        self.deploy(PACK);
    }

    /// Deploys what a folder has with this sandbar.yaml, and the roles that `sandbar rbac` prints for it.
    pub(crate) async fn serves(&self, overlay: &str, config: &Value) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let (_, roles) = Self::files(folder.path(), config).await;
        self.apply(&std::fs::read_to_string(&roles).expect("roles"));
        self.write("coder-k8s-mcp", "sandbar.yaml", &config.to_string());
        self.deploy(overlay);
    }

    /// A sandbar.yaml in this folder, and an rbac.yaml with the roles for it.
    pub(crate) async fn files(folder: &Path, config: &Value) -> (String, String) {
        let [file, roles] = ["sandbar.yaml", "rbac.yaml"].map(|name| folder.join(name).display().to_string());
        std::fs::write(&file, config.to_string()).expect("a temporary file");
        let printed = Run::new(&["rbac", "--cluster", "demo", "--config", &file, "--output", &roles]).finish().await;
        assert_eq!(printed.code(), 0, "{}", printed.stderr);
        (file, roles)
    }

    /// Runs helm with the chart as the release `tools` in the namespace `charted`: installs or upgrades it with these values, and waits.
    pub(crate) fn charts(&self, values: &[&str]) {
        let image = self.image();
        let image = match (image.split_once('@'), image.rsplit_once(':')) {
            (Some((repository, digest)), _) => format!("image.repository={repository},image.digest={digest}"),
            (None, Some((repository, tag))) => format!("image.repository={repository},image.tag={tag}"),
            (None, None) => format!("image.repository={image}"),
        };
        let values = [&["--set", &image][..], values].concat();
        self.helm(&[&["upgrade", "--install", "--create-namespace", "tools", CHART][..], &values].concat());
    }

    /// Runs helm in the namespace `charted`, and has it wait.
    pub(crate) fn helm(&self, arguments: &[&str]) {
        let helm = Command::new(variable("E2E_HELM"))
            .args(arguments)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--namespace", "charted", "--wait", "--timeout", "180s"])
            .output()
            .expect("helm can be run");
        assert!(helm.status.success(), "helm {arguments:?}: {}", String::from_utf8_lossy(&helm.stderr));
    }

    /// Writes a ConfigMap with one file.
    pub(crate) fn write(&self, config_map: &str, file: &str, text: &str) {
        let metadata = json!({ "name": config_map, "namespace": "coder-system" });
        let data = json!({ file: text });
        self.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data }).to_string());
    }

    /// A registry that its pods reach, where it was made here.
    pub(crate) async fn registry(&self) -> Option<Registry> {
        self.node.as_ref()?;
        Some(Registry::start(&variable("E2E_COSIGN"), node::ADDRESS).await)
    }

    /// Brings all faults about, and a node that is not there.
    pub(crate) fn stage_faults(&self) -> Vec<Fault> {
        let faults = faults::all(&self.image());
        let place = |fault: &Fault| format!("e2e-{}", fault.topic);
        let labels = json!({ faults::LABEL: "" });
        let namespace =
            |fault| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": place(fault), "labels": labels } });
        let places: Vec<Value> = faults.iter().map(namespace).chain([faults::gone()]).collect();
        self.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": places }).to_string());
        let mut items = Vec::new();
        for fault in &faults {
            // No pod is let in before a controller has made it.
            let account = ["wait", "--for=create", "serviceaccount/default", "--timeout=60s", "--namespace", &place(fault)];
            self.run(&account, "");
            items.extend(fault.objects.iter().cloned().map(|mut object| {
                object["metadata"]["namespace"] = json!(place(fault));
                object
            }));
        }
        self.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string());
        faults
    }

    /// Takes them away again.
    pub(crate) fn ends_faults(&self) {
        self.kubectl(&["delete", "namespaces,nodes", "--selector", faults::LABEL, "--wait=false"]);
    }

    /// Makes of it a part of the Kubernetes API, as docs/how-to/authenticate.md has it. Nobody reaches it in another way from then on.
    pub(crate) async fn becomes_part_of_the_api(&self) {
        let config = format!("{IDENTITY}/sandbar.yaml");
        for arguments in [&["rbac", "--cluster", "demo", "--config"][..], &["apiservice", "--config"]] {
            let printed = Run::new(arguments).arg(&config).finish().await;
            assert_eq!(printed.code(), 0, "{}", printed.stderr);
            self.apply(&printed.stdout);
        }
        self.deploy(IDENTITY);
        self.kubectl(&["wait", "--for=condition=Available", "apiservice/v1.mcp.sandbar.dev", "--timeout=180s"]);
    }

    /// Somebody who may call, and read the events of one namespace, in which there is one: a kubeconfig of theirs in this folder.
    pub(crate) fn person(&self, name: &str, namespace: &str, folder: &Path) -> PathBuf {
        let rbac = "rbac.authorization.k8s.io";
        let subjects = json!([{ "kind": "ServiceAccount", "name": name, "namespace": namespace }]);
        let role = |kind: &str, name: &str| json!({ "apiGroup": rbac, "kind": kind, "name": name });
        let rbac = format!("{rbac}/v1");
        let here = json!({ "name": name, "namespace": namespace });
        let rules = json!([{ "apiGroups": [""], "resources": ["events"], "verbs": ["list"] }]);
        let items = json!([
            { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } },
            { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": here },
            { "apiVersion": rbac, "kind": "Role", "metadata": here, "rules": rules },
            { "apiVersion": rbac, "kind": "RoleBinding", "metadata": here, "subjects": subjects, "roleRef": role("Role", name) },
            {
                "apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": { "name": format!("{name}-calls") },
                "subjects": subjects, "roleRef": role("ClusterRole", "mcp.sandbar.dev:sandbar:caller"),
            },
            {
                "apiVersion": "v1", "kind": "Event", "metadata": here, "type": "Normal", "reason": "Tested", "message": "a test made it",
                "involvedObject": { "kind": "Pod", "name": name, "namespace": namespace },
            },
        ]);
        self.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string());
        let token = self.kubectl(&["create", "token", name, "--namespace", namespace]);
        let admins = self.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "--output", "json"]);
        let mut kubeconfig: Value = serde_json::from_str(&admins).expect("JSON");
        kubeconfig["users"][0]["user"] = json!({ "token": token.trim() });
        let file = folder.join(name);
        std::fs::write(&file, kubeconfig.to_string()).expect("written");
        file
    }

    /// Runs kubectl in the namespace `coder-system` and returns what it prints.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.run(&[&["--namespace", "coder-system"], arguments].concat(), "")
    }

    /// As the guides apply everything.
    fn apply(&self, manifests: &str) {
        self.run(&["apply", "--server-side", "--filename", "-"], manifests);
    }

    fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut kubectl = Command::new(&self.kubectl)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
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

    /// Has other pods take the place of all that there are, which need not succeed.
    pub(crate) fn restart(&self) {
        self.kubectl(&["rollout", "restart", "deployment/coder-k8s-mcp"]);
    }

    /// Has other pods take the place of all that there are.
    pub(crate) async fn roll(&self) {
        let before = self.pods();
        self.restart();
        self.rolled_out();
        until("the pods of before are gone", || {
            let gone = self.pods().iter().all(|pod| !before.contains(pod));
            async move { gone.then_some(()) }
        })
        .await;
    }

    /// The names of the pods, but for those that are to end.
    pub(crate) fn pods(&self) -> Vec<String> {
        let list = self.kubectl(&["get", "pods", "--selector", "app=coder-k8s-mcp", "--output", "json"]);
        let list: Value = serde_json::from_str(&list).expect("JSON");
        let pods = list["items"].as_array().expect("pods").iter().map(|pod| &pod["metadata"]);
        let staying = pods.filter(|pod| pod["deletionTimestamp"].is_null());
        staying.map(|pod| pod["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// What a container of all pods says, as far as it has begun.
    pub(crate) fn logs(&self, container: &str) -> String {
        let of = |pod: &String| self.kubectl(&["logs", pod, "--container", container, "--ignore-errors"]);
        self.pods().iter().map(of).collect()
    }

    /// `kubectl port-forward` to the Service, from this port or a free one.
    pub(crate) async fn port_forward(&self, port: u16) -> Way {
        self.port_forward_to("coder-system", "service/coder-k8s", port).await
    }

    /// The same to that of the chart.
    pub(crate) async fn port_forward_to_chart(&self) -> Way {
        self.port_forward_to("charted", "service/tools-sandbar", 0).await
    }

    async fn port_forward_to(&self, namespace: &str, service: &str, port: u16) -> Way {
        let ports = if port == 0 { format!(":{PORT}") } else { format!("{port}:{PORT}") };
        // Of two namespaces the last counts.
        let arguments = ["port-forward", "--namespace", namespace, "--address", "127.0.0.1", service, &ports];
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
