//! Text from anywhere, the operator's configuration, and the files of a snapshot.

use std::sync::LazyLock;

use sandbar_config::Config;
use sandbar_kubernetes::{Cluster, ClusterSource, Query, Resource, Scope};
use sandbar_policy::{Budget, Grant, Identity, Limits, PolicyRule, Verb};
use sandbar_text::{clean, clean_line};
use tempfile::TempDir;

/// Clean text is clean, stays so, and is a part of what it was, but for the spaces that keep words apart.
pub(super) fn clean_text(bytes: &[u8]) {
    const LINE: usize = 64;
    let text = String::from_utf8_lossy(bytes);
    let cleaned = clean(&text);
    assert_eq!(clean(&cleaned), cleaned);
    assert!(cleaned.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{cleaned:?}");
    assert!(!cleaned.contains(['\u{202e}', '\u{200b}', '\u{feff}', '\u{e0041}', '\u{2066}']), "{cleaned:?}");
    let mut before = text.chars();
    assert!(cleaned.chars().filter(|&c| c != ' ').all(|c| before.any(|other| other == c)), "{text:?} became {cleaned:?}");
    assert!(cleaned.matches('\n').count() <= text.matches('\n').count(), "a line is made up");
    let line = clean_line(&text, LINE);
    assert!(!line.contains(['\n', '\r']) && line.len() <= LINE, "{line:?}");
}

pub(super) fn clean_seeds() -> Vec<Vec<u8>> {
    [
        "plain\n\ttext\n",
        "\u{1b}[31mred\u{1b}[0m \u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\ \u{1b}(B\u{1b}7",
        "\u{9b}1m \u{9d}title\u{9c} a\u{202e}b\u{200d}c\u{e0041}\u{feff}\r\n\0\u{1b}",
        "日本語 🚀👩‍🚀 línea \u{ad} \u{1b}P1$r\n\u{1b}_x",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// A configuration is read, or refused with the name of its file; no limit of it is nothing.
pub(super) fn configuration(bytes: &[u8]) {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    let path = FOLDER.path().join(format!("{:?}.yaml", std::thread::current().id()));
    std::fs::write(&path, bytes).unwrap();
    match Config::read(&path) {
        Ok(config) => {
            let files = config.tools.iter().map(|tool| tool.component.clone());
            for source in sandbar_catalog::Source::bundled().chain(files) {
                let sandbar_catalog::Terms { limits, grants, .. } = config.terms(&source);
                assert!(limits.memory > 0 && limits.result > 0 && limits.read > 0 && limits.logs > 0, "{limits:?}");
                assert!(!limits.time.is_zero() && !limits.cpu.is_zero(), "{limits:?}");
                for rule in grants.into_values().flat_map(|grant| [grant.rules, grant.cluster_rules].concat()) {
                    assert_eq!(rule.validate(), Ok(()));
                }
            }
        }
        Err(refusal) => assert!(refusal.to_string().contains(".yaml"), "{refusal}"),
    }
}

pub(super) fn configuration_seeds() -> Vec<Vec<u8>> {
    [
        "",
        "listen: 127.0.0.1:8090\ncluster: auto\nnamespaces: [team-a, team-b]\nhosts: [a.example]\norigins: [https://a.example]\nlimits: { time: 30s, cpu: 5s, memory: 64Mi, requests: 64, read: 64Mi, logs: 1Mi, result: 4Mi, page: 1000 }\n",
        "tools:\n  - component: tools/restarts.wasm\n    rules:\n      - { apiGroups: [\"\"], resources: [pods, pods/log], verbs: [get, list] }\n    clusterRules:\n      - { apiGroups: [\"*\"], resources: [nodes], resourceNames: [a], verbs: [get] }\n    namespaces: [team-a]\n    settings: { threshold: 5, owners: [ada] }\n    limits: { time: 500ms, memory: 65536 }\n",
        "a: &a [*a]\nb: !!binary aGk=\n? {c: d}\n: |\n  text\n",
        "x: &x [1,2]\ny: &y [*x,*x]\nz: &z [*y,*y]\nlimits: {page: 0x10}\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// A directory with this file is a cluster that can be listed, or is refused.
pub(super) fn snapshot(bytes: &[u8]) {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    let folder = FOLDER.path().join(format!("{:?}", std::thread::current().id()));
    std::fs::create_dir_all(&folder).unwrap();
    // Both kinds are told by their names.
    let json = bytes.first() == Some(&b'{');
    let _ = std::fs::remove_file(folder.join(if json { "objects.yaml" } else { "objects.json" }));
    std::fs::write(folder.join(if json { "objects.json" } else { "objects.yaml" }), bytes).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Ok(cluster) = Cluster::connect(&ClusterSource::Snapshot(folder.clone())).await else { return };
        let grant = Grant { rules: vec![PolicyRule::new("*", &["*"], &[Verb::Get, Verb::List])], ..Grant::default() };
        let reader = cluster.reader_for(&Identity::Operator, grant.into(), Budget::new(Limits::default()).into()).unwrap();
        let query = Query {
            of: Resource { group: String::new(), version: String::new(), plural: "pods".to_owned() },
            within: Scope::EveryNamespace,
            label_selector: Some("app!=x".to_owned()),
            field_selector: None,
            fields: None,
            limit: Some(2),
            continue_: None,
        };
        if let Ok(page) = reader.list_objects(&query).await {
            let items: Vec<serde_json::Value> = serde_json::from_str(&page.items).unwrap();
            assert!(items.len() <= 2 && items.iter().all(|item| item["metadata"]["managedFields"].is_null()), "{items:?}");
        }
    });
}

pub(super) fn snapshot_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"kind":"List","apiVersion":"v1","items":[{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n","labels":{"app":"x"},"managedFields":[]}},{"kind":"Pod","apiVersion":"v1","metadata":{"name":"b","namespace":"n"}}]}"#,
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: n\n---\napiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: b, namespace: m, creationTimestamp: 2026-01-01T00:00:00Z}\n  status: {phase: Running}\n",
        "apiVersion: coder.com/v1alpha1\nkind: CoderControlPlane\nmetadata: {name: ../x, namespace: 'n'}\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
