//! The seven methods, each answered from the catalog.

use std::sync::Arc;

use rmcp::model::{
    DiscoverResult, ErrorData, JsonRpcError, MetaObject, NotificationMetaObject, ProtocolVersion, RequestId, SubscriptionFilter,
    SubscriptionsAcknowledgedNotificationParams, SubscriptionsListenResult,
};
use sandbar_catalog::{Answer, AuditEvent, CallRefusal, Progress};
use sandbar_policy::Caller;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::changes::Changes;
use super::message::{Response, SharedResponse, notification};
use super::progress::Notifications;
use super::request::{Method, Request, ToolCall};
use super::result;
use super::server::{Server, server_info, written_list};
use super::version::{Era, Version};

/// The answer to a request.
pub enum Reply {
    /// A response that is known at once: a few hundred bytes, beside what it repeats of the request.
    Ready(Response),
    /// A response that is known at once, the same for all but for its id.
    Shared(SharedResponse),
    /// The list of the tools that are for the caller, which has to be found out.
    List(List),
    /// A tool call that has to be run.
    Call(Call),
    /// Notifications until the client goes or the server ends.
    Subscription(Subscription),
}

/// A list of tools of one caller, who is yet to be asked about.
pub struct List {
    server: Server,
    caller: Caller,
    id: RequestId,
    era: Era,
}

/// The same once it is known what is in it.
pub struct OwnList {
    server: Server,
    id: RequestId,
    era: Era,
    tools: Vec<Arc<str>>,
}

/// A tool call that is not running yet.
pub struct Call {
    server: Server,
    caller: Caller,
    id: RequestId,
    version: Version,
    tool: ToolCall,
    reports: watch::Sender<Progress>,
    /// Its progress notifications, if the client asked for them.
    pub progress: Option<Notifications>,
}

/// A finished call.
pub struct FinishedCall {
    /// Its response.
    pub response: Response,
    /// Its event in the audit trail, written on drop.
    pub event: AuditEvent,
}

/// The notifications of one `subscriptions/listen`.
pub struct Subscription {
    id: RequestId,
    tools_list_changed: bool,
    changes: Changes,
}

/// Answers a request.
pub fn answer(server: Server, caller: Caller, request: Request) -> Reply {
    let Request { id, version, method, progress } = request;
    Reply::Ready(match method {
        Method::Initialize => response(&id, &server.config(&caller).with_protocol_version(version.into())),
        Method::Ping => Response::result(&id, "{}"),
        Method::Discover => {
            let versions = Version::ALL.map(ProtocolVersion::from).to_vec();
            response(&id, &DiscoverResult::from_server_info(versions, server.config(&caller)))
        }
        Method::ListTools if server.catalog().restricts(&caller) => {
            return Reply::List(List { server, caller, id, era: version.era() });
        }
        Method::ListTools => return Reply::Shared(SharedResponse::of(&id, server.tools(version.era()))),
        Method::CallTool(tool) => {
            let reports = watch::Sender::default();
            let progress = progress.map(|token| Notifications::new(token, reports.subscribe()));
            return Reply::Call(Call { server, caller, id, version, tool, reports, progress });
        }
        Method::Listen { tools_list_changed } => {
            let changes = server.changes();
            return Reply::Subscription(Subscription { id, tools_list_changed, changes });
        }
    })
}

/// A result of `tools/call` that tells the model why the call has no answer.
pub fn tool_failure(id: &RequestId, version: Version, words: &str) -> Response {
    Response::result(id, &result::of(Answer::failure(words), version))
}

fn response(id: &RequestId, result: &impl Serialize) -> Response {
    // The server's own results are structs of text, which always serialise.
    Response::result(id, &serde_json::to_string(result).unwrap_or_default())
}

impl List {
    /// Finds out which tools the caller may call. An error is the response.
    pub async fn own(self) -> Result<OwnList, Response> {
        let Self { server, caller, id, era } = self;
        match server.catalog().tools_of(&caller).await {
            Ok(tools) => Ok(OwnList { server, id, era, tools }),
            Err(error) => {
                let words = format!("which tools you may call cannot be found out now: {}; try again", error.message);
                Err(Response::error(&JsonRpcError::new(Some(id), ErrorData::internal_error(words, None))))
            }
        }
    }

    /// The id of its response.
    pub fn id(&self) -> &RequestId {
        &self.id
    }
}

impl OwnList {
    /// The response. It takes as long as there are tools.
    pub fn write(self) -> Response {
        let Self { server, id, era, tools } = self;
        let definitions = tools.iter().filter_map(|name| server.catalog().definition(name));
        Response::result(&id, &written_list(definitions, era))
    }
}

impl Call {
    /// The id of its response.
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// The client's version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Runs the call to its end. Dropping the future stops it.
    pub async fn run(self) -> FinishedCall {
        let Self { server, caller, id, version, tool: ToolCall { name, arguments }, reports, progress: _ } = self;
        let called = id.clone();
        let write = move |answer| Response::result(&called, &result::of(answer, version));
        let (response, event) = server.catalog().call(&caller, &name, arguments, reports, write).await;
        let response = match response {
            Ok(response) => response,
            Err(refusal @ (CallRefusal::Caller { .. } | CallRefusal::Unknown { .. })) => {
                tool_failure(&id, version, &refusal.to_string())
            }
            // From 2025-11-25 on, an error in the arguments is for the model.
            Err(refusal @ CallRefusal::Arguments { .. }) if version >= Version::V2025_11_25 => {
                tool_failure(&id, version, &refusal.to_string())
            }
            Err(refusal) => {
                let error = ErrorData::invalid_params(refusal.to_string(), None);
                Response::error(&JsonRpcError::new(Some(id), error))
            }
        };
        FinishedCall { response, event }
    }
}

impl Subscription {
    /// The id of its response.
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// The first message: which of the requested notifications will be sent.
    pub fn acknowledgement(&self) -> String {
        let mut accepted = SubscriptionFilter::new();
        accepted.tools_list_changed = self.tools_list_changed.then_some(true);
        let params = SubscriptionsAcknowledgedNotificationParams::new(accepted).with_meta(self.meta());
        notification("notifications/subscriptions/acknowledged", &params)
    }

    /// The next notification; none once the server ends. Cancel-safe.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            self.changes.next().await?;
            if self.tools_list_changed {
                let params = Map::from_iter([("_meta".to_owned(), serde_json::to_value(self.meta()).unwrap_or_default())]);
                return Some(notification("notifications/tools/list_changed", &Value::Object(params)));
            }
        }
    }

    /// The last message: the response.
    pub fn response(&self) -> Response {
        let mut last = SubscriptionsListenResult::complete(self.id.clone());
        last.meta.set_server_info(server_info());
        response(&self.id, &last)
    }

    fn meta(&self) -> NotificationMetaObject {
        let mut meta = NotificationMetaObject(MetaObject::new());
        meta.set_subscription_id(self.id.clone());
        meta
    }
}
