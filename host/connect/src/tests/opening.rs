//! What a client on stdio may do while its session begins: go on, take something back, and go.

use super::*;

/// The answer to a request, as soon as `gate` lets it through.
fn gated(asked: &Seen, gate: &Arc<Notify>, result: &Value) -> Result<Answer, Failure> {
    let (gate, text) = (gate.clone(), json!({ "jsonrpc": "2.0", "id": asked.message["id"], "result": result }).to_string());
    let late = stream::once(async move {
        gate.notified().await;
        Ok(Frame::data(Bytes::from(text)))
    });
    let body = UnsyncBoxBody::new(StreamBody::new(late));
    Ok(Response::builder().header("content-type", "application/json").body(body).expect("a response"))
}

/// A server whose answer to the first `initialize`, or to one after so many, waits for a gate.
fn opens_late(after: usize, gate: &Arc<Notify>) -> impl Fn(&Seen, usize) -> Result<Answer, Failure> + Send + Sync + 'static {
    let gate = gate.clone();
    move |asked, before| match asked.method() {
        "initialize" if before == after => gated(asked, &gate, &json!({ "protocolVersion": "2025-11-25" })),
        "initialize" => opened(asked, before),
        "tools/call" => Ok(answer(200, "application/json", Vec::new(), true)),
        "GET" => events(&[], true),
        _ if asked.message["id"].is_null() => accepted(),
        _ => result(asked, json!({})),
    }
}

fn cancel(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
}

#[tokio::test(start_paused = true)]
async fn what_follows_an_initialize_waits_for_its_answer_in_order_and_what_is_cancelled_meanwhile_is_not_sent() {
    let gate = Arc::new(Notify::new());
    let mut client = Client::to(opens_late(0, &gate));
    client.write(initialize(1)).await;
    client.write(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    client.write(legacy(2, "tools/call")).await;
    client.write(cancel(2)).await;
    client.write(legacy(3, "tools/list")).await;
    // Whatever is no JSON is answered when it is read, so all before it has been.
    client.write(json!([])).await;
    assert_eq!(client.read().await["error"]["code"], -32600);
    assert_eq!((client.seen("initialize").len(), client.seen("tools/list").len()), (1, 0));
    gate.notify_one();
    assert_eq!(client.read().await["id"], 1);
    assert_eq!(client.read().await["id"], 3);
    assert_eq!(client.seen("notifications/initialized").len(), 1);
    assert!(client.seen("tools/call").is_empty() && client.seen("notifications/cancelled").is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_client_is_heard_while_its_session_begins() {
    let gate = Arc::new(Notify::new());
    let mut client = Client::to(opens_late(0, &gate));
    client.write(initialize(1)).await;
    client.write(legacy(2, "tools/list")).await;
    client.input.shutdown().await.expect("it is open");
    let began = Instant::now();
    client.serving.await.expect("no panic").expect("no error");
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
    // Whoever pipes in messages has their answers.
    let mut client = Client::to(opens_late(0, &gate));
    client.write(initialize(1)).await;
    client.write(legacy(2, "tools/list")).await;
    client.input.shutdown().await.expect("it is open");
    gate.notify_one();
    assert_eq!((client.read().await["id"].clone(), client.read().await["id"].clone()), (json!(1), json!(2)));
    client.serving.await.expect("no panic").expect("no error");
}

#[tokio::test(start_paused = true)]
async fn an_initialize_that_is_cancelled_is_dropped_and_another_begins_a_session() {
    let gate = Arc::new(Notify::new());
    let mut client = Client::to(opens_late(0, &gate));
    client.write(initialize(1)).await;
    client.sent("initialize").await;
    client.write(initialize(2)).await;
    client.write(legacy(3, "tools/list")).await;
    client.write(cancel(1)).await;
    let began = Instant::now();
    assert_eq!(client.read().await["id"], 2);
    assert_eq!(client.read().await["id"], 3);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(client.seen("tools/list")[0].header("mcp-session-id"), Some("s1"));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_the_session_before_is_cancelled_there_while_another_begins() {
    let gate = Arc::new(Notify::new());
    let mut client = Client::to(opens_late(1, &gate));
    client.initialize().await;
    client.write(legacy(3, "tools/call")).await;
    client.write(initialize(4)).await;
    client.write(cancel(3)).await;
    client.sent("notifications/cancelled").await;
    assert_eq!(client.seen("notifications/cancelled")[0].header("mcp-session-id"), Some("s0"));
    gate.notify_one();
    assert_eq!(client.read().await["id"], 4);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_an_initialize_is_bounded_and_the_client_is_told() {
    let gate = Arc::new(Notify::new());
    let mut client = Client::to(opens_late(0, &gate));
    client.write(initialize(1)).await;
    for id in 2..130 {
        client.write(legacy(id, "tools/list")).await;
    }
    let answer = client.read().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(129), &json!(-32000)), "{answer}");
    gate.notify_one();
    for _ in 1..129 {
        let answer = client.read().await;
        assert!(answer["result"].is_object(), "{answer}");
    }
}
