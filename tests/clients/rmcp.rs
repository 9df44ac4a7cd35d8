//! The client of the official Rust SDK. README.md says what it reads and writes.
#![allow(clippy::print_stdout, reason = "standard output is its answer")]

use std::error::Error;
use std::io::BufRead;

use rmcp::ServiceError;
use rmcp::model::{CallToolRequestParams, CallToolResult, ClientConfig, JsonObject, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt};
use rmcp::transport::StreamableHttpClientTransport;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Task {
    url: String,
    era: Era,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Era {
    Legacy,
    Modern,
}

#[derive(Deserialize)]
struct Call {
    tool: String,
    arguments: JsonObject,
}

impl Era {
    fn lifecycle(self) -> ClientLifecycleMode {
        match self {
            Era::Legacy => ClientLifecycleMode::Initialize,
            Era::Modern => ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
        }
    }

    /// The version to ask for.
    fn info(self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.protocol_version = match self {
            Era::Legacy => ProtocolVersion::V_2025_11_25,
            Era::Modern => ProtocolVersion::V_2026_07_28,
        };
        info
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut lines = std::io::stdin().lock().lines();
    let Task { url, era } = serde_json::from_str(&lines.next().ok_or("no task")??)?;
    let client = era.info().serve_with_lifecycle(StreamableHttpClientTransport::from_uri(url), era.lifecycle()).await?;
    let tools = client.list_all_tools().await?;
    let names: Vec<_> = tools.iter().map(|tool| &tool.name).collect();
    let protocol = client.peer_info().map(|server| server.protocol_version.to_string());
    println!("{}", json!({ "library": library(), "protocol": protocol, "tools": names }));
    for line in lines {
        let Call { tool, arguments } = serde_json::from_str(&line?)?;
        let result = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await;
        println!("{}", outcome(result));
    }
    client.cancel().await?;
    Ok(())
}

fn outcome(result: Result<CallToolResult, ServiceError>) -> Value {
    match result {
        Ok(result) => {
            let text: String = result.content.iter().filter_map(|block| Some(block.as_text()?.text.as_str())).collect();
            json!({ "structured": result.structured_content, "text": text, "isError": result.is_error == Some(true) })
        }
        Err(error) => json!({ "failed": error.to_string() }),
    }
}

/// The version that Cargo.lock names.
fn library() -> Option<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let (_, rest) = lock.split_once("name = \"rmcp\"\nversion = \"")?;
    rest.split('"').next()
}
