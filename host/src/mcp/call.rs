//! `tools/call`: one call with its progress, its cancellation and its result.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ErrorData, ProgressNotificationParam, ProgressToken, ProtocolVersion,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::MODERN;
use super::result::Completed;
use super::server::Server;
use crate::catalog::{Answer, Catalog, Progress, Refusal};
use crate::policy::Caller;

/// How long progress is held back. A notification before the answer turns plain JSON into a stream of events, and a call that is
/// answered within this time needs no progress.
const QUIET: Duration = Duration::from_secs(2);

/// The least time between two progress notifications: what a person can follow.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// A call that asks for nothing but its result, read without rmcp: a name, arguments, and a protocol version that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainCall {
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// The protocol version that the client speaks.
    pub version: String,
}

/// Whether a request belongs to the modern era.
pub(super) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version.as_str() >= MODERN)
}

/// Answers a `tools/call` that rmcp has read.
pub(super) async fn call_tool(
    server: &Server,
    request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let version = context.protocol_version().map(|version| version.to_string()).unwrap_or_default();
    let call = PlainCall { name: request.name.into_owned(), arguments: request.arguments.unwrap_or_default(), version };
    let caller = caller(&context)?;
    let (sender, receiver) = watch::channel(Progress::default());
    let _progress = context
        .meta
        .get_progress_token()
        .map(|token| AbortOnDropHandle::new(tokio::spawn(report(context.peer.clone(), token, receiver))));
    tokio::select! {
        answer = run(server.catalog(), &caller, call, sender) => Ok(Completed::from(answer?).into_rmcp().into()),
        () = context.ct.cancelled() => Err(ErrorData::internal_error("the call was cancelled", None)),
    }
}

/// Answers a `tools/call` that needs nothing of rmcp: its result, as JSON. The error is JSON-RPC's.
pub(super) async fn call_plainly(catalog: &Catalog, caller: &Caller, call: PlainCall) -> Result<String, ErrorData> {
    let modern = call.version.as_str() >= MODERN;
    let answer = run(catalog, caller, call, watch::Sender::default()).await?;
    let result = Completed::from(answer).of_era(modern);
    serde_json::to_string(&result).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// Runs a call to its end.
async fn run(
    catalog: &Catalog,
    caller: &Caller,
    call: PlainCall,
    progress: watch::Sender<Progress>,
) -> Result<Answer, ErrorData> {
    let PlainCall { name, arguments, version } = call;
    let answering = catalog.call(caller, &name, arguments, progress);
    // rmcp would never answer for a handler that panicked.
    match AssertUnwindSafe(answering).catch_unwind().await {
        Ok(Ok(answer)) => Ok(answer),
        // From 2025-11-25 on, a model gets to see what it did wrong.
        Ok(Err(refusal @ Refusal::Arguments { .. })) if version.as_str() >= ProtocolVersion::V_2025_11_25.as_str() => {
            Ok(Answer::failure(&refusal.to_string()))
        }
        Ok(Err(refusal)) => Err(ErrorData::invalid_params(refusal.to_string(), None)),
        Err(_panic) => {
            tracing::error!(tool = name, "the server failed in a call");
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
