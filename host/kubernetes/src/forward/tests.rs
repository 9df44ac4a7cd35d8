//! Against servers that say what no real one can be made to say, over real connections.

use std::sync::{Arc, Mutex};

use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const TOKEN: &str = "sesame-of-a-kind";

const TIME: Duration = Duration::from_secs(30);

/// What a server says, given the request's head and how many there were before. None: it closes the connection.
type Script = dyn Fn(&str, usize) -> Option<(u16, String)> + Send + Sync;

/// A server, and the heads of the requests that it has seen.
struct Fake {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(script: impl Fn(&str, usize) -> Option<(u16, String)> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (noted, script): (_, Arc<Script>) = (seen.clone(), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, noted.clone(), script.clone()));
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").clone()
    }

    /// The way through it, as an API server.
    async fn forwarder(&self) -> (Forwarder, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        write_kubeconfig(&folder, &self.address, TOKEN);
        let server = ServerName::new("mcp.sandbar.dev", "sandbar").expect("a name");
        let forwarder = Forwarder::to_server(Some(&folder.path().join("config")), Some("c"), server).await.expect("a way");
        (forwarder, folder)
    }
}

fn write_kubeconfig(folder: &tempfile::TempDir, address: &str, token: &str) {
    let text = format!(
        "contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nclusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}]\nusers: [{{name: u, user: {{token: {token}}}}}]"
    );
    std::fs::write(folder.path().join("config"), text).expect("written");
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, script: Arc<Script>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let head = String::from_utf8(head).expect("ASCII").to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("a body");
        let before = {
            let mut seen = seen.lock().expect("not poisoned");
            seen.push(head.clone());
            seen.len() - 1
        };
        let Some((status, text)) = script(&head, before) else { return };
        let answer =
            format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes()).await.expect("written");
    }
}

fn message() -> Ask {
    Ask::Message(Bytes::from_static(b"{}"))
}

fn status(code: u16, message: &str) -> Option<(u16, String)> {
    Some((code, json!({ "kind": "Status", "code": code, "message": message }).to_string()))
}

#[tokio::test]
async fn messages_and_streams_have_the_paths_that_the_api_server_has_for_them() {
    let fake = Fake::start(|_, _| Some((200, "{}".to_owned()))).await;
    let (forwarder, _folder) = fake.forwarder().await;
    let headers = HeaderMap::from_iter([("mcp-method".parse().expect("one"), HeaderValue::from_static("ping"))]);
    forwarder.send(&message(), &headers, TIME).await.expect("an answer");
    forwarder.send(&Ask::Stream, &HeaderMap::new(), TIME).await.expect("an answer");
    let [post, get] = &fake.seen()[..] else { panic!("{:?}", fake.seen()) };
    assert!(post.starts_with("post /apis/mcp.sandbar.dev/v1/servers/sandbar http/1.1\r\n"), "{post}");
    assert!(get.starts_with("get /apis/mcp.sandbar.dev/v1/servers?watch=true http/1.1\r\n"), "{get}");
    assert!(post.contains("mcp-method: ping\r\n") && post.contains(&format!("authorization: bearer {TOKEN}\r\n")), "{post}");
}

#[tokio::test]
async fn an_error_of_mcp_is_an_answer() {
    let text = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"m"}}"#;
    let fake = Fake::start(move |_, _| Some((404, text.to_owned()))).await;
    let (forwarder, _folder) = fake.forwarder().await;
    let answer = forwarder.send(&message(), &HeaderMap::new(), TIME).await.expect("an answer");
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), text);
}

#[tokio::test]
async fn what_the_api_server_refuses_is_told_with_what_to_do() {
    use ForwardErrorKind::{Lost, NotServed, Refused, Undelivered};
    type Row = (fn(&str) -> Option<(u16, String)>, ForwardErrorKind, &'static str);
    let rows: [Row; 9] = [
        (
            |head| {
                if head.starts_with("get /apis/mcp.sandbar.dev ") { status(200, "") } else { status(403, "no servers for ann") }
            },
            Refused,
            "--clusterrole=mcp.sandbar.dev:sandbar:caller",
        ),
        // Who has no right is told so of what is not there, too.
        (
            |head| {
                if head.starts_with("get /apis/mcp.sandbar.dev ") {
                    Some((404, "404 page not found".to_owned()))
                } else {
                    status(403, "no")
                }
            },
            NotServed,
            "--cluster does without a server",
        ),
        (|_| Some((404, "404 page not found\n".to_owned())), NotServed, "`kubectl get apiservice v1.mcp.sandbar.dev`"),
        (|_| Some((503, "service unavailable\n".to_owned())), Undelivered, "kubectl get apiservice v1.mcp.sandbar.dev"),
        (
            |_| status(503, "error trying to reach service: dial tcp 10.0.0.1:8443: connect: connection refused"),
            Undelivered,
            "refused",
        ),
        (|_| status(503, "error trying to reach service: EOF"), Lost, "EOF"),
        (|_| status(504, "Timeout"), Refused, "60 s"),
        (|_| status(500, "oops"), Refused, "500: oops"),
        (|_| None, Lost, "broke before the answer was there"),
    ];
    for (script, kind, words) in rows {
        let fake = Fake::start(move |head, _| script(head)).await;
        let (forwarder, _folder) = fake.forwarder().await;
        let error = forwarder.send(&message(), &HeaderMap::new(), TIME).await.expect_err(words);
        assert!(error.kind == kind && error.words.contains(words), "{words}: {error:?}");
        assert!(!error.words.contains(TOKEN), "{error}");
    }
}

#[tokio::test]
async fn nobody_there_is_told_apart_from_an_answer_that_is_lost() {
    let fake = Fake::start(|_, _| None).await;
    let (forwarder, folder) = fake.forwarder().await;
    let unused = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    write_kubeconfig(&folder, &unused.to_string(), TOKEN);
    let server = ServerName::new("mcp.sandbar.dev", "sandbar").expect("a name");
    let nobody = Forwarder::to_server(Some(&folder.path().join("config")), Some("c"), server).await.expect("a way");
    let error = nobody.send(&message(), &HeaderMap::new(), TIME).await.expect_err("nobody");
    assert_eq!(error.kind, ForwardErrorKind::Undelivered, "{error}");
    let error = forwarder.send(&message(), &HeaderMap::new(), TIME).await.expect_err("lost");
    assert_eq!(error.kind, ForwardErrorKind::Lost, "{error}");
}

#[tokio::test]
async fn a_login_that_is_refused_is_made_anew() {
    let fake = Fake::start(|head, _| {
        if head.contains("authorization: bearer renewed") { Some((200, "{}".to_owned())) } else { status(401, "Unauthorized") }
    })
    .await;
    let (forwarder, folder) = fake.forwarder().await;
    let error = forwarder.send(&message(), &HeaderMap::new(), TIME).await.expect_err("refused");
    assert_eq!(error.status, Some(401));
    assert!(error.words.contains("get another token") && !error.words.contains(TOKEN), "{error}");
    write_kubeconfig(&folder, &fake.address, "renewed");
    // The pause after a login that was refused.
    tokio::time::timeout(TIME, async {
        while forwarder.send(&message(), &HeaderMap::new(), TIME).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("it is read again");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    let forwarder = Forwarder::to_address(&url, Token::None, None).await.expect("a way");
    let error = forwarder.send(&message(), &HeaderMap::new(), Duration::from_millis(50)).await.expect_err("silence");
    assert_eq!(error.kind, ForwardErrorKind::Lost, "{error}");
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_told_at_once() {
    for (url, token, words) in [
        ("mcp.example.com", Token::None, "http"),
        ("ftp://mcp.example.com/mcp", Token::None, "http"),
        ("https://me:SECRET@mcp.example.com/mcp", Token::None, "--token-file"),
        ("http://mcp.example.com/mcp", Token::Text("SECRET".to_owned()), "https://"),
        ("http://127.0.0.1/mcp", Token::Text("SECRET x".to_owned()), "token"),
        ("http://127.0.0.1/mcp", Token::File("/no/such/file".into()), "/no/such/file"),
        ("mcp.example.com/mcp", Token::None, r#"--url "mcp.example.com/mcp" does not begin with http:// or https://"#),
        ("me:SECRET@mcp.example.com/mcp", Token::None, "--token-file"),
        ("https://mcp example.com/mcp", Token::None, r#"--url "https://mcp example.com/mcp" has no host"#),
        ("https:///mcp", Token::None, r#"--url "https:///mcp" has no host"#),
        ("https://mcp.example.com:http/mcp", Token::None, "or no port that is one"),
        ("https://mcp.example.com/m c p", Token::None, r#"--url "https://mcp.example.com/m c p" has a path"#),
        ("https://me:SECRET/x@mcp.example.com/mcp", Token::None, "has no host"),
    ] {
        let fault = Forwarder::to_address(url, token, None).await.map(|_| ()).expect_err(url).to_string();
        assert!(fault.contains(words) && !fault.contains("SECRET"), "{url}: {fault}");
    }
    for (url, path) in [
        ("https://mcp.example.com/mcp?a=b", "/mcp?a=b"),
        (" HTTPS://mcp.example.com:443/mcp#c ", "/mcp"),
        ("https://mcp.example.com", "/"),
        ("https://mcp.example.com?a=b", "/?a=b"),
    ] {
        assert_eq!(address::split(url).map(|(_, path)| path), Ok(path.to_owned()), "{url}");
        assert!(Forwarder::to_address(url, Token::Text("SECRET".to_owned()), None).await.is_ok(), "{url}");
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    for (authorities, words) in
        [(file.path(), "is not PEM with a CERTIFICATE in it"), (Path::new("/no/such/file"), "no such file")]
    {
        let fault = Forwarder::to_address("https://127.0.0.1/mcp", Token::None, Some(authorities)).await;
        let fault = fault.map(|_| ()).expect_err(words).to_string();
        assert!(fault.contains("--certificate-authority") && fault.contains(words) && !fault.contains("--url"), "{fault}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_with_the_flag_that_sets_whom_to_trust() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let certificate = sandbar_tls::Certificate::read(own.cert.pem().as_bytes(), own.signing_key.serialize_pem().as_bytes());
    let acceptor = sandbar_tls::Acceptor::new(&certificate.expect("a certificate"), [None, None]).expect("TLS");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}/mcp", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.crt");
    std::fs::write(&file, other.cert.pem()).expect("written");
    let forwarder = Forwarder::to_address(&url, Token::None, Some(&file)).await.expect("a way");
    let error = forwarder.send(&message(), &HeaderMap::new(), TIME).await.expect_err("not trusted");
    assert_eq!(error.kind, ForwardErrorKind::Refused);
    assert!(error.words.contains("`--certificate-authority FILE`") && !error.words.contains("kubeconfig"), "{error}");
}

#[test]
fn names_cannot_lead_to_another_path() {
    assert!(ServerName::new("mcp.sandbar.dev", "sandbar").is_ok());
    for (group, server) in [
        ("apps", "sandbar"),
        ("", "sandbar"),
        ("mcp.sandbar.dev/v1", "sandbar"),
        ("mcp.sandbar.dev?x", "sandbar"),
        ("mcp.sandbar.dev", ""),
        ("mcp.sandbar.dev", ".."),
        ("mcp.sandbar.dev", "a/b"),
        ("mcp.sandbar.dev", "a?b"),
        ("mcp.sandbar.dev", "a%2fb"),
    ] {
        assert!(ServerName::new(group, server).is_err(), "{group} {server}");
    }
}
