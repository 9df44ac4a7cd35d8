//! Who may connect, and how.

use sandbar_tests::in_time;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

fn ping(host: Option<&str>, origin: Option<&str>) -> Request<Bytes> {
    let mut request = mcp::initialize(LEGACY);
    if let Some(host) = host {
        mcp::set(&mut request, "host", host);
    }
    if let Some(origin) = origin {
        mcp::set(&mut request, "origin", origin);
    }
    request
}

#[tokio::test]
async fn names_that_an_attacker_can_own_are_refused() {
    // In the last row, names that a local network gives to whoever asks for them.
    for host in [
        "evil.example.com",
        "evil.example.com:8090",
        "127.0.0.1.evil.com",
        "evil.com.",
        "printer",
        "printer.local",
        "evil.localhost",
        "evil.svc",
        "evil.svc.cluster.local",
    ] {
        let (status, _, words) = error_of(send(ping(Some(host), None)).await).await;
        assert_eq!(status, 403, "{host}");
        assert!(words.contains(host.split(':').next().unwrap()), "{words}");
    }
}

#[tokio::test]
async fn this_machine_and_addresses_are_served() {
    for host in ["localhost:8090", "LOCALHOST.", "127.0.0.1", "[::1]:8090", "10.1.2.3:8090"] {
        assert_eq!(send(ping(Some(host), None)).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn web_pages_of_others_are_refused() {
    for origin in ["http://evil.example.com", "null", "http://localhost:6274"] {
        assert_eq!(send(ping(None, Some(origin))).await.status, 403, "{origin}");
    }
}

#[tokio::test]
async fn the_operator_can_allow_names_and_origins() {
    let server =
        Server::builder().cluster("demo").config("hosts: [mcp.example.com]\norigins: ['http://localhost:6274']\n").start().await;
    let send = |request| wire::send(server.address(), request);
    assert_eq!(send(ping(Some("mcp.example.com"), None)).await.status, 200);
    let reply = send(ping(None, Some("http://localhost:6274"))).await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, Some("http://localhost:6274")));
    assert_eq!(
        reply.header("access-control-expose-headers"),
        Some("mcp-session-id,www-authenticate"),
        "a page can read its session"
    );

    let preflight = Request::builder()
        .method("OPTIONS")
        .uri("/mcp")
        .header("origin", "http://localhost:6274")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,mcp-method")
        .body(Bytes::new())
        .unwrap();
    let reply = send(preflight).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-headers"), Some("content-type,mcp-method"));
}

#[tokio::test]
async fn probes_are_answered_under_any_name() {
    for path in ["/healthz", "/readyz"] {
        let mut request = Request::get(path).body(Bytes::new()).unwrap();
        mcp::set(&mut request, "host", "anything.example.com");
        let reply = send(request).await;
        assert_eq!((reply.status.as_u16(), reply.text().await.as_str()), (200, "ok"), "{path}");
    }
}

#[tokio::test]
async fn other_paths_do_not_exist() {
    for path in ["/", "/mcp/x", "/sse", "/metrics/../mcp", "/.well-known/oauth-protected-resource"] {
        let (status, _, words) = error_of(wire::get(demo().await.address(), path).await).await;
        assert!(status == 404 && words.contains("/mcp"), "{path}: {words}");
    }
}

#[tokio::test]
async fn a_slash_behind_the_address_makes_no_difference() {
    let mut request = mcp::initialize(LEGACY);
    *request.uri_mut() = "/mcp/".parse().unwrap();
    let session = send(request).await.header("mcp-session-id").expect("a session").to_owned();
    let mut request = Client::resume(demo().await, LEGACY, &session).http_request(json!(1), "ping", json!({}));
    *request.uri_mut() = "/mcp/?x".parse().unwrap();
    assert_eq!(send(request).await.message().await.unwrap()["result"], json!({}));
}

#[tokio::test]
async fn what_a_refusal_says_helps_whoever_does_it() {
    // A page of a desktop app, and a name: each is refused with the flag that allows it, and allowed by that flag.
    for origin in ["tauri://localhost", "app://obsidian.md", "vscode-webview://1a2b3c", "http://tauri.localhost"] {
        let (status, _, words) = error_of(send(ping(None, Some(origin))).await).await;
        assert!(status == 403 && words.contains(origin) && words.contains("--allow-origin"), "{words}");
    }
    let server = Server::builder().cluster("demo").arg("--allow-origin").arg("tauri://localhost,app://obsidian.md");
    let server = server.arg("--allow-host").arg("printer.local").start().await;
    for origin in ["tauri://localhost", "app://obsidian.md"] {
        let reply = wire::send(server.address(), ping(None, Some(origin))).await;
        assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, Some(origin)));
    }
    let (_, _, words) = error_of(send(ping(Some("printer.local"), None)).await).await;
    assert!(words.contains("--allow-host"), "{words}");
    assert_eq!(wire::send(server.address(), ping(Some("printer.local:8090"), None)).await.status, 200);
    let (_, _, words) = error_of(send(ping(None, Some("null"))).await).await;
    assert!(words.contains("none can be allowed"), "{words}");
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_cut_off() {
    let address: SocketAddr = demo().await.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ").await.unwrap();
    let mut rest = Vec::new();
    in_time("the end of the connection", stream.read_to_end(&mut rest)).await.unwrap();
    assert!(!String::from_utf8_lossy(&rest).starts_with("HTTP/1.1 200"));
}
