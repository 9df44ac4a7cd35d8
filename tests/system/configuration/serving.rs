//! How many connections there are and how long a server takes to stop: in the file, in the environment and on the command line.

use sandbar_tests::fake_api::{FakeAnswer, FakeApi};
use sandbar_tests::raw::Raw;
use sandbar_tests::sandbar::Builder;
use sandbar_tests::until;

use super::*;

/// A server in front of an API server that never answers about workspaces.
async fn slow(with: impl FnOnce(Builder) -> Builder) -> (Server, FakeApi, TempDir) {
    let api = FakeApi::start(|path| path.contains("/coderworkspaces").then_some(FakeAnswer::Never));
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server = with(Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig")).start().await;
    (server, api, folder)
}

/// More connections than a test opens.
const MANY: usize = 100;

/// Opens connections, each of which is served once and kept, until one is turned away: how many there was room for.
async fn room(server: &Server) -> usize {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
    let head = "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: */*\r\n";
    let ping = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut open = Vec::new();
    while open.len() < MANY {
        let mut connection = Raw::sent(server.address(), &ping).await;
        if connection.answer().await.expect("an answer").status == 503 {
            break;
        }
        open.push(connection);
    }
    open.len()
}

#[tokio::test]
async fn of_connections_the_flag_counts_before_the_variable_and_both_before_the_file() {
    let file = |count: u32| Server::builder().cluster("demo").config(&format!("connections: {count}\n"));
    for (what, server, few) in [
        ("file", file(8), true),
        ("variable", file(1000).env("SANDBAR_CONNECTIONS", "8"), true),
        ("flag", file(1000).env("SANDBAR_CONNECTIONS", "1000").arg("--connections").arg("8"), true),
        ("flag, as many", file(8).env("SANDBAR_CONNECTIONS", "8").arg("--connections").arg("1000"), false),
    ] {
        let room = room(&server.start().await).await;
        assert!(room >= 8 && (room < MANY) == few, "{what}: room for {room}");
    }
}

#[tokio::test]
async fn fewer_connections_than_8_are_refused_with_their_range_wherever_they_are_set() {
    let folder = folder_with("cluster: demo\nconnections: 3\n");
    let finished = tools(folder.path()).finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert!(finished.stderr.contains("sandbar.yaml:2:14: ") && finished.stderr.contains("from 8 to 4294967295"), "{finished:?}");
    for run in [
        Run::new(&["serve", "--cluster", "demo", "--connections", "3"]),
        Run::new(&["serve", "--cluster", "demo"]).env("SANDBAR_CONNECTIONS", "3"),
    ] {
        let finished = run.finish().await;
        assert_eq!(finished.code(), 2, "{finished:?}");
        for said in ["--connections", "\"3\" is no whole number from 8 to"] {
            assert!(finished.stderr.contains(said), "{said}: {finished:?}");
        }
    }
    for wrong in ["0s", "61m", "soon"] {
        let finished = Run::new(&["serve", "--cluster", "demo", "--drain", wrong]).finish().await;
        assert!(finished.code() == 2 && finished.stderr.contains("--drain"), "{finished:?}");
    }
}

#[tokio::test]
async fn the_time_to_drain_can_be_given_on_the_command_line_and_counts_before_the_file() {
    for (what, with) in [
        ("flag", (|server: Builder| server.config("drain: 60m\n").arg("--drain").arg("100ms")) as fn(Builder) -> Builder),
        ("variable", |server: Builder| server.config("drain: 60m\n").env("SANDBAR_DRAIN", "100ms")),
    ] {
        let (mut server, api, _folder) = slow(with).await;
        let client = Client::modern(&server);
        let call = json!({ "name": "list_workspaces", "arguments": { "namespace": "team-a" } });
        let call = client.send("tools/call", call);
        let (reply, ()) = tokio::join!(call, async {
            until("the call waits", || async { (api.in_flight() == 1).then_some(()) }).await;
            server.signal("TERM");
        });
        let message = reply.message().await.expect("an answer");
        assert!(message.to_string().contains("shutting down"), "{what}: {message}");
        assert!(server.ended().await.success(), "{what}");
    }
}
