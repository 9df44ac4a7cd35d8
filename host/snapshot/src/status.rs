//! Refusals, as the API server words them.

use http::StatusCode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, Status, StatusCause, StatusDetails};

use super::NOT_GATHERED;
use super::kinds::Kind;

/// Why a request is refused. Most refusals are `Status` objects; an unknown path is not.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refusal {
    /// Nothing is served at this path.
    NotServed,
    /// A `Status` object.
    Status { code: StatusCode, reason: &'static str, message: String, details: Option<Box<StatusDetails>> },
}

impl Refusal {
    /// The object does not exist.
    pub(super) fn not_found(kind: &Kind, name: &str) -> Self {
        let of = if kind.group.is_empty() { kind.plural.clone() } else { format!("{}.{}", kind.plural, kind.group) };
        let details = StatusDetails {
            name: Some(name.to_owned()),
            group: Some(kind.group.clone()).filter(|group| !group.is_empty()),
            kind: Some(kind.plural.clone()),
            ..StatusDetails::default()
        };
        let (message, details) = (format!("{of} {name:?} not found"), Some(Box::new(details)));
        Self::Status { code: StatusCode::NOT_FOUND, reason: "NotFound", message, details }
    }

    /// It may exist in the cluster, but this snapshot does not have it.
    pub(super) fn not_held(message: String) -> Self {
        Self::Status { code: StatusCode::NOT_FOUND, reason: NOT_GATHERED, message, details: None }
    }

    /// Nobody knows what a table of these objects would show.
    pub(super) fn no_table(kind: &Kind) -> Self {
        let message = format!("a snapshot does not know the columns of {}", kind.kind);
        Self::Status { code: StatusCode::NOT_ACCEPTABLE, reason: "NotAcceptable", message, details: None }
    }

    /// An invalid parameter.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::Status { code: StatusCode::BAD_REQUEST, reason: "BadRequest", message: message.into(), details: None }
    }

    /// Invalid log options.
    pub(super) fn invalid_log_options(pod: &str, field: &str, problem: &str) -> Self {
        let cause = StatusCause {
            reason: Some("FieldValueInvalid".to_owned()),
            message: Some(format!("Invalid value: {problem}")),
            field: Some(field.to_owned()),
        };
        let details = StatusDetails {
            name: Some(pod.to_owned()),
            kind: Some("PodLogOptions".to_owned()),
            causes: Some(vec![cause]),
            ..StatusDetails::default()
        };
        Self::Status {
            code: StatusCode::UNPROCESSABLE_ENTITY,
            reason: "Invalid",
            message: format!("PodLogOptions {pod:?} is invalid: {field}: Invalid value: {problem}"),
            details: Some(Box::new(details)),
        }
    }

    /// A cursor of another snapshot. No position here corresponds to it, so the answer has no fresh one.
    pub(super) fn expired() -> Self {
        Self::Status {
            code: StatusCode::GONE,
            reason: "Expired",
            message: "The provided continue parameter is too old to display a consistent list result. You must start a new list \
                      without the continue parameter."
                .to_owned(),
            details: None,
        }
    }

    /// A method other than GET.
    pub(super) fn method_not_allowed() -> Self {
        Self::Status {
            code: StatusCode::METHOD_NOT_ALLOWED,
            reason: "MethodNotAllowed",
            message: "the server does not allow this method on the requested resource: a snapshot can only be read".to_owned(),
            details: None,
        }
    }

    /// The answer's code, media type and text.
    pub(super) fn into_parts(self) -> (StatusCode, &'static str, String) {
        match self {
            Self::NotServed => (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n".to_owned()),
            Self::Status { code, reason, message, details } => {
                let status = Status {
                    metadata: ListMeta::default(),
                    status: Some("Failure".to_owned()),
                    message: Some(message),
                    reason: Some(reason.to_owned()),
                    details: details.map(|details| *details),
                    code: Some(code.as_u16().into()),
                };
                // The types of the API always serialise.
                (code, "application/json", serde_json::to_string(&status).unwrap_or_default())
            }
        }
    }
}
