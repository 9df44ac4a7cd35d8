//! Container logs: which container, which run, how much.

use std::fs;
use std::os::unix::fs::FileExt as _;

use super::{Asker, CLUSTER};

const PODS: (&str, &str) = (
    "team-a/pods.yaml",
    "\
apiVersion: v1
kind: PodList
items:
- metadata: { name: web-0, namespace: team-a, creationTimestamp: 2026-11-19T08:00:00Z }
  spec: { nodeName: node-1, containers: [{ name: app }, { name: sidecar }] }
  status: { containerStatuses: [{ name: app, restartCount: 1, lastState: { terminated: { exitCode: 1 } } }, { name: sidecar }] }
- metadata: { name: one-0, namespace: team-a }
  spec: { nodeName: node-1, containers: [{ name: app }] }
- metadata: { name: idle-0, namespace: team-a }
  spec: { containers: [{ name: app }] }
- metadata: { name: new-0, namespace: team-a }
  spec: { nodeName: node-1, initContainers: [{ name: init }], containers: [{ name: app }, { name: sidecar }] }
  status: { containerStatuses: [{ name: app, state: { waiting: { reason: PodInitializing } } }] }
",
);

const LINES: &str = "2026-11-19T09:00:00.000000000Z stdout F one\n2026-11-19T09:00:30.000000000Z stderr F two\n\
                     2026-11-19T09:01:00.000000000Z stdout P thr\n2026-11-19T09:01:00.000000000Z stdout F ee\n";

fn cluster() -> Asker {
    Asker::of(&[
        PODS,
        ("pods/team-a_web-0_u1/app/1.log", LINES),
        ("pods/team-a_web-0_u1/app/0.log", "2026-11-19T08:59:00.000000000Z stdout F before\n"),
        ("team-a/web-0/sidecar.log", "2026-11-19T09:00:00.000000000Z plain\n"),
        ("team-a/one-0/logs.txt", "whole\nfile\n"),
    ])
}

async fn log(pod: &str, query: &str) -> String {
    let (code, text) = cluster().get(&format!("/api/v1/namespaces/team-a/pods/{pod}/log?{query}")).await;
    assert_eq!(code, 200, "{text}");
    text
}

async fn refusal(pod: &str, query: &str) -> (u16, String) {
    let (code, _, message) = cluster().refusal(&format!("/api/v1/namespaces/team-a/pods/{pod}/log?{query}")).await;
    (code, message)
}

#[tokio::test]
async fn a_log_comes_from_the_container_and_the_run_that_is_asked_for() {
    assert_eq!(log("web-0", "container=app").await, "one\ntwo\nthree\n");
    assert_eq!(
        log("web-0", "container=sidecar").await,
        "2026-11-19T09:00:00.000000000Z plain\n",
        "its own time, for all we know"
    );
    assert_eq!(log("web-0", "container=app&previous=true").await, "before\n");
    assert_eq!(log("one-0", "").await, "whole\nfile\n", "the only container need not be named, neither here nor in the file");
}

#[tokio::test]
async fn a_log_is_cut_as_the_kubelet_cuts_it() {
    assert_eq!(log("web-0", "container=app&tailLines=2").await, "three\n", "records are counted");
    assert_eq!(log("web-0", "container=app&tailLines=0").await, "");
    assert_eq!(log("web-0", "container=app&limitBytes=5").await, "one\nt");
    assert_eq!(log("web-0", "container=app&tailLines=1&timestamps=true").await, "2026-11-19T09:01:00.000000000Z ee\n");
    assert_eq!(log("one-0", "tailLines=1&limitBytes=2").await, "fi");
}

#[tokio::test]
async fn now_is_the_newest_time_stamp_of_the_snapshot() {
    assert_eq!(log("web-0", "container=app&sinceSeconds=30").await, "two\nthree\n");
    assert_eq!(log("web-0", "container=app&sinceSeconds=1").await, "three\n");
    assert_eq!(log("web-0", "container=app&sinceSeconds=9223372036854775807").await, "one\ntwo\nthree\n");
    assert_eq!(log("web-0", "container=sidecar&sinceSeconds=1").await, "2026-11-19T09:00:00.000000000Z plain\n");
}

#[tokio::test]
async fn without_the_kubelets_times_it_is_said_that_lines_are_of_any_age() {
    let cluster = cluster();
    let path = |query: &str| format!("/api/v1/namespaces/team-a/pods/web-0/log?{query}");
    for asked in ["sinceSeconds=1", "timestamps=true"] {
        let warning = cluster.warning(&path(&format!("container=sidecar&{asked}"))).await.unwrap();
        assert!(
            warning.starts_with("the file of this log (team-a/web-0/sidecar.log) does not have the kubelet's times"),
            "{warning}"
        );
        assert_eq!(cluster.warning(&path(&format!("container=app&{asked}"))).await, None);
    }
    assert_eq!(cluster.warning(&path("container=sidecar&tailLines=1")).await, None);
}

#[tokio::test]
async fn a_layouts_times_are_believed_only_if_every_line_has_one() {
    let own = "2026-11-19T09:00:00.000000000Z INFO started\nat some::place\n";
    for path in ["namespaces/team-a/pods/one-0/app/app/logs/current.log", "pods/team-a_one-0_u1/app/0.log"] {
        assert_eq!(Asker::of(&[PODS, (path, own)]).get("/api/v1/namespaces/team-a/pods/one-0/log").await.1, own, "{path}");
    }
}

#[tokio::test]
async fn the_tail_of_a_huge_log_is_read_from_its_end() {
    let cluster = Asker::of(&[PODS, ("team-a/one-0/app.log", "")]);
    let path = cluster.1.as_ref().unwrap().path().join("team-a/one-0/app.log");
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    // A sparse file takes no disk space.
    let lines: String = (0..100_000).map(|n| format!("line {n}\n")).collect();
    file.write_all_at(format!("\n{lines}").as_bytes(), 1 << 40).unwrap();
    let path = "/api/v1/namespaces/team-a/pods/one-0/log?tailLines";
    assert_eq!(cluster.get(&format!("{path}=100000")).await.1, lines);
    assert_eq!(cluster.get(&format!("{path}=2")).await.1, "line 99998\nline 99999\n");
}

#[tokio::test]
async fn the_container_has_to_be_named_if_there_are_several() {
    let several = "a container name must be specified for pod web-0, choose one of: [app sidecar]";
    assert_eq!(refusal("web-0", "").await, (400, several.to_owned()));
    let init =
        "a container name must be specified for pod new-0, choose one of: [app sidecar] or one of the init containers: [init]";
    assert_eq!(refusal("new-0", "").await, (400, init.to_owned()));
    assert_eq!(refusal("web-0", "container=nope").await, (400, "container nope is not valid for pod web-0".to_owned()));
}

#[tokio::test]
async fn a_pod_without_a_node_has_an_empty_log() {
    assert_eq!(cluster().get("/api/v1/namespaces/team-a/pods/idle-0/log").await, (204, String::new()));
}

#[tokio::test]
async fn why_there_is_no_log() {
    assert_eq!(refusal("nope", "").await, (404, "pods \"nope\" not found".to_owned()));
    let never = "previous terminated container \"sidecar\" in pod \"web-0\" not found";
    assert_eq!(refusal("web-0", "container=sidecar&previous=true").await, (400, never.to_owned()));
    let waiting = "container \"app\" in pod \"new-0\" is waiting to start: PodInitializing";
    assert_eq!(refusal("new-0", "container=app").await, (400, waiting.to_owned()));
    let dump = Asker::of(&CLUSTER);
    let (code, _, message) = dump.refusal("/api/v1/namespaces/team-b/pods/db-0/log").await;
    assert_eq!((code, message.as_str()), (404, "the snapshot holds no log of container \"db\" in pod team-b/db-0"));
    let lost = Asker::of(&[PODS]);
    let (code, _, message) = lost.refusal("/api/v1/namespaces/team-a/pods/web-0/log?container=app&previous=true").await;
    assert_eq!(
        (code, message.as_str()),
        (404, "the snapshot holds no log of the previous run of container \"app\" in pod team-a/web-0")
    );
}

#[tokio::test]
async fn options_out_of_range_are_invalid() {
    let problem = "PodLogOptions \"one-0\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0";
    assert_eq!(refusal("one-0", "tailLines=-1").await, (422, problem.to_owned()));
    for field in ["limitBytes", "sinceSeconds"] {
        let problem = format!("PodLogOptions \"one-0\" is invalid: {field}: Invalid value: 0: must be greater than 0");
        assert_eq!(refusal("one-0", &format!("{field}=0")).await, (422, problem));
    }
    assert_eq!(refusal("one-0", "tailLines=x").await, (400, "strconv.ParseInt: parsing \"x\": invalid syntax".to_owned()));
}
