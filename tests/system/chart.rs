//! The Helm chart: it makes the objects of `deploy/`, and a real API server takes it from its installation to its end. helm takes minutes to
//! build, so most of this runs in `make e2e`.

mod schemas;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::sandbar::Run;
use sandbar_tests::until;
use serde_json::Value;
use tempfile::TempDir;

use super::monitoring;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/chart");

/// Overlays over the folder.
const OVERLAYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/system/deploy");

/// Values for all that the chart has.
const EVERYTHING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/system/chart/everything.yaml");

/// Under the names of the objects in the folder.
const AS_IN_DEPLOY: [&str; 4] = ["--namespace", "coder-system", "--set", "fullnameOverride=coder-k8s-mcp,service.name=coder-k8s"];

/// Where helm and kubeconform are.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/helm/build.sh");
    let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{script} failed: {}", output.status);
    Path::new(String::from_utf8(output.stdout).unwrap().trim_end()).to_owned()
});

/// The real helm, with folders of its own, as the admin of a cluster.
struct Helm {
    kubeconfig: PathBuf,
    home: TempDir,
}

impl Helm {
    fn of(control_plane: &ControlPlane) -> Self {
        Self { kubeconfig: control_plane.kubeconfig().to_owned(), home: tempfile::tempdir().unwrap() }
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.try_run(arguments).unwrap_or_else(|words| panic!("helm {arguments:?}: {words}"))
    }

    /// The same, or what it says is wrong.
    fn try_run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut helm = Command::new(PROGRAMS.join("helm"));
        for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            helm.env(folder, self.home.path());
        }
        let output = helm.env("KUBECONFIG", &self.kubeconfig).args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// What the chart makes, in a file.
    fn made(&self, arguments: &[&str]) -> String {
        let file = self.home.path().join("made.yaml");
        std::fs::write(&file, self.run(&[&["template", "sandbar", CHART], arguments].concat())).unwrap();
        file.display().to_string()
    }
}

#[test]
fn the_roles_of_the_chart_are_those_of_the_base() {
    let [of_chart, of_base] =
        ["chart/files/rbac.yaml", "base/rbac.yaml"].map(|file| std::fs::read_to_string(format!("{DEPLOY}/{file}")));
    assert_eq!(of_chart.unwrap(), of_base.unwrap(), "`make rbac` writes both anew");
}

#[test]
#[ignore = "builds helm, which takes minutes: `make e2e`"]
fn helm_finds_no_fault_in_the_chart() {
    let said = Helm::of(ControlPlane::shared()).run(&["lint", "--strict", CHART]);
    assert!(said.contains("1 chart(s) linted, 0 chart(s) failed"), "{said}");
}

#[test]
#[ignore = "builds helm, which takes minutes: `make e2e`"]
fn kubeconform_finds_no_fault_in_what_the_chart_and_kustomize_make() {
    let control_plane = ControlPlane::shared();
    let (helm, folder) = (Helm::of(control_plane), tempfile::tempdir().unwrap());
    schemas::write(control_plane, folder.path());
    let checked = |file: &str| -> Value {
        let mut kubeconform = Command::new(PROGRAMS.join("kubeconform"));
        kubeconform.args(["-strict", "-summary", "-output", "json", "-schema-location", &schemas::location(folder.path()), file]);
        serde_json::from_slice(&kubeconform.output().unwrap().stdout).unwrap()
    };
    let base = folder.path().join("base.yaml");
    std::fs::write(&base, control_plane.kubectl(&["kustomize", &format!("{DEPLOY}/base")])).unwrap();
    for (file, least) in [
        (base.display().to_string(), 6),
        (helm.made(&[]), 6),
        (helm.made(&["--namespace", "all-of-the-chart", "--values", EVERYTHING, "--set", "rbac.create=false"]), 10),
    ] {
        let found = checked(&file);
        let summary = &found["summary"];
        assert!(summary["valid"].as_u64() >= Some(least), "{found:#}");
        assert_eq!(summary["invalid"].as_u64().zip(summary["errors"].as_u64()), Some((0, 0)), "{found:#}");
        assert_eq!(summary["skipped"], 0, "{found:#}");
    }
    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, std::fs::read_to_string(&base).unwrap().replace("readOnlyRootFilesystem", "readOnlyRoot")).unwrap();
    assert_eq!(checked(&broken.display().to_string())["summary"]["invalid"], 1, "what is misspelled is found");
}

#[test]
#[ignore = "builds helm, which takes minutes: `make e2e`"]
fn a_real_api_server_makes_the_same_of_the_chart_and_of_kustomize() {
    let control_plane = ControlPlane::start(&[]);
    for namespace in ["coder-system", "team-a", "team-b"] {
        control_plane.kubectl(&["create", "namespace", namespace]);
    }
    for crd in ["servicemonitors", "prometheusrules"] {
        let file = monitoring::programs().join(format!("{crd}.yaml")).display().to_string();
        control_plane.kubectl(&["apply", "--server-side", "-f", &file]);
        let name = format!("crd/{crd}.monitoring.coreos.com");
        control_plane.kubectl(&["wait", "--for", "condition=Established", "--timeout", "5m", &name]);
    }
    let helm = Helm::of(&control_plane);
    let namespaced = format!("{DEPLOY}/overlays/namespaced");
    let overlay = |name: &str| format!("{OVERLAYS}/{name}");
    let opened = "networkPolicy.open=true,networkPolicy.apiServers={192.0.2.20/32},networkPolicy.apiServerPort=443";
    let watched = "metrics.enabled=true,metrics.serviceMonitor.enabled=true,metrics.rules.enabled=true,\
                   metrics.serviceMonitor.labels.release=kube-prometheus-stack,metrics.rules.labels.release=kube-prometheus-stack";
    let confined = "userNamespaces=true,podSecurityContext.appArmorProfile.type=RuntimeDefault";
    let image = r#"tools.images=[{"name":"tools","mountPath":"/tools","reference":"registry.example.com/team/restarts@sha256:6b0e1e8d7f4f5f9ac1c2d7b3c9a1d6e2f0a4b8c3d5e7f9a1b2c3d4e5f6a7b8c9"}]"#;
    // Those of the tests have no roles.
    let with_tools = |more: &str| format!("rbac.create=false{more}");
    let elsewhere = ",image.repository=registry.example.com/sandbar";
    let config = |folder: &str| format!("config={folder}/sandbar.yaml");
    for (folder, arguments) in [
        (format!("{DEPLOY}/base"), vec![]),
        (overlay("encrypted"), vec!["--set", "tls.enabled=true"]),
        (overlay("measured"), vec!["--set", "metrics.enabled=true"]),
        (overlay("watched"), vec!["--set", watched]),
        (overlay("opened"), vec!["--set", opened]),
        (overlay("confined"), vec!["--set", confined]),
        (
            overlay("mounted"),
            vec!["--set", &with_tools(elsewhere), "--set-json", image, "--set-file", &config(&overlay("mounted"))],
        ),
        (
            overlay("pulled"),
            vec![
                "--set",
                &with_tools(&format!("{elsewhere},tools.pull.enabled=true")),
                "--set-file",
                &config(&overlay("pulled")),
            ],
        ),
        (
            overlay("scripted"),
            vec![
                "--set",
                &with_tools(""),
                "--set-file",
                &format!("{},scripts.pods\\.js={}/pods.js", config(&overlay("scripted")), overlay("scripted")),
            ],
        ),
        (namespaced.clone(), vec!["--set-file", &format!("{},rbac.roles={namespaced}/rbac.yaml", config(&namespaced))]),
    ] {
        let of_kustomize = accepted(&control_plane, &["-k", &folder]);
        let of_chart = accepted(&control_plane, &["-f", &helm.made(&[&AS_IN_DEPLOY[..], &arguments].concat())]);
        assert_eq!(of_chart.keys().collect::<Vec<_>>(), of_kustomize.keys().collect::<Vec<_>>(), "{folder}");
        for (object, value) in of_chart {
            assert_eq!(value, of_kustomize[&object], "{object:?} in {folder}");
        }
    }
}

#[test]
#[ignore = "builds helm, which takes minutes: `make e2e`"]
fn a_real_api_server_accepts_all_that_the_chart_has() {
    let control_plane = ControlPlane::shared();
    control_plane.kubectl(&["create", "namespace", "all-of-the-chart"]);
    control_plane.kubectl(&["label", "namespace", "all-of-the-chart", "pod-security.kubernetes.io/warn=restricted"]);
    let helm = Helm::of(control_plane);
    let made = helm.made(&["--namespace", "all-of-the-chart", "--values", EVERYTHING, "--set", "rbac.create=false"]);
    let accepted = control_plane.kubectl(&["apply", "--dry-run=server", "--warnings-as-errors", "-f", &made]);
    assert_eq!(accepted.lines().count(), 10, "{accepted}");
}

#[tokio::test]
#[ignore = "builds helm, which takes minutes: `make e2e`"]
async fn as_a_part_of_the_kubernetes_api_it_is_what_the_commands_print() {
    let folder = tempfile::tempdir().unwrap();
    let [config, roles] = ["sandbar.yaml", "rbac.yaml"].map(|file| folder.path().join(file).display().to_string());
    std::fs::write(&config, "apiService: { server: main }\nauthorization: { rights: caller }\n").unwrap();
    let roles_printed = Run::new(&["rbac", "--cluster", "demo", "--config", &config, "--output", &roles]).finish().await;
    assert_eq!(roles_printed.code(), 0, "{}", roles_printed.stderr);
    let printed = Run::new(&["apiservice", "--cert-manager", "--config", &config]).finish().await;
    assert_eq!(printed.code(), 0, "{}", printed.stderr);
    let wanted = [objects(&printed.stdout), objects(&std::fs::read_to_string(&roles).unwrap())].concat();

    let files = format!("config={config},rbac.roles={roles}");
    let values = ["--set", "tls.enabled=true,apiService.certManager=true", "--set-file", &files];
    let helm = Helm::of(ControlPlane::shared());
    let made = helm.made(&[&AS_IN_DEPLOY[..], &values].concat());
    let made = objects(&std::fs::read_to_string(made).unwrap());
    let [wanted, of_chart] = [wanted, made].map(|objects| {
        let without_labels = |mut object: Value| {
            object["metadata"].as_object_mut().unwrap().remove("labels");
            object
        };
        objects.into_iter().map(without_labels).collect::<Vec<_>>()
    });
    for object in wanted {
        assert!(of_chart.contains(&object), "{object:#}");
    }
}

#[test]
#[ignore = "builds helm, which takes minutes: `make e2e`"]
fn values_that_cannot_be_meant_are_refused_with_what_to_do() {
    let helm = Helm::of(ControlPlane::shared());
    for (values, said) in [
        ("image.tga=1", "additional properties 'tga' not allowed"),
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("scripts.restarts=x", "'restarts' does not match pattern"),
        ("config=: :", "config is no YAML"),
        ("config.namespaces={team-a}", "run `sandbar rbac"),
        ("config.tls.key=tls.key", "set tls.enabled in its place"),
        ("config.metrics.listen=0.0.0.0:9090", "set metrics.enabled, metrics.port and metrics.page in its place"),
        ("metrics.enabled=true,config.metrics.page=false", "set metrics.enabled, metrics.port and metrics.page in its place"),
        ("config.listen=127.0.0.1:9000", "set the value listen in its place"),
        ("metrics.enabled=true,metrics.port=8090", "MCP and metrics cannot both be at port 8090"),
        ("metrics.serviceMonitor.enabled=true", "set metrics.enabled"),
        ("config.apiService.group=mcp.example.com", "set tls.enabled"),
        ("rbac.roles=kind: Pod", "rbac.roles has a Pod"),
        ("networkPolicy.egress[0].ports[0].port=443", "name the API server's addresses there"),
        ("config.apiService.server=main,tls.enabled=true,rbac.create=false", "set apiService.caBundle"),
    ] {
        let words = helm.try_run(&["template", "sandbar", CHART, "--set", values]).unwrap_err();
        assert!(words.contains(said), "{values}: {words}");
    }
}

#[tokio::test]
#[ignore = "builds helm, which takes minutes: `make e2e`"]
async fn it_is_installed_upgraded_and_taken_back_with_its_rights_and_leaves_nothing() {
    let control_plane = ControlPlane::shared();
    let helm = Helm::of(control_plane);
    let there = ["--namespace", "charted"];
    let may = async |verb: &str, resource: &str, expected: bool| {
        let asked = ["auth", "can-i", verb, resource, "-A", "--as", "system:serviceaccount:charted:tools-sandbar"];
        until(&format!("the server may {verb} {resource}: {expected}"), async || {
            (control_plane.try_kubectl(&asked).is_ok() == expected).then_some(())
        })
        .await;
    };
    let names =
        || control_plane.kubectl(&["get", "configmaps,poddisruptionbudgets,deployments,services", "-n", "charted", "-o", "name"]);

    helm.run(&[&["install", "tools", CHART, "--create-namespace"][..], &there].concat());
    may("list", "events", true).await;
    may("list", "pods", false).await;

    let scripted = format!("{OVERLAYS}/scripted");
    let folder = tempfile::tempdir().unwrap();
    let roles = folder.path().join("rbac.yaml").display().to_string();
    let config = format!("{scripted}/sandbar.yaml");
    let printed = Run::new(&["rbac", "--cluster", "demo", "--config", &config, "--output", &roles]).finish().await;
    assert_eq!(printed.code(), 0, "{}", printed.stderr);
    let files = format!("config={config},rbac.roles={roles},scripts.pods\\.js={scripted}/pods.js");
    helm.run(&[&["upgrade", "tools", CHART, "--set", "replicas=2", "--set-file", &files][..], &there].concat());
    may("list", "pods", true).await;
    for object in ["configmap/tools-sandbar", "configmap/tools-sandbar-scripts", "poddisruptionbudget.policy/tools-sandbar"] {
        assert!(names().contains(object), "{object}: {}", names());
    }

    helm.run(&[&["rollback", "tools", "1"][..], &there].concat());
    may("list", "pods", false).await;
    may("list", "events", true).await;
    assert!(!names().contains("configmap/tools-sandbar") && !names().contains("poddisruptionbudget"), "{}", names());

    helm.run(&[&["uninstall", "tools"][..], &there].concat());
    may("list", "events", false).await;
    assert!(!names().contains("tools-sandbar"), "{}", names());
}

#[test]
#[ignore = "builds helm, which takes minutes: `make e2e`"]
fn it_takes_the_place_of_what_kustomize_has_applied() {
    let control_plane = ControlPlane::start(&[]);
    control_plane.kubectl(&["create", "namespace", "coder-system"]);
    control_plane.kubectl(&["apply", "--server-side", "-k", &format!("{OVERLAYS}/encrypted")]);
    let deployment = ["deployment", "coder-k8s-mcp", "-n", "coder-system"];
    control_plane.kubectl(&[&["delete"][..], &deployment, &["--cascade=orphan", "--wait=false"]].concat());
    // What a controller does, of which this cluster has none, once it has let go of the pods.
    control_plane
        .kubectl(&[&["patch"][..], &deployment, &["--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]].concat());
    let helm = Helm::of(&control_plane);
    let takes_over = ["install", "coder-k8s-mcp", CHART, "--take-ownership", "--force-conflicts"];
    helm.run(&[&takes_over[..], &AS_IN_DEPLOY].concat());
    let left = control_plane.kubectl(&["get", "deployment", "coder-k8s-mcp", "-n", "coder-system", "-o", "yaml"]);
    for of_overlay in ["SANDBAR_TLS", "scheme: HTTPS", "coder-k8s-mcp-tls"] {
        assert!(!left.contains(of_overlay), "{of_overlay}: {left}");
    }
}

/// What the API server would make of these objects, by kind and name, without what it and helm write into each.
fn accepted(control_plane: &ControlPlane, arguments: &[&str]) -> BTreeMap<(String, String), Value> {
    let printed = control_plane.kubectl(&[&["apply", "--dry-run=server", "--output", "json"], arguments].concat());
    let mut list: Value = serde_json::from_str(&printed).unwrap();
    let Value::Array(objects) = list["items"].take() else { panic!("{printed}") };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    objects
        .into_iter()
        // A release is in a namespace that is there.
        .filter(|object| object["kind"] != "Namespace")
        .map(|mut object| {
            strip(&mut object);
            ((text(&object["kind"]), text(&object["metadata"]["name"])), object)
        })
        .collect()
}

fn strip(value: &mut Value) {
    const LABELS: [&str; 5] =
        ["app", "app.kubernetes.io/component", "app.kubernetes.io/name", "app.kubernetes.io/part-of", "release"];
    const WRITTEN: [&str; 8] =
        ["annotations", "clusterIP", "clusterIPs", "creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"];
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !WRITTEN.contains(&key.as_str()));
            // The one that selects, the one by which Prometheus chooses objects, and those that do not say which release it is of, and who has
            // made it.
            if let Some(Value::Object(labels)) = fields.get_mut("labels") {
                labels.retain(|key, _| LABELS.contains(&key.as_str()));
                if labels.is_empty() {
                    fields.remove("labels");
                }
            }
            if let Some(Value::String(name)) = fields.get_mut("name") {
                name.truncate(without_hash(name).len());
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(entries) => {
            entries.iter_mut().for_each(strip);
            if entries.iter().all(|entry| entry["name"].is_string()) {
                entries.sort_by_key(|entry| entry["name"].to_string());
            }
        }
        _ => {}
    }
}

/// The name of a ConfigMap as it is before kustomize adds a hash of its contents, which has ten characters.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((own, hash)) if own.starts_with("coder-k8s-mcp") && hash.len() == 10 => own,
        _ => name,
    }
}

fn objects(yaml: &str) -> Vec<Value> {
    let texts = yaml.split("---\n").filter(|text| !text.trim().is_empty());
    texts.map(|text| serde_saphyr::from_str(text).expect("YAML")).collect()
}
