//! rmcp alone, with a tool that is a Rust function: what Sandbar's rate is compared with. It is this very program, started again,
//! so that it is a process of its own as Sandbar is.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, Implementation, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use sandbar_tests::control_plane;
use sandbar_tests::process::Leash;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// The variable that makes this program the server: empty, or the kubeconfig of the cluster that it reads.
const SWITCH: &str = "SANDBAR_BENCH_NATIVE";

/// A server with the tools `nothing` and `get_control_plane_status`. It ends when it is dropped.
pub(crate) struct Native {
    address: SocketAddr,
    child: Child,
    _leash: Leash,
}

impl Native {
    pub(crate) fn start() -> Self {
        Self::reading(Path::new(""))
    }

    /// With a cluster to read.
    pub(crate) fn reading(kubeconfig: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(SWITCH, kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be run");
        let leash = Leash::new(child.id());
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
        Self { address: line.trim().parse().expect("an address"), child, _leash: leash }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether this process was started to be the server.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os(SWITCH).is_some()
}

/// Serves until the process is ended: rmcp on hyper, without sessions and with plain JSON, as Sandbar runs it.
pub(crate) async fn serve() {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_sse_retry(None)
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let kubeconfig = PathBuf::from(std::env::var_os(SWITCH).expect("it is set"));
    let cluster = if kubeconfig.as_os_str().is_empty() { None } else { Some(control_plane::client(&kubeconfig, "admin").await) };
    let tools = Tools { cluster };
    let service = StreamableHttpService::new(move || Ok(tools.clone()), Arc::new(NeverSessionManager::default()), config);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("an address"));
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The handler.
#[derive(Clone)]
struct Tools {
    cluster: Option<kube::Client>,
}

impl Tools {
    /// The object that Sandbar's tool reads, with the fields that it answers.
    async fn status(&self, arguments: &Map<String, Value>) -> Option<Value> {
        let text = |key: &str| arguments.get(key)?.as_str();
        let (namespace, name) = (text("namespace")?, text("name")?);
        let path = format!("/apis/coder.com/v1alpha1/namespaces/{namespace}/codercontrolplanes/{name}");
        let request = http::Request::get(path).body(Vec::new()).ok()?;
        let object: Value = self.cluster.as_ref()?.request(request).await.ok()?;
        let status = &object["status"];
        Some(json!({
            "name": name, "namespace": namespace, "phase": status["phase"], "url": status["url"],
            "readyReplicas": status["readyReplicas"],
        }))
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("native", "1"))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let schema = Map::from_iter([("type".to_owned(), "object".into())]);
        ["nothing", "get_control_plane_status"]
            .into_iter()
            .find(|tool| *tool == name)
            .map(|name| Tool::new(name, "", Arc::new(schema)))
    }

    async fn call_tool(&self, call: CallToolRequestParams, _: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        if call.name == "nothing" {
            return Ok(CallToolResult::success(Vec::new()).into());
        }
        let status = self.status(&call.arguments.unwrap_or_default()).await;
        Ok(status.map_or_else(|| CallToolResult::error(Vec::new()), CallToolResult::structured).into())
    }
}
