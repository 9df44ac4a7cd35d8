//! A large cluster, in which ten things are wrong.

use futures::future::join_all;
use kube::api::{Api, DynamicObject, ListParams};
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::namespace::{Namespace, create, resource};
use sandbar_tests::troubles::{Staged, Trouble};
use sandbar_tests::until;
use serde_json::{Value, json};

pub(super) const PODS: usize = 5_000;
pub(super) const NODES: usize = 200;
pub(super) const NAMESPACES: usize = 70;

/// Pods of one namespace that is larger than the others.
pub(super) const LARGE: usize = 500;

/// Pods whose logs are searched, and lines of each.
pub(super) const LOGS: usize = 80;
pub(super) const LINES: usize = 1_000;

/// What is looked for in them: one line in fifty.
pub(super) const MATCHING: &str = " 500 ";

const TROUBLES: [Trouble; 10] = [
    Trouble::Image,
    Trouble::CrashLoop,
    Trouble::OutOfMemory,
    Trouble::Taint,
    Trouble::Claim,
    Trouble::Probe,
    Trouble::Quota,
    Trouble::Rollout,
    Trouble::Service,
    Trouble::Job,
];

/// Pods of a workload, where nothing else is said.
const OF_WORKLOAD: usize = 10;

/// Workloads and nodes that are created at once.
const BATCH: usize = 8;

/// What the name of a Deployment's ReplicaSet ends with.
const HASH: &str = "5c9d8f7b6f";

pub(super) struct Large {
    pub(super) control_plane: ControlPlane,
    /// That of the [`LARGE`] pods.
    pub(super) large: Namespace,
    /// That of the pods with label `app=logged`, which have logs.
    pub(super) logged: Namespace,
    /// What is wrong, and in which namespace.
    pub(super) troubles: Vec<(String, Staged)>,
}

impl Large {
    pub(super) async fn start() -> Self {
        let control_plane = ControlPlane::start(&[]);
        let client = control_plane.client("admin").await;
        let nodes: Vec<usize> = (0..NODES).collect();
        for batch in nodes.chunks(BATCH) {
            let node = |number| json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": node(number) } });
            join_all(batch.iter().map(|&number| create(&client, node(number)))).await;
        }
        control_plane.kubectl(&["wait", "--for=condition=Ready", "nodes", "--all", "--timeout=300s"]);

        let namespaces = join_all((0..NAMESPACES).map(|_| Namespace::fresh_in(&control_plane, "team"))).await;
        let [large, logged, others @ ..] = &namespaces[..] else { unreachable!("there are more") };
        let mut workloads: Vec<Workload> = (0..LARGE / OF_WORKLOAD).map(|number| Workload::new(large, number)).collect();
        workloads
            .extend((0..(PODS - LARGE - LOGS) / OF_WORKLOAD).map(|number| Workload::new(&others[number % others.len()], number)));
        let of_logs = Workload { namespace: logged, name: "logged".to_owned(), pods: LOGS };
        for number in 0..LOGS {
            logged.log(&of_logs.pod_name(number), None, &log(number), None).await;
        }
        workloads.push(of_logs);
        for batch in workloads.chunks(BATCH) {
            join_all(batch.iter().map(Workload::create)).await;
        }
        let pods: Api<DynamicObject> = Api::all_with(client, &resource("v1", "Pod"));
        let waiting = ListParams::default().fields("status.phase!=Running").limit(1);
        until("all pods run", async || pods.list(&waiting).await.expect("a list").items.is_empty().then_some(())).await;
        let mut troubles = Vec::new();
        for (trouble, namespace) in TROUBLES.into_iter().zip(others) {
            troubles.push((namespace.name().to_owned(), trouble.stage(namespace).await));
        }
        Self { large: large.clone(), logged: logged.clone(), troubles, control_plane }
    }
}

fn node(number: usize) -> String {
    format!("node-{:03}", number % NODES)
}

/// The log of a pod: what servers write.
fn log(pod: usize) -> CriLog {
    CriLog::of((0..LINES).map(|line| {
        let status = if line % 50 == 7 { 500 } else { 200 };
        let (customer, took) = (line * 7919 % 10_000, (line + pod) % 400);
        format!("level=info method=GET path=/api/v1/customers/{customer}/orders status: {status} duration={took}ms trace={pod:04x}{line:08x}")
    }))
}

/// A Deployment and all that belongs to it.
struct Workload<'n> {
    namespace: &'n Namespace,
    name: String,
    pods: usize,
}

impl<'n> Workload<'n> {
    fn new(namespace: &'n Namespace, number: usize) -> Self {
        Self { namespace, name: format!("service-{number}"), pods: OF_WORKLOAD }
    }

    fn pod_name(&self, number: usize) -> String {
        format!("{}-{HASH}-p{number:04}", self.name)
    }

    async fn create(&self) {
        let Self { namespace, name, pods } = self;
        let status = json!({ "observedGeneration": 1, "replicas": pods, "readyReplicas": pods, "availableReplicas": pods });
        let spec = json!({
            "replicas": pods, "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": self.labels() }, "spec": pod_spec() },
        });
        let mut deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name }, "spec": spec.clone(), "status": status.clone(),
        });
        deployment["status"]["updatedReplicas"] = json!(pods);
        let replica_set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": spec, "status": status,
            "metadata": { "name": format!("{name}-{HASH}"), "ownerReferences": [owner("Deployment", name)] },
        });
        // Without an address: the control plane has 254 of them.
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
            "spec": { "clusterIP": "None", "selector": { "app": name }, "ports": [{ "port": 80 }] },
        });
        for object in [deployment, replica_set, service] {
            namespace.create(object).await;
        }
        join_all((0..*pods).map(|number| namespace.create(self.pod(number)))).await;
    }

    fn labels(&self) -> Value {
        json!({ "app": self.name, "team": self.namespace.name(), "pod-template-hash": HASH })
    }

    fn pod(&self, number: usize) -> Value {
        let mut spec = pod_spec();
        let at = self.name.bytes().map(usize::from).sum::<usize>();
        spec["nodeName"] = json!(node(at * OF_WORKLOAD + number));
        json!({
            "apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {
                "name": self.pod_name(number), "labels": self.labels(),
                "ownerReferences": [owner("ReplicaSet", &format!("{}-{HASH}", self.name))],
            },
        })
    }
}

fn owner(kind: &str, name: &str) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "0b2f5c1e-6d1c-4a55-9d3b-3f1d2c4b5a69", "controller": true })
}

/// As people write them.
fn pod_spec() -> Value {
    let probe = |path: &str| json!({ "httpGet": { "path": path, "port": 8080 }, "periodSeconds": 10, "timeoutSeconds": 2 });
    let env = ["LOG_LEVEL", "PORT", "REGION", "FEATURES", "OTEL_EXPORTER_OTLP_ENDPOINT"]
        .map(|name| json!({ "name": name, "value": "some value" }));
    json!({
        "containers": [{
            "name": "app", "image": "registry.example.com/team/app:1.24.3", "env": env,
            "ports": [{ "name": "http", "containerPort": 8080 }],
            "resources": { "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "memory": "256Mi" } },
            "livenessProbe": probe("/healthz"), "readinessProbe": probe("/ready"),
            "volumeMounts": [{ "name": "settings", "mountPath": "/etc/app" }],
            "securityContext": { "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false },
        }],
        "volumes": [{ "name": "settings", "configMap": { "name": "settings" } }],
    })
}
