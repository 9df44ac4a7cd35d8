//! Answers of the API server with gzip: the same as without, in fewer bytes, for those for whom the way is long.

use std::net::SocketAddr;
use std::path::Path;

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::fake_api::{FakeAnswer, FakeApi};
use sandbar_tests::mcp::Client;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Builder, Server};
use sandbar_tests::until;
use sandbar_tests::wire::Wire;
use serde_json::{Value, json};

/// Events, and bytes of an annotation of each: together well over the 128 KiB from which on an API server compresses.
const EVENTS: usize = 40;
const ANNOTATION: usize = 8 * 1024;

/// A kubeconfig of the control plane that leads over a wire, with another line for the cluster.
async fn over_a_wire(folder: &Path, line: &str) -> (Wire, Builder) {
    let control_plane = ControlPlane::shared();
    let server: SocketAddr = control_plane.server().trim_start_matches("https://").parse().unwrap();
    let wire = Wire::to(server).await;
    let kubeconfig = std::fs::read_to_string(control_plane.kubeconfig()).unwrap();
    let before = format!("    server: {}\n", control_plane.server());
    assert!(kubeconfig.contains(&before), "{kubeconfig}");
    let path = folder.join(format!("kubeconfig-{}", wire.address().port()));
    std::fs::write(&path, kubeconfig.replace(&before, &format!("    server: https://{}\n{line}", wire.address()))).unwrap();
    (wire, Server::builder().kubeconfig(&path).cluster("kubeconfig:admin"))
}

/// What the log says that the last call has read.
fn read_bytes(server: &Server) -> u64 {
    let log = server.log();
    let (_, rest) = log.rsplit_once("read_bytes=").expect("the call's event");
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_large_list_is_the_same_in_fewer_bytes() {
    let namespace = Namespace::fresh("gzip").await;
    let words = "the quick brown fox jumps over the lazy dog; ".repeat(ANNOTATION / 45);
    for number in 0..EVENTS {
        let annotations = json!({ "tests/words": format!("{number}: {words}") });
        namespace.event(&format!("event-{number:02}"), json!({ "metadata": { "annotations": annotations } })).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let arguments = json!({ "namespace": namespace.name(), "limit": EVENTS });
    let mut seen: Vec<(Value, u64, u64)> = Vec::new();
    // As it is asked for, as it is refused, and on one machine.
    for line in ["    disable-compression: false\n", "    disable-compression: true\n", ""] {
        let (wire, server) = over_a_wire(folder.path(), line).await;
        let server = server.start().await;
        let client = Client::modern(&server);
        // By now discovery has been read.
        client.answer("get_events", json!({ "namespace": "default" })).await;
        let before = wire.came_back();
        let answer = client.answer("get_events", arguments.clone()).await;
        let came_back = wire.came_back() - before;
        let is_told = || async { (server.log().matches("read_bytes=").count() == 2).then_some(()) };
        until("both calls are told in the log", is_told).await;
        seen.push((answer, came_back, read_bytes(&server)));
    }
    let [(packed, few, read_packed), (plain, many, read_plain), (here, as_many, _)] = &seen[..] else { unreachable!() };
    assert_eq!(packed["items"].as_array().unwrap().len(), EVENTS);
    assert!(packed["items"] == plain["items"] && packed["items"] == here["items"]);
    let least = (EVENTS * ANNOTATION * 9 / 10) as u64;
    assert!(*many > least && *as_many > least, "{many} and {as_many} bytes came without gzip");
    assert!(few * 4 < *many, "{few} bytes came with gzip, {many} without");
    // Limits and metrics mean the same bytes either way; a resource version may have grown by a digit.
    assert!(*read_packed > least && read_packed.abs_diff(*read_plain) < 100, "{read_packed} and {read_plain} bytes were read");
}

/// The words of `get_events` where the API server answers with these bytes, to whoever takes gzip.
async fn words(encoding: &'static str, body: Vec<u8>, line: Option<bool>) -> String {
    let api = FakeApi::start(move |path| {
        path.starts_with("/api/v1/namespaces/team-a/events")
            .then(|| FakeAnswer::bytes(&body).with_header("content-encoding", encoding))
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    api.write_kubeconfig(&path);
    if let Some(disabled) = line {
        let mut kubeconfig: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        kubeconfig["clusters"][0]["cluster"]["disable-compression"] = json!(disabled);
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
    }
    let server = Server::builder().kubeconfig(&path).cluster("kubeconfig").config("limits: { read: 4Mi }\n").start().await;
    let client = Client::modern(&server);
    let said = client.call("get_events", json!({ "namespace": "team-a" })).await;
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok", "the server goes on");
    said.map_or_else(|words| words, |answer| answer.to_string())
}

#[tokio::test]
async fn what_is_no_gzip_or_too_much_of_it_costs_the_call() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let list = br#"{"kind":"EventList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}"#;
    let packed = gzip(list);
    let mut bomb = br#"{"kind":"EventList","items":["#.to_vec();
    bomb.resize(bomb.len() + (64 << 20), b' ');
    for (encoding, body, line, said) in [
        ("gzip", packed.clone(), Some(false), r#""items":[]"#),
        ("gzip", packed[..packed.len() - 9].to_vec(), Some(false), "what is compressed with gzip ends in the middle"),
        ("gzip", list.to_vec(), Some(false), "it is not compressed with gzip as it says"),
        ("gzip", [packed.clone(), packed.clone()].concat(), Some(false), "it goes on behind the end"),
        ("gzip", gzip(&bomb), Some(false), "(limit `read`)"),
        ("gzip", packed.clone(), Some(true), "it is encoded as \"gzip\", which was not asked for"),
        ("gzip", packed.clone(), None, "it is encoded as \"gzip\", which was not asked for"),
        ("br", packed, Some(false), "it is encoded as \"br\", which was not asked for"),
    ] {
        let words = words(encoding, body, line).await;
        assert!(words.contains(said), "{said}: {words}");
    }
}
