//! A registry whose every byte a test decides on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::generate_simple_self_signed;
use sandbar_registry::{Cache, Digest, DockerConfig, Pinned, Proxies, Reference, Registries, Settings, Trust};
use sandbar_tls::{Acceptor, Certificate};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Bytes that a component may have in these tests.
pub(crate) const MOST: u64 = 64 * 1024;

/// What a registry was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method, path and query: `GET /v2/tool/blobs/…`.
    pub(crate) what: String,
    /// The address at which it was asked.
    pub(crate) host: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

/// What it answers.
pub(crate) enum Reply {
    /// A status, headers, and a body.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These bytes, and then nothing while the connection stays open.
    Stalls(Vec<u8>),
    /// So many bytes, one each second.
    Drips(usize),
    /// These bytes, and then others without end.
    Endless(Vec<u8>),
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Whole(200, Vec::new(), body.into())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Whole(status, Vec::new(), Vec::new())
    }

    pub(crate) fn to(location: impl Into<String>) -> Self {
        Self::Whole(307, vec![("location", location.into())], Vec::new())
    }

    pub(crate) fn challenge(challenge: impl Into<String>) -> Self {
        Self::Whole(401, vec![("www-authenticate", challenge.into())], Vec::new())
    }
}

type Answers = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A registry that answers as a function does.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    /// The authority of its certificate, where it has one.
    pub(crate) authority: Option<String>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    pub(crate) async fn plain(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(Arc::new(answer), false).await
    }

    pub(crate) async fn tls(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(Arc::new(answer), true).await
    }

    async fn start(answer: Answers, secured: bool) -> Self {
        let own = generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let certificate = Certificate::read(own.cert.pem().as_bytes(), own.signing_key.serialize_pem().as_bytes());
        let acceptor = Arc::new(Acceptor::new(&certificate.expect("a certificate"), [None; 2]).expect("TLS"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, notes, acceptor) = (answer.clone(), notes.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if !secured {
                        serve(stream, answer, notes).await;
                    } else if let Ok((stream, _)) = acceptor.accept(stream).await {
                        serve(stream, answer, notes).await;
                    }
                });
            }
        });
        Self { address, authority: secured.then(|| own.cert.pem()), asked }
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// How an operator names it.
    pub(crate) fn trust(&self) -> (String, Trust) {
        let trust = match &self.authority {
            None => Trust::Insecure,
            Some(pem) => Trust::Authorities(pem.as_bytes().into()),
        };
        (self.address.to_string(), trust)
    }

    pub(crate) fn pinned(&self, digest: &Digest) -> Pinned {
        self.reference(&format!("@{digest}")).pinned().expect("a digest")
    }

    /// `:TAG` or `@DIGEST` of its only repository.
    pub(crate) fn reference(&self, version: &str) -> Reference {
        format!("oci://{}/team/tool{version}", self.address).parse().expect("a reference")
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Answers, notes: Arc<Mutex<Vec<Asked>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            // Whoever begins with TLS gets an answer that is none, as from a server of HTTP.
            Ok(0x16) => return drop(stream.write_all(b"HTTP/1.1 400 x\r\n\r\n").await),
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("ASCII");
    let header = |wanted: &str| {
        let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_owned())
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().expect("a number"))];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    let what = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let asked = Asked {
        what,
        host: header("host").unwrap_or_default(),
        authorization: header("authorization"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let reply = answer(&asked);
    notes.lock().expect("no panic").push(asked);
    match reply {
        Reply::Whole(status, headers, body) => {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let head = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
            let _ = stream.shutdown().await;
        }
        Reply::Stalls(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
            std::future::pending::<()>().await;
        }
        Reply::Drips(bytes) => {
            let mut sent = stream.write_all(format!("HTTP/1.1 200 x\r\ncontent-length: {bytes}\r\n\r\n").as_bytes()).await;
            for _ in 0..bytes {
                if sent.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                sent = stream.write_all(b"x").await;
            }
        }
        Reply::Endless(bytes) => {
            let mut sent = stream.write_all(&bytes).await;
            while sent.is_ok() {
                sent = stream.write_all(b"1000\r\n").await;
                sent = sent.and(stream.write_all(&[b'x'; 0x1000]).await);
                sent = sent.and(stream.write_all(b"\r\n").await);
            }
        }
    }
}

/// Contents by the paths at which a registry has them, below its only repository.
#[derive(Clone, Default)]
pub(crate) struct Contents(pub(crate) BTreeMap<String, Vec<u8>>);

impl Contents {
    /// Puts a document, and has its digest.
    pub(crate) fn document(&mut self, document: &Value) -> Digest {
        let text = document.to_string().into_bytes();
        let digest = Digest::of(&text);
        self.0.insert(format!("manifests/{digest}"), text);
        digest
    }

    pub(crate) fn blob(&mut self, kind: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        self.0.insert(format!("blobs/{digest}"), bytes.to_vec());
        json!({ "mediaType": kind, "digest": digest, "size": bytes.len() })
    }

    /// A Wasm OCI artifact.
    pub(crate) fn artifact(&mut self, component: &[u8]) -> Digest {
        let config = self.blob("application/vnd.wasm.config.v0+json", b"{}");
        let layer = self.blob("application/wasm", component);
        self.document(&json!({ "schemaVersion": 2, "config": config, "layers": [layer] }))
    }

    pub(crate) fn answer(&self, asked: &Asked) -> Reply {
        let path = asked.what.split_once("/v2/team/tool/").map_or("", |(_, path)| path);
        self.0.get(path).map_or(Reply::status(404), |bytes| Reply::ok(bytes.clone()))
    }
}

/// A client that knows these hosts.
pub(crate) fn client(hosts: &[&Fake]) -> Registries {
    registries(hosts, None, None)
}

pub(crate) fn registries(hosts: &[&Fake], login: Option<Value>, cache: Option<&Path>) -> Registries {
    let credentials = login.map(|login| DockerConfig::parse(login.to_string().as_bytes()).expect("a configuration"));
    let settings = Settings {
        hosts: hosts.iter().map(|host| host.trust()).collect(),
        credentials: credentials.into_iter().collect(),
        proxies: Proxies::default(),
        component_bytes: MOST,
        cache: cache.map(|folder| Cache::new(folder, 1 << 20)),
        trust_root: None,
        online: true,
    };
    Registries::new(settings).expect("settings")
}
