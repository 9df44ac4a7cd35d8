//! Why a message has no answer of the server, and how its client is told.

use sandbar_kubernetes::{ForwardError, ForwardErrorKind};
use serde_json::{Value, json};

use crate::room::Text;

/// The code of errors of `connect`'s own: JSON-RPC's first for servers.
const OWN: i32 = -32000;

/// What has become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It has reached nobody.
    Undelivered,
    /// It may have reached the server, and its answer is lost.
    Lost,
    /// Nobody serves what it was for.
    NotServed,
    /// It is refused, and would be refused again.
    Refused,
}

/// Why a message has no answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What has become of it.
    pub kind: FailureKind,
    /// The status of HTTP, if there is one.
    pub status: Option<u16>,
    /// What is wrong, and what to do.
    pub words: String,
}

impl Failure {
    /// One without a status.
    pub fn new(kind: FailureKind, words: impl Into<String>) -> Self {
        Self { kind, status: None, words: words.into() }
    }

    /// The answer to a request that has no other. `repeatable`: nothing is changed by sending it again.
    pub(crate) fn answer(&self, id: &Value, repeatable: bool) -> Text {
        let again = match self.kind {
            FailureKind::Undelivered => "; the request has not reached the server, and may be sent again",
            FailureKind::Lost if repeatable => "; no answer came; the request only reads, so it may be sent again",
            FailureKind::Lost => {
                "; whether the server has done what was asked for is not known, so think before you send it again"
            }
            FailureKind::NotServed | FailureKind::Refused => "",
        };
        let may_be_sent_again = match self.kind {
            FailureKind::Undelivered => true,
            FailureKind::Lost => repeatable,
            FailureKind::NotServed | FailureKind::Refused => false,
        };
        error(id, OWN, &format!("{}{again}", self.words), Some(json!({ "maySendAgain": may_be_sent_again })))
    }
}

impl From<ForwardError> for Failure {
    fn from(error: ForwardError) -> Self {
        let kind = match error.kind {
            ForwardErrorKind::Undelivered => FailureKind::Undelivered,
            ForwardErrorKind::Lost => FailureKind::Lost,
            ForwardErrorKind::NotServed => FailureKind::NotServed,
            ForwardErrorKind::Refused => FailureKind::Refused,
        };
        Self { kind, status: error.status.map(|status| status.as_u16()), words: error.message }
    }
}

/// An error of JSON-RPC.
pub(crate) fn error(id: &Value, code: i32, message: &str, data: Option<Value>) -> Text {
    let mut error = json!({ "code": code, "message": message });
    if let Some(data) = data {
        error["data"] = data;
    }
    Text::of(json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string())
}

/// The answer to what `connect` refuses by itself.
pub(crate) fn refusal(id: &Value, message: &str) -> Text {
    error(id, OWN, message, None)
}
