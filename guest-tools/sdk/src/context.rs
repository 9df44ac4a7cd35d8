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

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::json;

    use crate::testing::Host;
    use crate::{context, log};

    #[test]
    fn a_setting_is_typed_and_may_be_absent() {
        let host = Host::new().setting("threshold", json!(5)).setting("owner", json!({ "team": "a" }));
        host.run(|| {
            assert_eq!(context::setting("threshold"), Ok(Some(5_u32)));
            assert_eq!(context::setting::<u32>("other"), Ok(None));
            let error = context::setting::<u32>("owner").expect_err("an object is no number");
            assert!(
                error.to_string().starts_with(r#"the setting `owner` of this tool is {"team":"a"}: invalid type"#),
                "{error}"
            );
        });
    }

    #[test]
    fn the_time_is_the_hosts() {
        let host = Host::new().at(Duration::from_millis(1_500));
        assert_eq!(host.run(context::now), SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
    }

    #[test]
    fn a_test_can_see_what_was_said() {
        let host = Host::new();
        host.run(|| {
            context::progress(1.0, Some(4.0), Some("team-a"));
            context::progress(2.0, None, None);
            log::warn("slow");
        });
        assert_eq!(host.said(), ["progress: 1/4 team-a", "progress: 2", "warn: slow"]);
    }
}
