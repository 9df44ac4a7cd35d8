//! A real collector of OpenTelemetry (`tests/collector`), which writes what it takes to a file.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::process::Leash;
use crate::until;

/// A running collector. It is killed when it is dropped.
pub struct Collector {
    address: SocketAddr,
    process: Child,
    folder: TempDir,
    _leash: Leash,
}

/// A span as the collector has taken it.
#[derive(Clone, Debug)]
pub struct TakenSpan {
    /// All of it, as OTLP has it in JSON.
    pub span: Value,
    /// Its attributes, by key.
    pub attributes: Map<String, Value>,
    /// Those of who has sent it.
    pub resource: Map<String, Value>,
}

impl Collector {
    /// Starts one at [`Self::free_address`].
    pub async fn start() -> Self {
        Self::start_at(Self::free_address()).await
    }

    /// An address where nobody listens.
    ///
    /// # Panics
    /// Where there is none.
    pub fn free_address() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
    }

    /// Starts one at this address, and waits until it takes something.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start_at(address: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let (config, taken) = (folder.path().join("collector.yaml"), folder.path().join("taken.json"));
        let text = format!(
            "receivers: {{ otlp: {{ protocols: {{ http: {{ endpoint: \"{address}\" }} }} }} }}\n\
             exporters: {{ file: {{ path: {taken:?}, flush_interval: 20ms }} }}\n\
             service: {{ pipelines: {{ traces: {{ receivers: [otlp], exporters: [file] }} }} }}\n"
        );
        std::fs::write(&config, text).expect("a temporary file");
        let mut command = Command::new(program());
        command.arg("--config").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("a collector");
        let leash = Leash::new(process.id());
        let collector = Self { address, process, folder, _leash: leash };
        until("the collector listens", async || TcpStream::connect(address).await.ok()).await;
        collector
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `endpoint` of sandbar.yaml has to be.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that it has taken, as text.
    pub fn text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("taken.json")).unwrap_or_default()
    }

    /// The spans of a trace that it has taken.
    ///
    /// # Panics
    /// Where what it has written is none of OTLP.
    pub fn spans(&self, trace: &str) -> Vec<TakenSpan> {
        let text = self.text();
        // The last line may not be whole yet.
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let messages = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let spans = messages.flat_map(|message| {
            let resources = array(&message["resourceSpans"]).to_vec();
            resources.into_iter().flat_map(|of_resource| {
                let resource = attributes(&of_resource["resource"]["attributes"]);
                let spans: Vec<Value> =
                    array(&of_resource["scopeSpans"]).iter().flat_map(|scope| array(&scope["spans"]).to_vec()).collect();
                spans.into_iter().map(move |span| TakenSpan {
                    attributes: attributes(&span["attributes"]),
                    resource: resource.clone(),
                    span,
                })
            })
        });
        spans.filter(|taken| taken.span["traceId"] == trace).collect()
    }

    /// Waits until it has taken a trace, with the span of a call as a whole in it.
    pub async fn trace(&self, trace: &str) -> Vec<TakenSpan> {
        until("the collector has taken the trace", async || {
            let spans = self.spans(trace);
            spans.iter().any(|taken| taken.span["kind"] == 2).then_some(spans)
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl TakenSpan {
    /// Its name.
    ///
    /// # Panics
    /// Where it has none.
    pub fn name(&self) -> &str {
        self.span["name"].as_str().expect("a name")
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Attributes by key, each a text or a number.
fn attributes(list: &Value) -> Map<String, Value> {
    let pair = |attribute: &Value| {
        let value = attribute["value"].as_object().and_then(|value| value.values().next()).cloned().unwrap_or_default();
        (attribute["key"].as_str().unwrap_or_default().to_owned(), value)
    };
    array(list).iter().map(pair).collect()
}

/// The collector's program, built where it is not there yet.
fn program() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("collector/build.sh");
    let built = Command::new(&script).stderr(Stdio::inherit()).output().expect("a shell");
    assert!(built.status.success(), "{} fails", script.display());
    Path::new(String::from_utf8(built.stdout).expect("a path").trim_end()).join("collector")
}
