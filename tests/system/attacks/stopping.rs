//! SIGTERM under load: first not ready, then nothing new, and an answer for all that has begun.

use futures::future::join_all;
use sandbar_tests::{in_time, until};

use super::*;

#[tokio::test]
async fn a_server_that_drains_says_so_first_and_still_serves_whoever_comes() {
    let mut held = Held::start("").await;
    let client = Client::modern(&held.server);
    let waiting = held.call(&client).await;
    held.server.signal("TERM");
    let address = held.server.address();
    until("it is not ready any more", || async { (wire::get(address, "/readyz").await.status == 503).then_some(()) }).await;
    let reply = client.send("tools/call", json!({ "name": "check_health", "arguments": {} })).await;
    assert_eq!(reply.header("connection"), Some("close"), "the next request should go to another replica");
    assert_eq!(reply.message().await.unwrap()["result"]["structuredContent"]["status"], "ok");
    held.gate.open();
    let message = waiting.message().await.expect("an answer");
    assert!(message["result"]["structuredContent"].is_object(), "{message}");
    assert!(held.server.ended().await.success());
}

#[tokio::test]
async fn calls_that_outlast_the_time_to_drain_are_answered_that_they_were_stopped() {
    let mut held = Held::start("drain: 1s\n").await;
    let clients = [Client::modern(&held.server), Client::legacy(&held.server).await];
    // Streams by now, and some that nobody waits for.
    let streams = join_all(clients.iter().map(|client| held.call(client))).await;
    drop(held.call(&clients[1]).await);
    held.server.signal("TERM");
    for stream in streams {
        let message = stream.message().await.expect("a last event");
        assert!(mcp::outcome(&message).is_err_and(|words| words.contains("shutting down")), "{message}");
    }
    assert!(held.server.ended().await.success());
}

#[tokio::test]
async fn no_call_that_was_accepted_is_lost_when_the_server_stops() {
    let mut server = Server::builder().cluster("demo").arg("--calls-per-second=1000000").start().await;
    let client = Client::modern(&server);
    // Calls without pause until the server takes no more of them.
    let calling = async {
        let mut answered = 0;
        loop {
            let request = client.http_request(json!(1), "tools/call", json!({ "name": "check_health", "arguments": {} }));
            let Ok(stream) = tokio::net::TcpStream::connect(server.address()).await else { return answered };
            let io = hyper_util::rt::TokioIo::new(stream);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.expect("a connection");
            let driver = tokio::spawn(connection);
            let mut request = request.map(http_body_util::Full::new);
            request.headers_mut().insert("host", "127.0.0.1".parse().unwrap());
            let response = match sender.send_request(request).await {
                Ok(response) => response,
                // The kernel can take a connection in the very moment in which the server closes its port. It has read nothing of it.
                Err(_) if tokio::net::TcpStream::connect(server.address()).await.is_err() => return answered,
                Err(error) => panic!("call {answered} was cut: {error}"),
            };
            let body = http_body_util::BodyExt::collect(response.into_body()).await.expect("a body").to_bytes();
            let message: Value = serde_json::from_slice(&body).expect("an answer");
            assert_eq!(message["result"]["structuredContent"]["status"], "ok", "{message}");
            driver.abort();
            answered += 1;
            if answered == 3 {
                server.signal("TERM");
            }
        }
    };
    let answered = in_time("the server stops", calling).await;
    assert!(answered > 3, "it goes on serving while it drains: {answered}");
    assert!(server.ended().await.success());
}
