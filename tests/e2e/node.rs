//! A cluster with this machine as its only node: the control plane of the tests, and with it what kwok plays elsewhere - kubelet, container
//! runtime, network - and the controllers. Everything is inside the namespaces that run.sh made, and ends with them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::process::Leash;
use sandbar_tests::until;
use tempfile::TempDir;

/// Of the machine, in a network of its own: one for documentation (RFC 5737), so that it is nobody's.
pub(crate) const ADDRESS: &str = "192.0.2.10";

/// Of pods.
const PODS: &str = "10.88.0.0/16";

const NAME: &str = "node";

/// Folders of the machine that the programs insist on. In the mount namespace they are empty and our own.
const SCRATCH: [&str; 4] = ["/run", "/var/log", "/var/lib/cni", "/var/lib/kubelet"];

/// A running cluster. It ends when this is dropped, or with this process.
pub(crate) struct Node {
    // They end in this order.
    programs: Vec<Program>,
    control_plane: ControlPlane,
    containerd: PathBuf,
    files: TempDir,
}

impl Node {
    /// Starts it, and waits until the node is ready for pods. `programs`: the folder that build.sh prints.
    pub(crate) async fn start(programs: &Path) -> Self {
        for folder in SCRATCH {
            std::fs::create_dir_all(folder).expect("a folder");
            system("mount", &["-t", "tmpfs", "tmpfs", folder]);
        }
        network();
        let files = TempDir::with_prefix("sandbar-e2e-").expect("a temporary directory");
        let control_plane = ControlPlane::start(&["--address", ADDRESS]);
        let containerd = files.path().join("containerd.sock");
        let mut node = Self { programs: Vec::new(), control_plane, containerd, files };

        node.write("cni/pods.conflist", &pod_network());
        let config = node.write("containerd.toml", &containerd_config(node.files.path()));
        node.run(Path::new("containerd"), &[format!("--config={config}")]);
        until("containerd answers", || {
            let answer = node.ctr(&["version"]).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("ctr can be run");
            async move { answer.success().then_some(()) }
        })
        .await;

        let kubeconfig = format!("--kubeconfig={}", node.kubeconfig().display());
        let key = node.control_plane.service_account_key().display();
        let authority = node.control_plane.certificate_authority().display();
        let controllers = [
            kubeconfig.clone(),
            format!("--service-account-private-key-file={key}"),
            format!("--root-ca-file={authority}"),
            format!("--cluster-cidr={PODS}"),
            "--leader-elect=false".to_owned(),
        ];
        node.run(&programs.join("kube-controller-manager"), &controllers);
        node.run(&programs.join("kube-scheduler"), &[kubeconfig.clone(), "--leader-elect=false".to_owned()]);
        let proxy = [
            kubeconfig.clone(),
            "--proxy-mode=iptables".to_owned(),
            format!("--cluster-cidr={PODS}"),
            format!("--hostname-override={NAME}"),
        ];
        node.run(&programs.join("kube-proxy"), &proxy);
        node.write("resolv.conf", "");
        let config = node.write("kubelet.yaml", &kubelet_config(node.files.path()));
        let kubelet = [
            kubeconfig,
            format!("--config={config}"),
            format!("--root-dir={}", node.path("kubelet")),
            format!("--cert-dir={}", node.path("kubelet-pki")),
            format!("--hostname-override={NAME}"),
            format!("--node-ip={ADDRESS}"),
        ];
        node.run(&programs.join("kubelet"), &kubelet);
        until("the node is ready", || {
            let condition = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}";
            let ready = node.control_plane.kubectl(&["get", "nodes", "--output", condition]) == "True";
            async move { ready.then_some(()) }
        })
        .await;
        node
    }

    /// For the admin.
    pub(crate) fn kubeconfig(&self) -> &Path {
        self.control_plane.kubeconfig()
    }

    /// Takes the image of an OCI archive.
    pub(crate) fn import(&self, archive: &Path) {
        let status = self.ctr(&["images", "import", "--snapshotter", "native"]).arg(archive).status().expect("ctr can be run");
        assert!(status.success(), "{} cannot be imported: {status}", archive.display());
    }

    fn ctr(&self, arguments: &[&str]) -> Command {
        let mut ctr = Command::new("ctr");
        ctr.arg("--address").arg(&self.containerd).args(["--namespace", "k8s.io"]).args(arguments);
        ctr
    }

    fn run(&mut self, program: &Path, arguments: &[String]) {
        self.programs.push(Program::start(program, arguments, self.files.path()));
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.files.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder of ours")).expect("a temporary directory");
        std::fs::write(path, text).expect("a temporary file");
        self.path(name)
    }
}

/// A program that runs until this is dropped. Its log is a file beside the others.
struct Program {
    child: Child,
    _leash: Leash,
}

impl Program {
    fn start(program: &Path, arguments: &[String], folder: &Path) -> Self {
        let name = program.file_name().expect("a program").to_string_lossy();
        let log = File::create(folder.join(format!("{name}.log"))).expect("a temporary file");
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let leash = Leash::new(child.id());
        Self { child, _leash: leash }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address for the node, and a way out: without a route the kernel refuses a Service's address before kube-proxy's rules see it.
fn network() {
    system("ip", &["link", "set", "lo", "up"]);
    system("ip", &["link", "add", "outside0", "type", "veth", "peer", "name", "outside1"]);
    system("ip", &["address", "add", &format!("{ADDRESS}/24"), "dev", "outside0"]);
    system("ip", &["link", "set", "outside0", "up"]);
    system("ip", &["link", "set", "outside1", "up"]);
    system("ip", &["route", "add", "default", "dev", "outside0"]);
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("a network namespace of our own");
}

fn system(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

/// Of the network plugins: a bridge, and the way out through the node's address.
fn pod_network() -> String {
    format!(
        r#"{{
  "cniVersion": "1.0.0", "name": "pods",
  "plugins": [
    {{
      "type": "bridge", "bridge": "pods", "isGateway": true, "ipMasq": true,
      "ipam": {{ "type": "host-local", "ranges": [[{{ "subnet": "{PODS}" }}]], "routes": [{{ "dst": "0.0.0.0/0" }}] }}
    }},
    {{ "type": "portmap", "capabilities": {{ "portMappings": true }} }}
  ]
}}"#
    )
}

fn containerd_config(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "sandbar.test/pause:1"
# The score of a process that is a container already cannot be lowered.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{folder}/cni"
# Copies: it works on every file system, that of a container too.
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
"#
    )
}

fn kubelet_config(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{ anonymous: {{ enabled: true }}, webhook: {{ enabled: false }} }}
authorization: {{ mode: AlwaysAllow }}
containerRuntimeEndpoint: unix://{folder}/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
podLogsDir: {folder}/pod-logs
resolvConf: {folder}/resolv.conf
# A disk that is nearly full is none of this test's business.
evictionHard: {{ memory.available: "1Mi", nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%" }}
imageGCHighThresholdPercent: 100
"#
    )
}
