//! The methods, each answered from the catalog.

use rmcp::model::{
    DiscoverResult, ErrorData, MetaObject, NotificationMetaObject, ProtocolVersion, RequestId, SubscriptionFilter,
    SubscriptionsAcknowledgedNotificationParams, SubscriptionsListenResult,
};
use sandbar_catalog::{Answered, Arrival, Asked, CallEvent, CallRefusal, Offer, Progress, Sight};
use sandbar_policy::Caller;
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;

use super::changes::Changes;
use super::message::{Response, SharedResponse, notification};
use super::progress::Notifications;
use super::request::{Listing, Method, Request};
use super::result;
use super::server::{Server, server_info, written_list};
use super::version::{Era, Version};

/// The answer to a request.
pub enum Reply {
    /// A response that is known at once: a few hundred bytes, beside what it repeats of the request.
    Ready(Response),
    /// A response that is known at once, the same for all but for its id.
    Shared(SharedResponse),
    /// A list of what is for the caller, which has to be found out.
    List(List),
    /// A call that has to be run. Much larger than the others.
    Call(Box<Call>),
    /// Notifications until the client goes or the server ends.
    Subscription(Subscription),
}

/// A list request whose result depends on the caller, whose rights are not looked up yet.
pub struct List {
    server: Server,
    caller: Caller,
    id: RequestId,
    listing: Listing,
    era: Era,
}

/// A list request after the caller's rights were looked up.
pub struct OwnList {
    server: Server,
    id: RequestId,
    listing: Listing,
    era: Era,
    sight: Sight,
}

/// A call of a tool, a prompt or a resource that is not running yet.
pub struct Call {
    server: Server,
    caller: Caller,
    id: RequestId,
    version: Version,
    arrival: Arrival,
    asked: Asked,
    reports: watch::Sender<Progress>,
    /// Its progress notifications, if the client asked for them.
    pub progress: Option<Notifications>,
}

/// A finished call.
pub struct FinishedCall {
    /// Its response.
    pub response: Response,
    /// Its event, of which observers are told when it is dropped.
    pub event: Box<CallEvent>,
}

/// The notifications of one `subscriptions/listen`.
pub struct Subscription {
    id: RequestId,
    /// The lists that it is about.
    of: Vec<Offer>,
    changes: Changes,
    /// Those that have changed and are not told of yet.
    changed: Vec<Offer>,
}

/// Answers a request.
pub fn answer(server: Server, caller: Caller, request: Request) -> Reply {
    let Request { id, version, method, progress, parent } = request;
    Reply::Ready(match method {
        Method::Initialize => response(&id, &server.config(&caller).with_protocol_version(version.into())),
        Method::Ping => Response::result(&id, "{}"),
        Method::Discover => {
            let versions = Version::ALL.map(ProtocolVersion::from).to_vec();
            response(&id, &DiscoverResult::from_server_info(versions, server.config(&caller)))
        }
        Method::List(listing) if server.catalog().restricts(&caller) => {
            return Reply::List(List { server, caller, id, listing, era: version.era() });
        }
        Method::List(listing) => return Reply::Shared(SharedResponse::of(&id, server.list(listing, version.era()))),
        Method::Call(asked) => {
            let reports = watch::Sender::default();
            let progress = progress.map(|token| Notifications::new(token, reports.subscribe()));
            let arrival = Arrival { version: Some(version.as_str()), parent };
            return Reply::Call(Box::new(Call { server, caller, id, version, arrival, asked, reports, progress }));
        }
        Method::Listen { changes_of } => {
            let changes = server.changes();
            return Reply::Subscription(Subscription { id, of: changes_of, changes, changed: Vec::new() });
        }
    })
}

/// A response that says why a call has no answer: a result of `tools/call` tells the model, everything else is an error.
pub fn failure(id: &RequestId, version: Version, offer: Offer, words: &str) -> Response {
    result::response(id, Answered::failure(offer, words), version)
}

/// The method of the notification that a list has changed.
pub fn list_changed(offer: Offer) -> String {
    format!("notifications/{offer}s/list_changed")
}

fn response(id: &RequestId, result: &impl Serialize) -> Response {
    // The server's own results are structs of text, which always serialise.
    Response::result(id, &serde_json::to_string(result).unwrap_or_default())
}

impl List {
    /// Finds out what the caller may have. An error is the response.
    pub async fn own(self) -> Result<OwnList, Response> {
        let Self { server, caller, id, listing, era } = self;
        match server.catalog().sight(&caller).await {
            Ok(sight) => Ok(OwnList { server, id, listing, era, sight }),
            Err(error) => {
                let words = format!("what you may call and read cannot be found out now: {}; try again", error.message);
                Err(result::error(&id, ErrorData::internal_error(words, None)))
            }
        }
    }

    /// The id of its response.
    pub fn id(&self) -> &RequestId {
        &self.id
    }
}

impl OwnList {
    /// The response. It takes as long as there is something to list.
    pub fn write(self) -> Response {
        let Self { server, id, listing, era, sight } = self;
        Response::result(&id, &written_list(server.catalog(), &sight, listing, era))
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

    /// What is asked.
    pub fn offer(&self) -> Offer {
        self.asked.offer()
    }

    /// Runs the call to its end. Dropping the future stops it.
    pub async fn run(self: Box<Self>) -> FinishedCall {
        let Self { server, caller, id, version, arrival, asked, reports, progress: _ } = *self;
        let (called, offer) = (id.clone(), asked.offer());
        let write = move |answered| result::response(&called, answered, version);
        let (response, event) = server.catalog().call(&caller, arrival, asked, reports, write).await;
        let response = response.unwrap_or_else(|refusal| refused(&id, version, offer, refusal));
        FinishedCall { response, event }.noted()
    }
}

impl FinishedCall {
    /// There is no room for the answer: its caller gets this response in its place.
    pub fn given_up(mut self, instead: Response) -> Self {
        self.event.given_up();
        self.response = instead;
        self.noted()
    }

    /// The same, where the event knows what it is answered with.
    fn noted(mut self) -> Self {
        self.event.answered_with(self.response.error.map(|code| code.0));
        self
    }
}

/// The response to a call that never reached a component.
fn refused(id: &RequestId, version: Version, offer: Offer, refusal: CallRefusal) -> Response {
    let words = refusal.to_string();
    let for_model = match &refusal {
        CallRefusal::Caller { .. } | CallRefusal::Undecided { .. } => true,
        // From 2025-11-25 on, an error in the arguments of a tool is for the model.
        CallRefusal::Arguments { .. } => offer == Offer::Tool && version >= Version::V2025_11_25,
        CallRefusal::Unknown { .. } | CallRefusal::UnknownResource { .. } => false,
    };
    match refusal {
        _ if for_model => failure(id, version, offer, &words),
        CallRefusal::UnknownResource { uri, .. } => result::error(id, result::no_resource(words, uri, version)),
        _ => result::error(id, ErrorData::invalid_params(words, None)),
    }
}

impl Subscription {
    /// The id of its response.
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// The first message: which of the requested notifications will be sent.
    pub fn acknowledgement(&self) -> String {
        let accepted = |offer| self.of.contains(&offer).then_some(true);
        let mut filter = SubscriptionFilter::new();
        filter.tools_list_changed = accepted(Offer::Tool);
        filter.prompts_list_changed = accepted(Offer::Prompt);
        filter.resources_list_changed = accepted(Offer::Resource);
        let params = SubscriptionsAcknowledgedNotificationParams::new(filter).with_meta(self.meta());
        notification("notifications/subscriptions/acknowledged", &params)
    }

    /// The next notification; none once the server ends. Cancel-safe.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(offer) = self.changed.pop() {
                return Some(notification(&list_changed(offer), &json!({ "_meta": self.meta() })));
            }
            self.changed = self.changes.next().await?.lists;
            self.changed.retain(|offer| self.of.contains(offer));
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
