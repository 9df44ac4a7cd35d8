//! Against servers that say what no real one can be made to say, over real connections.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const TOKEN: &str = "sesame-of-a-kind";

const TIME: Duration = Duration::from_secs(30);

/// The port of MCP in a pod.
const PORT: u16 = 8090;

/// What a server says, given the request's head and how many there were before. None: it closes the connection. With status 101 it forwards
/// [`PORT`], says that this is why it cannot, and hangs up.
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
        let as_sent = String::from_utf8(head).expect("ASCII");
        let head = as_sent.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("a body");
        let before = {
            let mut seen = seen.lock().expect("not poisoned");
            seen.push(head.clone());
            seen.len() - 1
        };
        let Some((status, text)) = script(&head, before) else { return };
        if status == 101 {
            return fail_to_forward(stream, &as_sent, &text).await;
        }
        let answer =
            format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes()).await.expect("written");
    }
}

/// Answers the handshake of a port-forward, and says of its one port why it cannot be forwarded, as a kubelet does.
async fn fail_to_forward(mut stream: TcpStream, head: &str, why: &str) {
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then_some(value)
    });
    let accepted = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.expect("a WebSocket's"));
    let accepted = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, accepted.as_bytes());
    let handshake = format!(
        "HTTP/1.1 101 x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-protocol: v4.channel.k8s.io\r\n\
         sec-websocket-accept: {}\r\n\r\n",
        STANDARD.encode(accepted)
    );
    stream.write_all(handshake.as_bytes()).await.expect("written");
    let port = PORT.to_le_bytes();
    // Each channel, of data and of errors, begins with its port.
    for message in [&[&[0], &port[..]].concat(), &[&[1], &port[..]].concat(), &[&[1], why.as_bytes()].concat()] {
        let length = u8::try_from(message.len()).ok().filter(|length| *length < 126).expect("a short message");
        stream.write_all(&[&[0x82, length], &message[..]].concat()).await.expect("written");
    }
    stream.write_all(&[0x88, 0]).await.expect("written");
    // What was sent until then is not lost.
    let _ = stream.read_to_end(&mut Vec::new()).await;
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
        ("https://mcp.example.com/m c p", Token::None, "--url has a path"),
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

/// What the API server says on the way to the pod of a Service, apart from the port-forward.
fn leads_to_pod(head: &str) -> Option<String> {
    let path = head.strip_prefix("get /api/v1/namespaces/a/")?;
    if path.starts_with("services/b ") {
        let ports = json!([{ "port": 80, "targetPort": PORT }]);
        return Some(json!({ "spec": { "selector": { "app/x": "y" }, "ports": ports } }).to_string());
    }
    let pod = json!({ "metadata": { "name": "p" }, "status": { "conditions": [{ "type": "Ready", "status": "True" }] } });
    let list = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod] });
    path.starts_with("pods?labelselector=app%2fx%3dy&limit=50 ").then(|| list.to_string())
}

async fn sent_to_service(fake: &Fake) -> ForwardError {
    let (forwarder, _folder) = fake.forwarder().await;
    let pods = forwarder.to_service(ServiceName::parse("a/b").expect("a name"));
    pods.send(&message(), &HeaderMap::new(), TIME).await.expect_err("no server")
}

#[tokio::test]
async fn why_a_port_cannot_be_forwarded_is_told() {
    use ForwardErrorKind::{Lost, Undelivered};
    for (why, kind, words) in [
        (
            "failed to connect to localhost:8090: dial tcp4 127.0.0.1:8090: connect: connection refused",
            Undelivered,
            "no port of a pod of the Service a/b could be forwarded: failed to connect to localhost:8090",
        ),
        ("sandbox container is not running", Undelivered, "could be forwarded: sandbox container is not running"),
        // The request may have been there.
        ("read tcp4 127.0.0.1:8090: read: connection reset by peer", Lost, "broke: read tcp4 127.0.0.1:8090"),
    ] {
        let fake = Fake::start(move |head, _| {
            let is_forward = head.starts_with("get /api/v1/namespaces/a/pods/p/portforward?");
            if is_forward { Some((101, why.to_owned())) } else { leads_to_pod(head).map(|text| (200, text)) }
        })
        .await;
        let error = sent_to_service(&fake).await;
        assert!(error.kind == kind && error.words.contains(words), "{why}: {error:?}");
    }
}

#[tokio::test]
async fn what_the_api_server_says_of_a_service_is_bounded_and_not_repeated() {
    use ForwardErrorKind::{NotServed, Refused, Undelivered};
    type Answer = fn() -> (u16, String);
    let rows: [(Answer, ForwardErrorKind, &str); 5] = [
        (|| (200, format!("{{\"SECRET\": \"{}\"}}", "x".repeat(17 << 20))), Refused, "is over 16 MiB"),
        (|| (200, "{ SECRET".to_owned()), Undelivered, "it is not JSON"),
        (|| (200, r#"{ "spec": ["SECRET"] }"#.to_owned()), Undelivered, "of another type"),
        (|| (404, r#"{ "kind": "Status", "message": "not found" }"#.to_owned()), NotServed, "there is no Service a/b"),
        (|| (403, r#"{ "kind": "Status", "message": "not you" }"#.to_owned()), Refused, "not you. It takes a Role"),
    ];
    for (answer, kind, words) in rows {
        let fake = Fake::start(move |_, _| Some(answer())).await;
        let error = sent_to_service(&fake).await;
        assert!(error.kind == kind && error.words.contains(words) && !error.words.contains("SECRET"), "{words}: {error:?}");
    }
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
