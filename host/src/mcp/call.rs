//! `tools/call`: one call in a task of its own, with its progress, its cancellation and its result.

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, MetaObject, ProgressNotificationParam,
    ProgressToken, ProtocolVersion,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::server::Server;
use crate::catalog::{Answer, Progress, Refusal};
use crate::policy::{Caller, clean};

/// How long progress is held back. A notification before the answer turns plain JSON into a stream of events, and a call that is
/// answered within this time needs no progress.
const QUIET: Duration = Duration::from_secs(2);

/// The least time between two progress notifications: what a person can follow.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Whether a request belongs to the modern era.
pub(super) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    speaks(context, &ProtocolVersion::V_2026_07_28)
}

/// Whether the client speaks a protocol version or a later one. Versions are dates, so they compare as text.
fn speaks(context: &RequestContext<RoleServer>, version: &ProtocolVersion) -> bool {
    context.protocol_version().is_some_and(|spoken| spoken.as_str() >= version.as_str())
}

/// Answers `tools/call`.
pub(super) async fn call_tool(
    server: &Server,
    request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let errors_are_results = speaks(&context, &ProtocolVersion::V_2025_11_25);
    let caller = caller(&context)?;
    let (sender, receiver) = watch::channel(Progress::default());
    let catalog = server.catalog().clone();
    // A task of its own: rmcp would never answer for a handler that panicked. All that can fail happens there.
    let call = AbortOnDropHandle::new(tokio::spawn(async move {
        catalog.call(&caller, &request.name, request.arguments.unwrap_or_default(), sender).await.map(result)
    }));
    let _progress = context
        .meta
        .get_progress_token()
        .map(|token| AbortOnDropHandle::new(tokio::spawn(report(context.peer.clone(), token, receiver))));

    let outcome = tokio::select! {
        outcome = call => outcome,
        () = context.ct.cancelled() => return Err(ErrorData::internal_error("the call was cancelled", None)),
    };
    match outcome {
        Ok(Ok(result)) => Ok(result.unwrap_or_else(|fault| failure(&fault)).into()),
        Ok(Err(refusal @ Refusal::UnknownTool { .. })) => Err(ErrorData::invalid_params(refusal.to_string(), None)),
        // From 2025-11-25 on, a model gets to see what it did wrong.
        Ok(Err(refusal @ Refusal::Arguments { .. })) if errors_are_results => Ok(failure(&refusal.to_string()).into()),
        Ok(Err(refusal @ Refusal::Arguments { .. })) => Err(ErrorData::invalid_params(refusal.to_string(), None)),
        Err(failure) => {
            tracing::error!(%failure, "a call failed inside the server");
            Err(ErrorData::internal_error("the server failed in this call; its log says why", None))
        }
    }
}

/// Who makes the call, as the HTTP layer has established it. A request that came past it is nobody's and is not served.
fn caller(context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
    let caller = context.extensions.get::<http::request::Parts>().and_then(|head| head.extensions.get::<Caller>());
    caller.cloned().ok_or_else(|| {
        tracing::error!("a call without a caller; it was not run");
        ErrorData::internal_error("the server does not know who makes this call", None)
    })
}

/// An answer as rmcp has it. Content that is not MCP's is a fault of the tool, and said in words for the model.
fn result(answer: Answer) -> Result<CallToolResult, String> {
    let malformed = |error: serde_json::Error| {
        let error = clean(&error.to_string()).into_owned();
        format!("the tool answered with content that is not MCP's ({error}); this is a fault of the tool")
    };
    let content = answer
        .content
        .into_iter()
        .map(serde_json::from_value::<ContentBlock>)
        .collect::<Result<Vec<_>, _>>()
        .map_err(malformed)?;
    let mut result = if answer.is_error { CallToolResult::error(content) } else { CallToolResult::success(content) };
    result.structured_content = answer.structured;
    result.meta =
        answer.meta.map(|meta| serde_json::from_value::<MetaObject>(Value::Object(meta))).transpose().map_err(malformed)?;
    Ok(result)
}

/// A failure, in words for the model.
fn failure(words: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(clean(words))])
}

/// Passes progress on to the client, the newest only, until the call is over.
async fn report(peer: Peer<RoleServer>, token: ProgressToken, mut progress: watch::Receiver<Progress>) {
    tokio::time::sleep(QUIET).await;
    let mut last = f64::NEG_INFINITY;
    while progress.changed().await.is_ok() {
        let Progress { done, total, message } = progress.borrow_and_update().clone();
        // The specification wants it to grow.
        if done <= last {
            continue;
        }
        last = done;
        let mut notification = ProgressNotificationParam::new(token.clone(), done);
        notification.total = total;
        notification.message = message;
        if peer.notify_progress(notification).await.is_err() {
            return;
        }
        tokio::time::sleep(PROGRESS_INTERVAL).await;
    }
}
