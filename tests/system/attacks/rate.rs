//! Calls beyond the rate, and beyond the slots.

use futures::future::join_all;
use sandbar_sandbox::{Slots, available_memory};
use sandbar_tests::until;

use super::*;

/// Calls that may come at once with a rate of one a second.
const BURST: usize = 10;

#[tokio::test]
async fn calls_beyond_the_rate_are_told_when_to_come_back_and_nothing_else_is_limited() {
    let server = Server::builder().cluster("demo").config("callsPerSecond: 1\n").start().await;
    let clients = [Client::modern(&server), Client::legacy(&server).await];
    let health =
        |client: &Client| client.http_request(json!(1), "tools/call", json!({ "name": "check_health", "arguments": {} }));
    let mut calls = Vec::new();
    for _ in 0..20 * BURST {
        calls.push(wire::send(server.address(), health(&clients[calls.len() % 2])));
    }
    let mut busy = 0;
    for reply in join_all(calls).await {
        assert_eq!(reply.status, 200, "a client would not show its model another status");
        let message = reply.message().await.expect("an answer");
        if let Err(words) = mcp::outcome(&message) {
            assert!(words.starts_with("busy") && words.contains("retry after ") && words.contains(" s"), "{words}");
            busy += 1;
        }
    }
    assert!(busy > 0 && busy <= 19 * BURST, "{busy} of {} were refused", 20 * BURST);

    // While calls are refused, all else is served. A result of the modern era says that it is complete.
    let refused = until("a call is refused", || async {
        let message = wire::send(server.address(), health(&clients[0])).await.message().await.expect("an answer");
        (message["result"]["isError"] == true).then_some(message)
    })
    .await;
    assert_eq!(refused["result"]["resultType"], "complete");
    for client in &clients {
        assert_eq!(client.request("tools/list", json!({})).await["result"]["tools"].as_array().unwrap().len(), 7);
    }
    // A new session is no new caller.
    let again = wire::send(server.address(), health(&Client::legacy(&server).await)).await;
    assert!(again.message().await.is_some());
    until("calls are let in again", || async { clients[0].call("check_health", json!({})).await.ok() }).await;
}

#[tokio::test]
async fn the_rate_can_be_given_on_the_command_line() {
    let server = Server::builder().cluster("demo").arg("--calls-per-second").arg("1").start().await;
    let client = Client::modern(&server);
    let outcomes = join_all((0..20 * BURST).map(|_| client.call("check_health", json!({})))).await;
    assert!(outcomes.iter().any(Result::is_ok));
    assert!(outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(|words| words.starts_with("busy"))));
}

#[tokio::test]
async fn calls_beyond_the_slots_hear_that_the_server_is_busy_and_none_is_lost() {
    /// More than there can be slots on any machine.
    const CALLS: usize = 140;
    let held = Held::start("").await;
    let client = Client::modern(&held.server);
    let calls = join_all((0..CALLS).map(|_| async {
        let message = held.call(&client).await.message().await.expect("an answer");
        if let Err(words) = mcp::outcome(&message) {
            assert!(words.contains("busy"), "{words}");
            // Those that wait for a slot get one.
            held.gate.open();
            return false;
        }
        assert!(message["result"]["structuredContent"]["items"].is_array(), "{message}");
        true
    }));
    let answered = calls.await.into_iter().filter(|answered| *answered).count();
    assert!(answered > 0 && answered < CALLS, "{answered} of {CALLS} ran");
    client.answer("check_health", json!({})).await;
}

#[tokio::test]
async fn calls_beyond_those_of_one_tool_hear_its_limit_and_when_to_come_back() {
    let held = Held::start("bundled: { tools: { list_workspaces: { limits: { calls: 1 } } } }\n").await;
    let client = Client::modern(&held.server);
    // One runs, and those that may wait hear the same once they have waited.
    let running = Box::pin(held.call(&client));
    let (running, turned_away) = tokio::join!(running, async {
        held.until_held(1).await;
        let turned_away = held.call(&client).await.message().await.expect("an answer");
        // Others are served meanwhile.
        client.answer("check_health", json!({})).await;
        held.gate.open();
        turned_away
    });
    assert_eq!(
        mcp::outcome(&turned_away).expect_err("busy"),
        "this tool is busy: 1 call of it runs already (limit `calls`); try again in 2 s"
    );
    let answered = running.message().await.expect("an answer");
    assert!(answered["result"]["structuredContent"]["items"].is_array(), "{answered}");
    held.call(&client).await.message().await.expect("its turn has come");
}

#[tokio::test]
async fn calls_that_run_count_when_their_tool_is_limited_anew() {
    let config = |calls: u32, logged: u32| {
        format!("bundled: {{ tools: {{ list_workspaces: {{ limits: {{ calls: {calls}, logged: {logged}Ki }} }} }} }}\n")
    };
    let held = Held::start(&config(1, 256)).await;
    let client = Client::modern(&held.server);
    let running = Box::pin(held.call(&client));
    let (running, turned_away) = tokio::join!(running, async {
        held.until_held(1).await;
        held.server.configure(&config(1, 512));
        held.server.until_logged("a component was granted or limited anew").await;
        let turned_away = held.call(&client).await.message().await.expect("an answer");
        held.gate.open();
        turned_away
    });
    assert_eq!(
        mcp::outcome(&turned_away).expect_err("busy"),
        "this tool is busy: 1 call of it runs already (limit `calls`); try again in 2 s"
    );
    running.message().await.expect("it goes on");
    held.call(&client).await.message().await.expect("its turn has come");
}

#[tokio::test]
async fn where_all_slots_are_taken_another_tool_hears_how_many_there_are_and_when_to_come_back() {
    /// A memory that leaves room for few calls on any machine: bytes, and as sandbar.yaml writes them.
    const LARGE: (u64, &str) = (4 << 30, "4Gi");
    let slots = Slots::for_memory(available_memory(), LARGE.0).count();
    let config =
        format!("bundled: {{ tools: {{ list_workspaces: {{ limits: {{ memory: {}, calls: {slots} }} }} }} }}\n", LARGE.1);
    let held = Held::start(&config).await;
    let client = Client::modern(&held.server);
    let running = join_all((0..slots).map(|_| held.call(&client)));
    let (running, turned_away) = tokio::join!(running, async {
        held.until_held(slots).await;
        let turned_away = client.failure("check_health", json!({})).await;
        held.gate.open();
        turned_away
    });
    assert_eq!(turned_away, format!("the server is busy: all {slots} slots for running tools are taken; try again in 2 s"));
    for reply in running {
        let answered = reply.message().await.expect("an answer");
        assert!(answered["result"]["structuredContent"]["items"].is_array(), "{answered}");
    }
    client.answer("check_health", json!({})).await;
}
