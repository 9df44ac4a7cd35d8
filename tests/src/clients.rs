//! Real MCP clients and the official conformance suite: see `tests/clients`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

use crate::in_time;
use crate::sandbar::profile_folder;

/// The folder of the scripts and lists.
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// A client that is not ours.
#[derive(Clone, Copy, Debug)]
pub enum RealClient {
    /// The official Python SDK.
    Python,
    /// The official TypeScript SDK, version 1, which knows sessions only.
    TypeScriptV1,
    /// The official TypeScript SDK, version 2.
    TypeScriptV2,
    /// The official Go SDK.
    Go,
    /// The official Java SDK, which knows sessions only.
    Java,
    /// The official Rust SDK.
    Rust,
    /// The Inspector on its command line.
    InspectorCli,
    /// The Inspector in a browser.
    InspectorWeb,
}

/// An era of the protocol.
#[derive(Clone, Copy, Debug)]
pub enum Era {
    /// With sessions.
    Legacy,
    /// Without.
    Modern,
}

impl Era {
    fn name(self) -> &'static str {
        match self {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        }
    }

    /// The protocol version that clients and the server agree on.
    pub fn version(self) -> &'static str {
        match self {
            Era::Legacy => crate::mcp::LEGACY,
            Era::Modern => crate::mcp::MODERN,
        }
    }
}

/// Who a client says that it is.
#[derive(Clone, Copy, Debug)]
pub enum Who<'w> {
    /// It says nothing.
    Nobody,
    /// It finds out where to log in, and does, as this account. For Python, and the Inspector in a browser.
    Account(&'w str),
    /// It has a header `Authorization` of this value. For Python.
    Header(&'w str),
}

impl Who<'_> {
    fn in_task(self, mut task: Value) -> Value {
        match self {
            Who::Nobody => {}
            Who::Account(account) => task["login"] = account.into(),
            Who::Header(value) => task["headers"] = json!({ "Authorization": value }),
        }
        task
    }
}

/// What a client says when it is connected.
#[derive(Debug, Deserialize)]
pub struct Greeting {
    /// The version of its library, as it runs.
    pub library: String,
    /// The protocol version that was agreed on.
    pub protocol: String,
    /// The names of the tools.
    pub tools: Vec<String>,
}

/// What one call came back with.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// A result, which may say that the tool failed.
    #[serde(rename_all = "camelCase")]
    Result {
        /// The structured result; null where there is none.
        structured: Value,
        /// The text form.
        text: String,
        /// Whether the tool failed.
        is_error: bool,
    },
    /// There is none: the protocol or the connection failed.
    Failure {
        /// Why, in the client's words.
        failed: String,
    },
}

/// A program that a client starts.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its path.
    pub command: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, beside what clients pass on by themselves.
    pub env: BTreeMap<String, String>,
}

/// One of the installed programs, `node` for example. The first time, they are installed.
///
/// # Panics
/// When they cannot be installed.
pub fn program(name: &str) -> PathBuf {
    static INSTALLED: LazyLock<PathBuf> = LazyLock::new(|| {
        let script = format!("{FOLDER}/setup.sh");
        let output = Command::new(&script).stderr(Stdio::inherit()).output().expect("setup.sh can be run");
        assert!(output.status.success(), "{script} failed: {}", output.status);
        Path::new(String::from_utf8(output.stdout).expect("a path").trim_end()).to_owned()
    });
    INSTALLED.join(name)
}

impl RealClient {
    /// Its driver, or why it cannot be had on this machine.
    fn driver(self) -> Result<Command, String> {
        let script = |interpreter, script| {
            let mut command = Command::new(program(interpreter));
            command.arg(Path::new(FOLDER).join(script));
            command
        };
        let driver = match self {
            RealClient::Python => script("python", "client.py"),
            RealClient::TypeScriptV1 => script("node", "typescript-v1.cjs"),
            RealClient::TypeScriptV2 => script("node", "typescript-v2.cjs"),
            RealClient::Go => Command::new(program("go-client")),
            RealClient::Java => Command::new(program("java-client")),
            RealClient::Rust => Command::new(profile_folder().join("rmcp-client")),
            RealClient::InspectorCli => script("node", "inspector-cli.cjs"),
            RealClient::InspectorWeb => script("browser", "inspector-web.cjs"),
        };
        // What could not be installed has left its reason in the place of the program.
        let reason = Path::new(driver.get_program()).with_extension("missing");
        match std::fs::read_to_string(reason) {
            Ok(reason) => Err(reason.trim_end().to_owned()),
            Err(_) => Ok(driver),
        }
    }

    /// Starts it and connects to `url`. An error says why there is no such client on this machine.
    ///
    /// # Panics
    /// When it cannot connect.
    pub async fn connect(self, url: &str, era: Era) -> Result<(Greeting, Connected), String> {
        self.connect_trusting(url, era, None).await
    }

    /// The same for a server whose certificate an authority in this PEM file has signed.
    ///
    /// # Panics
    /// When it cannot connect.
    pub async fn connect_trusting(self, url: &str, era: Era, authority: Option<&Path>) -> Result<(Greeting, Connected), String> {
        self.connect_as(url, era, authority, Who::Nobody).await
    }

    /// The same as somebody.
    ///
    /// # Panics
    /// When it cannot connect.
    pub async fn connect_as(
        self,
        url: &str,
        era: Era,
        authority: Option<&Path>,
        who: Who<'_>,
    ) -> Result<(Greeting, Connected), String> {
        self.start(who.in_task(json!({ "url": url, "era": era.name() })), era, authority).await
    }

    /// Starts it and has it start a program that it speaks to over stdio.
    ///
    /// # Panics
    /// When it cannot connect.
    pub async fn connect_to_program(self, program: &Program, era: Era) -> Result<(Greeting, Connected), String> {
        let Program { command, args, env } = program;
        let program = json!({ "command": command, "args": args, "env": env });
        self.start(json!({ "program": program, "era": era.name() }), era, None).await
    }

    async fn start(self, task: Value, era: Era, authority: Option<&Path>) -> Result<(Greeting, Connected), String> {
        let trusted = authority.into_iter().flat_map(|file| [("SSL_CERT_FILE", file), ("NODE_EXTRA_CA_CERTS", file)]);
        let mut process = tokio::process::Command::from(self.driver()?)
            .envs(trusted)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{self:?}: {error}"));
        let calls = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut errors = process.stderr.take().expect("it is piped");
        // Read all the time, or a client with much to say would wait for us.
        let words = tokio::spawn(async move {
            let mut words = Vec::new();
            let _ = errors.read_to_end(&mut words).await;
            String::from_utf8_lossy(&words).into_owned()
        });
        let mut connected = Connected { client: self, era, calls, answers, words, _process: process };
        let greeting = connected.ask(task).await;
        Ok((serde_json::from_value(greeting).expect("a greeting"), connected))
    }
}

/// A client that is connected. It ends when this is dropped.
pub struct Connected {
    client: RealClient,
    era: Era,
    calls: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    words: JoinHandle<String>,
    _process: Child,
}

impl fmt::Debug for Connected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} of the {} era", self.client, self.era.name())
    }
}

impl Connected {
    /// Calls a tool.
    ///
    /// # Panics
    /// When the client ends. That a call fails is an outcome.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Outcome {
        let answer = self.ask(json!({ "tool": tool, "arguments": arguments })).await;
        serde_json::from_value(answer).expect("an outcome")
    }

    async fn ask(&mut self, message: Value) -> Value {
        // A client that has ended is recognized by its silence.
        let _ = self.calls.write_all(format!("{message}\n").as_bytes()).await;
        let client = format!("{self:?}");
        let line = in_time(&client, self.answers.next_line()).await.expect("lines of text");
        let Some(line) = line else {
            panic!("{client} ended: {}", (&mut self.words).await.expect("it is read to its end"));
        };
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{client} says {line}: {error}"))
    }
}
