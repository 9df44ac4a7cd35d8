//! Too many connections, and connections that do nothing, or too slowly.

use futures::future::{join_all, select_all};
use sandbar_tests::until;

use super::*;

#[tokio::test]
async fn a_full_server_says_when_to_come_back_and_is_still_alive() {
    let held = Held::start("connections: 8\n").await;
    let address = held.server.address();
    let client = Client::modern(&held.server);
    // A place may still be held by a connection that has just ended.
    let inside = join_all((0..8).map(|_| async {
        loop {
            let reply = held.call(&client).await;
            if reply.status == 200 {
                return reply;
            }
        }
    }))
    .await;
    held.until_held(8).await;

    let refused = wire::send(address, mcp::initialize(LEGACY)).await;
    assert_eq!((refused.status.as_u16(), refused.header("connection")), (503, Some("close")));
    let seconds: u64 = refused.header("retry-after").expect("a time to come back").parse().unwrap();
    assert!(seconds > 0);
    let message = refused.message().await.unwrap();
    assert!(message["error"]["message"].as_str().unwrap().contains("connections"), "{message}");
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(wire::get(address, probe).await.status, 200, "{probe}: a server that is full must not be killed for it");
    }

    held.gate.open();
    for reply in inside {
        let message = reply.message().await.expect("an answer");
        assert!(message["result"]["structuredContent"].is_object(), "those inside are served: {message}");
    }
    until("there is room again", || async { (wire::send(address, mcp::initialize(LEGACY)).await.status == 200).then_some(()) })
        .await;
}

#[tokio::test]
async fn idle_connections_make_room_for_those_that_have_something_to_say() {
    let server = Server::builder().cluster("demo").config("connections: 8\n").start().await;
    // Each has been served once and is kept open from then on, until there is no place for another.
    let mut idle = Vec::new();
    loop {
        let mut connection = Raw::sent(server.address(), post(&ping(1))).await;
        if connection.answer().await.expect("an answer").status == 503 {
            break;
        }
        idle.push(connection);
    }
    assert!(idle.len() >= 8, "{}", idle.len());
    until("there is room again", || async {
        (wire::send(server.address(), mcp::initialize(LEGACY)).await.status == 200).then_some(())
    })
    .await;
    let ended = select_all(idle.into_iter().map(|connection| Box::pin(connection.answers()))).await.0;
    assert!(ended.is_empty(), "it has ended in silence: {ended:?}");
}

#[tokio::test]
async fn half_open_connections_are_cut_off_and_disturb_nobody() {
    let address = target().await.address();
    let halves: [&[u8]; 4] = [
        b"",
        b"P",
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"jsonrpc\":",
    ];
    let open = join_all(halves.iter().flat_map(|half| std::iter::repeat_n(half, 50)).map(|half| Raw::sent(address, half))).await;
    all_is_well().await;
    for answers in join_all(open.into_iter().map(Raw::answers)).await {
        // A body that does not come in time has an answer; the others have not even asked.
        assert!(matches!(answers[..], [] | [RawResponse { status: 408, .. }]), "{answers:?}");
    }
    all_is_well().await;
}

#[tokio::test]
async fn clients_that_leave_in_the_middle_of_anything_disturb_nobody() {
    let whole = post(
        &json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "list_workspaces", "arguments": {} } })
            .to_string(),
    );
    let address = target().await.address();
    for length in (0..=whole.len()).step_by(7) {
        drop(Raw::sent(address, &whole[..length]).await);
    }
    all_is_well().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_slows_nobody() {
    let held = Held::start("").await;
    let api_log = json!({ "name": "get_pod_logs", "arguments": { "namespace": "team-a", "name": "web" } });
    let client = Client::legacy(&held.server).await;
    // Calls of one session: some as streams, because their API server is slow, and none of them read.
    let streams = join_all((0..5).map(|_| held.call(&client))).await;
    let unread = join_all((0..5).map(|_| client.send("tools/call", api_log.clone()))).await;
    for _ in 0..20 {
        assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
    }
    held.gate.open();
    assert!(client.answer("list_workspaces", json!({ "namespace": "team-b" })).await["items"].is_array());
    drop(unread);
    for stream in streams {
        assert!(stream.message().await.is_some(), "and what was not read is still there");
    }
}
