//! rmcp's server, with a handler that has Sandbar's tools: it lists what Sandbar lists, and a call's result is that of the same call.

use std::net::SocketAddr;
use std::sync::Arc;

use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ErrorCode, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use sandbar_tests::http as wire;
use sandbar_tests::mcp::{self, Client};
use sandbar_tests::sandbar::Server;
use serde_json::json;

/// How long a list of tools may be kept, as Sandbar says.
const LIST_TTL_MS: u64 = 60_000;

/// The handler.
#[derive(Clone)]
pub(crate) struct Handler {
    address: SocketAddr,
    config: ServerConfig,
    tools: Arc<Vec<Tool>>,
}

/// The server.
pub(crate) struct Native(StreamableHttpService<Handler, NeverSessionManager>);

impl Native {
    /// One with the tools of this server.
    pub(crate) async fn like(server: &Server) -> Self {
        let client = Client::modern(server);
        let tools = client.request("tools/list", json!({})).await["result"]["tools"].take();
        let discovered = client.request("server/discover", json!({})).await["result"].take();
        let version = discovered["_meta"]["io.modelcontextprotocol/serverInfo"]["version"].as_str().unwrap().to_owned();
        let config = ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build())
            .with_server_info(Implementation::new("sandbar", version))
            .with_instructions(discovered["instructions"].as_str().unwrap());
        let tools = Arc::new(serde_json::from_value(tools).unwrap());
        let handler = Handler { address: server.address(), config, tools };
        let http = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_sse_retry(None)
            .disable_allowed_hosts()
            .disable_allowed_origins();
        Self(StreamableHttpService::new(move || Ok(handler.clone()), NeverSessionManager::default().into(), http))
    }

    pub(crate) fn service(&self) -> StreamableHttpService<Handler, NeverSessionManager> {
        self.0.clone()
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        self.config.clone()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = ListToolsResult::with_all_items(self.tools.to_vec());
        if version(&context) >= ProtocolVersion::V_2026_07_28 {
            list.ttl_ms = Some(LIST_TTL_MS);
            list.cache_scope = Some(CacheScope::Private);
        }
        Ok(list)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let params = json!({ "name": request.name, "arguments": request.arguments.unwrap_or_default() });
        let reply = wire::send(self.address, mcp::modern(json!(1), "tools/call", params)).await;
        let mut message = reply.message().await.expect("an answer");
        if let Some(code) = message["error"]["code"].as_i64() {
            return Err(ErrorData::new(ErrorCode(i32::try_from(code).unwrap()), "the tool was not called", None));
        }
        let result: CallToolResult = serde_json::from_value(message["result"].take()).unwrap();
        // What a model gets to see from 2025-11-25 on is an error before: a rule of the protocol that rmcp leaves to its handler.
        let words = result.content.first().and_then(|block| Some(block.as_text()?.text.as_str())).unwrap_or_default();
        if words.starts_with("invalid arguments") && version(&context) < ProtocolVersion::V_2025_11_25 {
            return Err(ErrorData::invalid_params(words.to_owned(), None));
        }
        Ok(result.into())
    }
}

fn version(context: &RequestContext<RoleServer>) -> ProtocolVersion {
    context.protocol_version().unwrap_or(ProtocolVersion::V_2025_03_26)
}
