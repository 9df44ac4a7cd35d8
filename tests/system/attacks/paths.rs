//! Other paths and methods than there are.

use super::*;

#[tokio::test]
async fn there_is_one_path_and_it_has_one_spelling() {
    let body = ping(1);
    for path in [
        "/mcp//",
        "/MCP",
        "//mcp",
        "/./mcp",
        "/x/../mcp",
        "/%6dcp",
        "/mcp%2e",
        "/mcp%2f",
        "/mcp%00",
        "/mcp;x=1",
        "/mcp.json",
        "/mcp/mcp",
        "/mcp\\",
        "/..%2fmcp",
        "/%2e%2e/mcp",
    ] {
        let length = format!("Content-Length: {}", body.len());
        let answers =
            attack(request(&format!("POST {path} HTTP/1.1"), &[JSON, ACCEPT, &length, "Connection: close"], &body)).await;
        let answers = answers.answers().await;
        assert!(matches!(answers[..], [RawResponse { status: 400 | 404, .. }]), "{path}: {answers:?}");
    }
    all_is_well().await;
}

#[tokio::test]
async fn an_absolute_uri_is_served_where_its_host_is_ours() {
    let body = ping(1);
    let length = format!("Content-Length: {}", body.len());
    for (uri, status) in [
        ("http://127.0.0.1/mcp", 200),
        ("http://localhost:1/mcp?x=1", 200),
        ("http://evil.example.com/mcp", 403),
        ("http://127.0.0.1@evil.example.com/mcp", 403),
        ("http://evil.example.com@127.0.0.1/mcp", 403),
    ] {
        let sent = request(&format!("POST {uri} HTTP/1.1"), &[JSON, ACCEPT, &length, "Connection: close"], &body);
        let answers = attack(sent).await.answers().await;
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [status], "{uri}");
    }
    all_is_well().await;
}

#[tokio::test]
async fn other_methods_are_named_as_not_allowed() {
    for method in ["PUT", "PATCH", "TRACE", "OPTIONS", "post", "FOO"] {
        let mut connection = attack(request(&format!("{method} /mcp HTTP/1.1"), &["Connection: close"], "")).await;
        let answer = connection.answer().await.expect("an answer");
        assert!(answer.status == 405 || method == "OPTIONS" && answer.status == 200, "{method}: {answer:?}");
        assert!(!answer.body.contains("Connection: close"), "TRACE would show a page what it may not see: {answer:?}");
        if method != "OPTIONS" {
            assert!(answer.header("allow").is_some_and(|allowed| allowed.contains("POST")), "{method}: {answer:?}");
        }
    }
    let answers = attack(request("OPTIONS * HTTP/1.1", &["Connection: close"], "")).await.answers().await;
    assert!(matches!(answers[..], [RawResponse { status: 400..500, .. }]), "{answers:?}");
    all_is_well().await;
}

#[tokio::test]
async fn a_head_has_no_body() {
    let address = target().await.address();
    for path in ["/mcp", "/healthz", "/nowhere"] {
        // Read as bytes: what would come behind the head would be taken for the next answer.
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let sent = request(&format!("HEAD {path} HTTP/1.1"), &["Connection: close"], "");
        tokio::io::AsyncWriteExt::write_all(&mut stream, &sent).await.unwrap();
        let mut text = String::new();
        let reading = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text);
        sandbar_tests::in_time("the answer", reading).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 ") && text.ends_with("\r\n\r\n"), "{path}: {text:?}");
    }
}

#[tokio::test]
async fn what_the_cluster_is_like_is_not_for_web_pages() {
    let verbose = |host: &str| format!("GET /readyz?verbose HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let allowed = attack(verbose("127.0.0.1")).await.answers().await;
    assert_eq!(allowed.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200]);
    assert!(allowed[0].body.contains("demo cluster"), "{allowed:?}");
    let refused = attack(verbose("evil.example.com")).await.answers().await;
    assert_eq!(refused.iter().map(|answer| answer.status).collect::<Vec<_>>(), [403]);
    assert!(!refused[0].body.contains("tools"), "{refused:?}");
    // Whoever comes from elsewhere, or through somebody, hears which check fails and no more.
    for host in ["10.1.2.3", "127.0.0.1\r\nX-Forwarded-For: 10.1.2.3", "127.0.0.1\r\nVia: 1.1 proxy"] {
        let strangers = attack(verbose(host)).await.answers().await;
        let [RawResponse { status: 200, body, .. }] = &strangers[..] else { panic!("{host}: {strangers:?}") };
        assert!(body.contains("[+] tools\n") && !body.contains("demo") && !body.contains("v1."), "{host}: {body}");
    }
}
