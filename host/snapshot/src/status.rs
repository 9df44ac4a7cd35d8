//! Refusals, as the API server words them.

use http::StatusCode;
use serde_json::{Value, json};

use super::kinds::Kind;

/// Why a request is refused. Most refusals are `Status` objects; an unknown path is not.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refusal {
    /// Nothing is served at this path: the server has no such resource.
    NotServed,
    /// A `Status` object.
    Status { code: StatusCode, reason: &'static str, message: String, details: Value },
}

impl Refusal {
    /// The object is not there.
    pub(super) fn not_found(kind: &Kind, name: &str) -> Self {
        let of = if kind.group.is_empty() { kind.plural.clone() } else { format!("{}.{}", kind.plural, kind.group) };
        let mut details = json!({ "name": name, "group": kind.group, "kind": kind.plural });
        if let (true, Some(fields)) = (kind.group.is_empty(), details.as_object_mut()) {
            fields.remove("group");
        }
        Self::Status { code: StatusCode::NOT_FOUND, reason: "NotFound", message: format!("{of} {name:?} not found"), details }
    }

    /// What is asked for may exist, but this snapshot does not hold it.
    pub(super) fn not_held(message: String) -> Self {
        Self::Status { code: StatusCode::NOT_FOUND, reason: "NotFound", message, details: Value::Null }
    }

    /// A parameter makes no sense.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::Status { code: StatusCode::BAD_REQUEST, reason: "BadRequest", message: message.into(), details: Value::Null }
    }

    /// Log options that make no sense.
    pub(super) fn invalid_log_options(pod: &str, field: &str, problem: &str) -> Self {
        Self::Status {
            code: StatusCode::UNPROCESSABLE_ENTITY,
            reason: "Invalid",
            message: format!("PodLogOptions {pod:?} is invalid: {field}: Invalid value: {problem}"),
            details: json!({ "name": pod, "kind": "PodLogOptions", "causes": [
                { "reason": "FieldValueInvalid", "message": format!("Invalid value: {problem}"), "field": field },
            ] }),
        }
    }

    /// A cursor of another snapshot. Nothing here could go on from it, so there is no fresh one in the answer.
    pub(super) fn expired() -> Self {
        Self::Status {
            code: StatusCode::GONE,
            reason: "Expired",
            message: "The provided continue parameter is too old to display a consistent list result. You must start a new list \
                      without the continue parameter."
                .to_owned(),
            details: Value::Null,
        }
    }

    /// A snapshot can only be read.
    pub(super) fn method_not_allowed() -> Self {
        Self::Status {
            code: StatusCode::METHOD_NOT_ALLOWED,
            reason: "MethodNotAllowed",
            message: "the server does not allow this method on the requested resource: a snapshot can only be read".to_owned(),
            details: Value::Null,
        }
    }

    /// The answer's code, media type and text.
    pub(super) fn into_parts(self) -> (StatusCode, &'static str, String) {
        match self {
            Self::NotServed => (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n".to_owned()),
            Self::Status { code, reason, message, details } => {
                let mut status = json!({
                    "kind": "Status",
                    "apiVersion": "v1",
                    "metadata": {},
                    "status": "Failure",
                    "message": message,
                    "reason": reason,
                    "details": details,
                    "code": code.as_u16(),
                });
                if let (true, Some(fields)) = (details.is_null(), status.as_object_mut()) {
                    fields.shift_remove("details");
                }
                (code, "application/json", status.to_string())
            }
        }
    }
}
