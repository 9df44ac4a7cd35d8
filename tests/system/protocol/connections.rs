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
    for host in ["evil.example.com", "evil.example.com:8090", "127.0.0.1.evil.com", "evil.com."] {
        let (status, _, words) = error_of(send(ping(Some(host), None)).await).await;
        assert_eq!(status, 403, "{host}");
        assert!(words.contains(host), "{words}");
    }
}

#[tokio::test]
async fn loopback_addresses_and_service_names_are_served() {
    for host in ["localhost:8090", "127.0.0.1", "[::1]:8090", "10.1.2.3:8090", "coder-k8s", "coder-k8s.coder-system.svc:8090"] {
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
    assert_eq!(reply.header("access-control-expose-headers"), Some("mcp-session-id"), "a page can read its session");

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
    for path in ["/", "/mcp/", "/metrics/../mcp", "/.well-known/oauth-protected-resource"] {
        assert_eq!(wire::get(demo().await.address(), path).await.status, 404, "{path}");
    }
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
