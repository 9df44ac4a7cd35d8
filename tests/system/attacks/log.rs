//! The server's log as a way to its end: whoever reads it stops, or others fill it.

use super::*;

/// Requests with a name that is not the server's, on one connection.
fn of_others(count: usize) -> Vec<u8> {
    let request = |end: &str| format!("GET /mcp HTTP/1.1\r\nHost: {}.example\r\n{end}\r\n", "a".repeat(60));
    format!("{}{}", request("").repeat(count - 1), request("Connection: close\r\n")).into_bytes()
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_nobody() {
    /// Their events are more than a pipe holds, and fewer than the server lets in at once.
    const CALLS: usize = 900;
    let mut server = Server::builder().cluster("demo").start().await;
    let client = Client::legacy(&server).await;
    let unread = server.log_unread();
    for _ in 0..CALLS {
        client.request("tools/call", json!({ "name": "x".repeat(64), "arguments": {} })).await;
    }
    assert_eq!(wire::get(server.address(), "/healthz").await.status, 200);
    assert_eq!(Raw::sent(server.address(), of_others(50)).await.answers().await.len(), 50);
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
    drop(unread);
    server.signal("INT");
    assert!(server.ended().await.success());
    server.until_logged("stopped").await;
    // It was all still waiting.
    let log = server.log();
    assert_eq!(log.matches("outcome=\"refused\"").count(), CALLS);
    assert!(!log.contains("are lost"), "{log}");
}

#[tokio::test]
async fn what_is_refused_without_end_does_not_fill_the_log() {
    const REQUESTS: usize = 700;
    let mut server = Server::builder().cluster("demo").start().await;
    for _ in 0..REQUESTS / 100 {
        let answers = Raw::sent(server.address(), of_others(100)).await.answers().await;
        assert!(answers.len() == 100 && answers.iter().all(|answer| answer.status == 403));
    }
    server.signal("INT");
    assert!(server.ended().await.success());
    server.until_logged("more events in this minute").await;
    let log = server.log();
    let refused = log.lines().filter(|line| line.contains(" a request was refused")).count();
    // A new minute may have begun in between.
    let more = log.lines().filter_map(|line| line.split_once(" more=")?.1.split(' ').next()?.parse::<usize>().ok());
    assert!((120..=240).contains(&refused), "{refused}");
    assert_eq!(refused + more.sum::<usize>(), REQUESTS, "{log}");
}
