//! How a client is told why its message has no answer of the server.

pub use sandbar_kubernetes::{ForwardError as Failure, ForwardErrorKind as FailureKind};
use serde_json::{Value, json};

use crate::room::Text;

/// The code of errors of `connect`'s own: JSON-RPC's first for servers.
const OWN: i32 = -32000;

/// The answer to a request that has no other. `repeatable`: nothing is changed by sending it again.
pub(crate) fn answer(failure: &Failure, id: &Value, repeatable: bool) -> Text {
    let again = match failure.kind {
        FailureKind::Undelivered => "; the request has not reached the server, and may be sent again",
        FailureKind::Lost if repeatable => "; no answer came; the request only reads, so it may be sent again",
        FailureKind::Lost => "; whether the server has done what was asked for is not known, so think before you send it again",
        FailureKind::NotServed | FailureKind::Refused => "",
    };
    let may_be_sent_again = match failure.kind {
        FailureKind::Undelivered => true,
        FailureKind::Lost => repeatable,
        FailureKind::NotServed | FailureKind::Refused => false,
    };
    error(id, OWN, &format!("{}{again}", failure.words), Some(json!({ "maySendAgain": may_be_sent_again })))
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
