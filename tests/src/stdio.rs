//! A program that speaks MCP over its standard streams, and a client for it that is small enough to see each line.

use std::process::{Command, ExitStatus, Stdio as Standard};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::in_time;
use crate::mcp::{LEGACY, MODERN};
use crate::process::Transcript;

/// A program and its streams. It is killed when this is dropped.
#[derive(Debug)]
pub struct Stdio {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    log: Transcript,
    next_id: AtomicU64,
    /// What it has said that was no answer.
    told: Vec<Value>,
}

impl Stdio {
    /// Starts a program.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Standard::piped()).stdout(Standard::piped());
        // A thread reads it to its end, also when the test has its hands full.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        command.stderr(writer);
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("it can be run");
        let log = Transcript::of(reader);
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, input, output, log, next_id: AtomicU64::new(1), told: Vec::new() }
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it has ended.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// What it has said on standard error.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Writes a line.
    ///
    /// # Panics
    /// When it takes no more.
    pub async fn write(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it is open");
        input.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    /// The next message.
    ///
    /// # Panics
    /// When there is none, or the line is none.
    pub async fn read(&mut self) -> Value {
        let line = in_time("a line", self.output.next_line()).await.expect("text");
        let line = line.unwrap_or_else(|| panic!("it has ended: {}", self.log.text()));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?} is no JSON: {error}"))
    }

    /// Sends a request, and returns its id.
    pub async fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()).await;
        id
    }

    /// Sends a notification.
    pub async fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()).await;
    }

    /// The answer to a request. What is told before it is kept.
    pub async fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.read().await;
            if message["id"] == json!(id) {
                return message;
            }
            self.told.push(message);
        }
    }

    /// Sends a request and returns its answer.
    pub async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        self.answer(id).await
    }

    /// The next message that is no answer.
    pub async fn next_told(&mut self) -> Value {
        if self.told.is_empty() { self.read().await } else { self.told.remove(0) }
    }

    /// Opens a session.
    ///
    /// # Panics
    /// When that fails.
    pub async fn initialize(&mut self) -> Value {
        let info = json!({ "name": "tests", "version": "1" });
        let params = json!({ "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": info });
        let answer = self.request("initialize", params).await;
        assert_eq!(answer["result"]["protocolVersion"], LEGACY, "{answer}");
        self.notify("notifications/initialized", json!({})).await;
        answer
    }

    /// The structured result of a call in a session.
    ///
    /// # Panics
    /// When it has none.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        let structured = &answer["result"]["structuredContent"];
        assert!(structured.is_object(), "{answer}\n{}", self.log.text());
        structured.clone()
    }

    /// Says no more, and waits for its end.
    pub async fn end(mut self) -> (ExitStatus, String) {
        drop(self.input.take());
        let status = in_time("its end", self.child.wait()).await.expect("it can be waited for");
        (status, self.log.text())
    }
}

/// The parameters of a request that stands alone.
pub fn modern(mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": "tests", "version": "1" });
    params
}
