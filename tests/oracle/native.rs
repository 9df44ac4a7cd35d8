//! rmcp's server, with a handler that has what Sandbar has: it lists what Sandbar lists, and a call's result is that of the same call.

use std::net::SocketAddr;
use std::sync::Arc;

use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ErrorCode, ErrorData, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, Prompt, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, Resource, ResourceTemplate, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use sandbar_tests::http as wire;
use sandbar_tests::mcp::{self, Client};
use sandbar_tests::sandbar::Server;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How long a list may be kept, as Sandbar says.
const LIST_TTL_MS: u64 = 60_000;

/// The handler.
#[derive(Clone)]
pub(crate) struct Handler {
    address: SocketAddr,
    config: ServerConfig,
    lists: Arc<Lists>,
}

/// What is listed.
struct Lists {
    tools: Vec<Tool>,
    prompts: Vec<Prompt>,
    resources: Vec<Resource>,
    templates: Vec<ResourceTemplate>,
}

async fn list<T: DeserializeOwned>(client: &Client, method: &str, key: &str) -> T {
    serde_json::from_value(client.request(method, json!({})).await["result"][key].take()).unwrap()
}

/// A result of all these, with what Sandbar says of how long it may be kept.
macro_rules! listed {
    ($result:ident, $items:expr, $context:expr) => {{
        let mut list = $result::with_all_items($items.clone());
        if version(&$context) >= ProtocolVersion::V_2026_07_28 {
            list.ttl_ms = Some(LIST_TTL_MS);
            list.cache_scope = Some(CacheScope::Private);
        }
        Ok(list)
    }};
}

/// The server.
pub(crate) struct Native(StreamableHttpService<Handler, NeverSessionManager>);

impl Native {
    /// One with what this server has.
    pub(crate) async fn like(server: &Server) -> Self {
        let client = Client::modern(server);
        let lists = Lists {
            tools: list(&client, "tools/list", "tools").await,
            prompts: list(&client, "prompts/list", "prompts").await,
            resources: list(&client, "resources/list", "resources").await,
            templates: list(&client, "resources/templates/list", "resourceTemplates").await,
        };
        let discovered = client.request("server/discover", json!({})).await["result"].take();
        let version = discovered["_meta"]["io.modelcontextprotocol/serverInfo"]["version"].as_str().unwrap().to_owned();
        let capabilities = serde_json::from_value::<ServerCapabilities>(discovered["capabilities"].clone()).unwrap();
        let config = ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("sandbar", version))
            .with_instructions(discovered["instructions"].as_str().unwrap());
        let handler = Handler { address: server.address(), config, lists: Arc::new(lists) };
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

impl Handler {
    /// What Sandbar answers to the same: a result, or the code of an error.
    async fn ask(&self, method: &str, params: Value) -> Result<Value, ErrorData> {
        let reply = wire::send(self.address, mcp::modern(json!(1), method, params)).await;
        let mut message = reply.message().await.expect("an answer");
        match message["error"]["code"].as_i64() {
            Some(code) => {
                let code = ErrorCode(i32::try_from(code).unwrap());
                Err(ErrorData::new(code, "it was not answered", None))
            }
            None => Ok(message["result"].take()),
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        self.config.clone()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.lists.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        listed!(ListToolsResult, self.lists.tools, context)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        listed!(ListPromptsResult, self.lists.prompts, context)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        listed!(ListResourcesResult, self.lists.resources, context)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        listed!(ListResourceTemplatesResult, self.lists.templates, context)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let params = json!({ "name": request.name, "arguments": request.arguments.unwrap_or_default() });
        let result: GetPromptResult = serde_json::from_value(self.ask("prompts/get", params).await?).unwrap();
        Ok(result.into())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let is_modern = version(&context) >= ProtocolVersion::V_2026_07_28;
        let mut answer = self.ask("resources/read", json!({ "uri": request.uri })).await.map_err(|error| {
            // Which code that has is a rule of the protocol that rmcp keeps.
            match error.code {
                ErrorCode::INVALID_PARAMS => ErrorData::resource_not_found("there is none", Some(json!({ "uri": request.uri }))),
                _ => error,
            }
        })?;
        if let (false, Some(answer)) = (is_modern, answer.as_object_mut()) {
            answer.retain(|key, _| !["ttlMs", "cacheScope"].contains(&key.as_str()));
        }
        let result: ReadResourceResult = serde_json::from_value(answer).unwrap();
        Ok(result.into())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let params = json!({ "name": request.name, "arguments": request.arguments.unwrap_or_default() });
        let result: CallToolResult = serde_json::from_value(self.ask("tools/call", params).await?).unwrap();
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
