//! A real OpenID Connect provider, npm's oidc-provider: see `tests/clients`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::clients::{FOLDER, program};
use crate::https::HttpsClient;
use crate::in_time;
use crate::tls_api::{Pair, Shape};

/// A provider that lets in whoever comes. It ends when this is dropped.
pub struct Issuer {
    url: String,
    client: HttpsClient,
    authority: Pair,
    files: TempDir,
    lines: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    _process: Child,
}

impl Issuer {
    /// Starts one, whose keys are for RS256.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        let authority = Pair::alone("issuers", &Shape::authority());
        let own = Pair::signed("issuer", &Shape::server(), &authority);
        let files = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in [("ca.crt", authority.pem()), ("tls.crt", own.pem()), ("tls.key", own.key_pem())] {
            std::fs::write(files.path().join(name), text).expect("a temporary file");
        }
        let mut process = Command::new(program("node"))
            .arg(Path::new(FOLDER).join("issuer.cjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It warns of what is good for tests alone.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node can be run");
        let commands = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let client = HttpsClient::new(&authority, None);
        let mut issuer =
            Self { url: String::new(), client, authority, lines: Mutex::new((commands, answers)), files, _process: process };
        let (certificate, key) = (issuer.files.path().join("tls.crt"), issuer.files.path().join("tls.key"));
        let started = issuer.ask(json!({ "certificate": certificate, "key": key })).await;
        issuer.url = started["url"].as_str().expect("a URL").to_owned();
        issuer
    }

    async fn ask(&self, command: Value) -> Value {
        let (commands, answers) = &mut *self.lines.lock().await;
        commands.write_all(format!("{command}\n").as_bytes()).await.expect("it listens");
        let line = in_time("the provider", answers.next_line()).await.expect("text").expect("it runs");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Its URL, as its tokens have it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file with the authority that has signed its certificate.
    pub fn authority_file(&self) -> PathBuf {
        self.files.path().join("ca.crt")
    }

    /// That authority, as PEM.
    pub fn authority(&self) -> String {
        self.authority.pem()
    }

    /// Has it sign with a new key, for this algorithm; the one before stays published, or goes.
    pub async fn rotate(&self, algorithm: &str, keep: bool) {
        self.ask(json!({ "rotate": algorithm, "keep": keep })).await;
    }

    /// Nobody listens there any more.
    pub async fn go_down(&self) {
        self.ask(json!({ "down": true })).await;
    }

    /// Somebody does again.
    pub async fn come_up(&self) {
        self.ask(json!({ "up": true })).await;
    }

    /// An access token for the program `agent`, for this audience.
    ///
    /// # Panics
    /// When it gives none.
    pub async fn token(&self, audience: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&scope=mcp&client_id=agent&client_secret=agent-of-the-tests&resource={audience}"
        );
        let request = Request::post("/token").header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(Bytes::from(form)).expect("a request");
        let address: SocketAddr = self.url.trim_start_matches("https://").parse().expect("an address");
        let reply = self.client.send(address, request).await.expect("an answer");
        let status = reply.status;
        let answer = reply.text().await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    }
}
