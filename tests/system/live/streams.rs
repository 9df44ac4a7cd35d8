//! What clients hear of a list of tools that has changed: each stream once, and one stream a session.

use super::*;

/// What a legacy client is told.
fn changed() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" })
}

fn get(session: &str) -> Request<Bytes> {
    let request = Request::get("/mcp").header("accept", "text/event-stream").header("mcp-session-id", session);
    request.header("mcp-protocol-version", LEGACY).body(Bytes::new()).unwrap()
}

/// Opens the stream of a session.
async fn open(server: &Server, session: &str) -> Events {
    Events::of(wire::send(server.address(), get(session)).await)
}

/// Opens it again, after an event.
async fn reopen(server: &Server, session: &str, after: &str) -> Events {
    let mut request = get(session);
    mcp::set(&mut request, "last-event-id", after);
    Events::of(wire::send(server.address(), request).await)
}

/// Opens a stream of the era without sessions.
async fn listen(server: &Server, id: Value, notifications: Value) -> Events {
    let request = mcp::modern(id, "subscriptions/listen", json!({ "notifications": notifications }));
    Events::of(wire::send(server.address(), request).await)
}

#[tokio::test]
async fn a_session_hears_once_of_each_change() {
    let folder = Folder::new();
    let mut server = folder.serve().await;
    let client = Client::legacy(&server).await;
    let mut events = open(&server, client.session()).await;

    let mut ids = Vec::new();
    for (name, words) in [("greet", "hello"), ("salute", "salve")] {
        folder.put("greet.wasm", &tool(name, words));
        let event = events.next().await.unwrap();
        assert_eq!(event.message, changed());
        assert_eq!(extra_tools(&client).await, [name], "whoever hears of a change can see it");
        ids.push(event.id.unwrap());
    }
    assert_ne!(ids[0], ids[1]);
    // What no client can see is no change of the list.
    folder.put("greet.wasm", &tool("salute", "ave"));
    until_said(&client, "salute", "ave").await;

    server.signal("TERM");
    assert_eq!(events.next().await, None, "the server has nothing more to say");
    assert!(server.ended().await.success());
    assert!(!server.log().contains("still running"), "a stream does not hold up the end: {}", server.log());
}

#[tokio::test]
async fn the_newest_stream_of_a_session_has_the_one_copy() {
    let folder = Folder::new();
    let server = folder.serve().await;
    let (client, other) = (Client::legacy(&server).await, Client::legacy(&server).await);
    let mut older = open(&server, client.session()).await;
    let mut of_another = open(&server, other.session()).await;
    let mut newest = open(&server, client.session()).await;
    assert_eq!(older.next().await, None, "it ends");

    folder.put("greet.wasm", &tool("greet", "hello"));
    for events in [&mut newest, &mut of_another] {
        assert_eq!(events.next().await.unwrap().message, changed());
    }
}

#[tokio::test]
async fn a_client_that_comes_back_to_another_replica_hears_what_it_has_missed() {
    let (first, second) = (Folder::new(), Folder::new());
    let here = first.serve().await;
    second.put("greet.wasm", &tool("greet", "hello"));
    let there = second.serve().await;
    let client = Client::legacy(&here).await;
    let session = client.session();

    // At once, since the list there is another than the session began with.
    let mut events = open(&there, session).await;
    let missed = events.next().await.unwrap();
    assert_eq!(missed.message, changed());
    let of_there = missed.id.unwrap();
    drop(events);

    // Not again, by a client that says what it has heard: the first it hears of is the next change.
    let mut events = reopen(&there, session, &of_there).await;
    second.remove("greet.wasm");
    let next = events.next().await.unwrap();
    let of_here = next.id.unwrap();
    assert_ne!(of_here, of_there);
    drop(events);

    // Equal components make equal lists, so this is the list that the session began with.
    let mut events = open(&here, session).await;
    first.put("greet.wasm", &tool("greet", "hello"));
    assert_eq!(events.next().await.unwrap().id, Some(of_there.clone()));
    let mut events = reopen(&there, session, &of_there).await;
    assert_eq!(events.next().await.unwrap().id, Some(of_here));
}

#[tokio::test]
async fn whoever_listens_hears_once_of_each_change() {
    let folder = Folder::new();
    let mut server = folder.serve().await;
    let client = Client::modern(&server);
    // Somebody who goes away without a word.
    drop(listen(&server, json!(1), json!({ "toolsListChanged": true })).await);
    let wanted = json!({ "toolsListChanged": true, "promptsListChanged": true });
    let mut events = listen(&server, json!("sub"), wanted.clone()).await;
    let acknowledged = events.next().await.unwrap().message;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"]["notifications"], wanted);
    let mut deaf = listen(&server, json!(2), json!({ "resourceSubscriptions": ["a://b"] })).await;
    assert_eq!(deaf.next().await.unwrap().message["params"]["notifications"], json!({}), "there are no such subscriptions");

    for name in ["greet", "salute"] {
        folder.put("greet.wasm", &tool(name, "hello"));
        let message = events.next().await.unwrap().message;
        assert_eq!(message["method"], "notifications/tools/list_changed");
        assert_eq!(message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "sub", "{message}");
        assert_eq!(extra_tools(&client).await, [name]);
    }

    server.signal("TERM");
    for (events, id) in [(&mut events, json!("sub")), (&mut deaf, json!(2))] {
        let last = events.next().await.unwrap().message;
        assert_eq!((&last["id"], &last["result"]["resultType"]), (&id, &json!("complete")), "{last}");
        assert_eq!(events.next().await, None);
    }
    assert!(server.ended().await.success());
    assert!(!server.log().contains("still running"), "{}", server.log());
    assert!(!server.log().contains("ERROR"), "nothing went wrong: {}", server.log());
}

#[tokio::test]
async fn a_get_that_is_no_stream_is_told_why() {
    let folder = Folder::new();
    let server = folder.serve().await;
    let session = Client::legacy(&server).await.session().to_owned();
    let mut events = open(&server, &session).await;
    let status = async |change: &dyn Fn(&mut Request<Bytes>)| {
        let mut request = get(&session);
        change(&mut request);
        wire::send(server.address(), request).await.status.as_u16()
    };
    assert_eq!(status(&|request| drop(request.headers_mut().remove("mcp-session-id"))).await, 405);
    assert_eq!(status(&|request| mcp::set(request, "mcp-protocol-version", mcp::MODERN)).await, 405);
    assert_eq!(status(&|request| mcp::set(request, "mcp-session-id", "x.y")).await, 404);
    assert_eq!(status(&|request| mcp::set(request, "accept", "application/json")).await, 406);
    assert_eq!(status(&|request| *request.method_mut() = http::Method::HEAD).await, 405);

    // None of them has ended the stream that is open.
    folder.put("greet.wasm", &tool("greet", "hello"));
    assert_eq!(events.next().await.unwrap().message, changed());
}
