//! Servers that are another, that want to be remembered, or that let nobody go.

use super::*;

fn response(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": {} })
}

#[tokio::test(start_paused = true)]
async fn of_a_server_that_may_be_any_only_what_reads_is_sent_again() {
    for (method, times) in [("vendor/delete", 1), ("tasks/cancel", 1), ("resources/read", 2)] {
        let mut client = Client::to_another(|_, _| failed(FailureKind::Lost));
        let answer = client.request(1, method, modern(json!({}))).await;
        assert_eq!(
            (client.seen(method).len(), &answer["error"]["data"]["maySendAgain"]),
            (times, &json!(times == 2)),
            "{method}"
        );
    }
    for (message, times) in [
        (json!({ "jsonrpc": "2.0", "method": "notifications/vendor/delete" }), 1),
        (json!({ "jsonrpc": "2.0", "method": "notifications/roots/list_changed" }), 2),
        (response(1), 1),
    ] {
        let mut client = Client::to_another(|_, _| failed(FailureKind::Lost));
        client.write(message.clone()).await;
        client.input.shutdown().await.expect("it is open");
        (&mut client.serving).await.expect("no panic").expect("no error");
        assert_eq!(client.seen.lock().expect("not poisoned").len(), times, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_it_is_another_is_not_taken_for_sandbar_any_more() {
    let mut client = Client::to_another(|asked, before| match asked.method() {
        "server/discover" => result(asked, json!({ "serverInfo": { "name": if before == 0 { "sandbar" } else { "other" } } })),
        _ => failed(FailureKind::Lost),
    });
    for times in [2, 3] {
        client.request(6, "server/discover", modern(json!({}))).await;
        client.call().await;
        assert_eq!(client.seen("tools/call").len(), times);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_is_short_or_the_list_is_looked_through_no_further() {
    let mut client = Client::to(|asked, _| match asked.method() {
        "tools/list" => result(asked, json!({ "tools": [], "nextCursor": "x".repeat(9000) })),
        _ => refused(asked, 400, -32020),
    });
    assert_eq!(client.call().await["error"]["code"], -32020);
    assert_eq!((client.seen("tools/list").len(), client.seen("tools/call").len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_a_client_takes_back_reaches_a_server_that_answers_nothing_and_makes_room() {
    let mut client = Client::to(|asked, before| match asked.method() {
        "initialize" => opened(asked, before),
        "tools/call" => Ok(answer(200, "application/json", Vec::new(), true)),
        "ping" => result(asked, json!({})),
        "GET" => events(&[], true),
        _ => accepted(),
    });
    client.initialize().await;
    client.sent("notifications/initialized").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for id in 1000..1128 {
        client.write(legacy(id, "tools/call")).await;
    }
    assert_eq!(client.request(2, "ping", json!({})).await["error"]["code"], -32000);
    for id in 1000..1128 {
        // Twice, of which one is told.
        for _ in 0..2 {
            client.write(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(client.seen("notifications/cancelled").len(), 128);
    assert_eq!(client.request(3, "ping", json!({})).await["result"], json!({}));
}
