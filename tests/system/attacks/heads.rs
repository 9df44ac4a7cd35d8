//! Heads that are too large, too many, or of another protocol.

use super::*;

#[tokio::test]
async fn heads_beyond_the_bounds_are_refused_as_such() {
    let long = format!("X-Long: {}", "x".repeat(40_000));
    let many: Vec<String> = (0..200).map(|number| format!("X-{number}: x")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (what, headers) in [("one long header", vec![long.as_str()]), ("many headers", many)] {
        let answers = attack(request("GET /healthz HTTP/1.1", &headers, "")).await.answers().await;
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [431], "{what}");
    }
    let line = format!("GET /{} HTTP/1.1", "x".repeat(100_000));
    let answers = attack(request(&line, &[], "")).await.answers().await;
    assert!(matches!(answers[..], [RawResponse { status: 414 | 431, .. }]), "{answers:?}");
    all_is_well().await;
}

#[tokio::test]
async fn a_flood_of_headers_without_end_is_cut_off() {
    let mut connection = attack("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n").await;
    // Ten megabytes; the server stops reading long before.
    for _ in 0..10 {
        connection.send("X-Flood: x\r\n".repeat(90_000)).await;
    }
    let answers = connection.answers().await;
    assert!(matches!(answers[..], [] | [RawResponse { status: 431, .. }]), "{answers:?}");
    all_is_well().await;
}

#[tokio::test]
async fn other_protocols_are_not_spoken() {
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/3.0\r\n\r\n",
        b"GET /healthz HTTP/1.1 HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x00\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n\r\n",
    ] {
        let answers = attack(bytes).await.answers().await;
        assert!(answers.iter().all(|answer| (400..=505).contains(&answer.status)), "{bytes:?}: {answers:?}");
        assert!(answers.len() <= 1, "{answers:?}");
    }
    all_is_well().await;
}

#[tokio::test]
async fn nothing_is_upgraded_and_nothing_is_tunnelled() {
    for headers in [
        vec![
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version: 13",
        ],
        vec!["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
    ] {
        let mut connection = attack(request("GET /healthz HTTP/1.1", &headers, "")).await;
        assert_eq!(connection.answer().await.expect("an answer").status, 200, "as if nobody had asked");
        let mut connection = attack(request("GET /mcp HTTP/1.1", &headers, "")).await;
        let status = connection.answer().await.expect("an answer").status;
        assert!((400..500).contains(&status), "{status}");
    }
    for target in ["10.0.0.1:443", "127.0.0.1:22", "evil.example.com:80"] {
        let connection = attack(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n")).await;
        let answers = connection.answers().await;
        assert!(answers.iter().all(|answer| (400..500).contains(&answer.status)), "{target}: {answers:?}");
    }
    all_is_well().await;
}

#[tokio::test]
async fn a_request_has_one_host_and_one_origin() {
    let twice = |name: &str| {
        let body = ping(1);
        let lines = format!("{name}: 127.0.0.1\r\n{name}: evil.example.com\r\n");
        let host = if name == "Host" { "" } else { "Host: 127.0.0.1\r\n" };
        format!("POST /mcp HTTP/1.1\r\n{host}{lines}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    for name in ["Host", "Origin"] {
        let answers = attack(twice(name)).await.answers().await;
        assert!(matches!(answers[..], [RawResponse { status: 400 | 403, .. }]), "{name}: {answers:?}");
    }
    let none = "POST /mcp HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(attack(none).await.answers().await[0].status, 403, "and not none");
    all_is_well().await;
}
