//! Facts of the running call.

use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use crate::{Code, Error, host};

/// How long the host will let this call go on.
pub fn remaining() -> Duration {
    Duration::from_millis(host::remaining_ms().into())
}

/// The time of day. `SystemTime::now` panics in a component; this is the clock that the host gives.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs_f64((host::now_ms() / 1000.0).max(0.0))
}

/// The value that the operator has set for an option of this component; none where it is not set. It fails where the value does
/// not have the shape of `T`, in words for the operator.
pub fn setting<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    let Some(json) = host::setting(key) else { return Ok(None) };
    serde_json::from_str(&json)
        .map(Some)
        .map_err(|error| Error::new(Code::Other, format!("the setting `{key}` of this tool is {json}: {error}")))
}

/// Tells the client how far the call is: `done` out of `total`, in any unit that grows, and a short message for a person. The host
/// may drop or merge reports.
pub fn progress(done: f64, total: Option<f64>, message: Option<&str>) {
    host::progress(done, total, message);
}
