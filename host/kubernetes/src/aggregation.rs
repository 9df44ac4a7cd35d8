//! Whom an extension of the API server believes: the API server publishes the authority and the names of its own front proxy, with which it
//! hands on the requests of others.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbar_secrets::quotable;
use serde::Deserialize;

use super::error::{Code, Error};
use super::exchange::ApiServer;
use super::request::ApiRequest;
use super::response::json;

/// The Role in `kube-system` that lets read it.
pub const AGGREGATOR_READER: &str = "extension-apiserver-authentication-reader";

/// The ConfigMap in `kube-system` that it is in.
pub const AGGREGATOR_CONFIG_MAP: &str = "extension-apiserver-authentication";

/// Where it stands.
const CONFIG_MAP: &str = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";

/// Bytes of the ConfigMap: more than one can have.
const CONFIG_MAP_MAX: usize = 4 << 20;

/// Bytes of a value in an error.
const VALUE_BYTES: usize = 200;

/// Headers that the aggregation layer sends, whatever else the ConfigMap allows, each with the key that lists it.
const HEADERS: [(&str, &str); 3] = [
    ("requestheader-username-headers", "X-Remote-User"),
    ("requestheader-group-headers", "X-Remote-Group"),
    ("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
];

/// What the API server proves itself with to its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregator {
    /// The authorities that sign its certificate, as PEM.
    pub authorities: String,
    /// The common names of its certificate; with none, any that these authorities have signed.
    pub allowed_names: Vec<String>,
    /// Whether it says the user's uid. One that does not hands on what its client says in that header.
    pub says_uid: bool,
}

/// Reads what the API server has published.
pub(super) async fn read(api: &ApiServer, time: Duration) -> Result<Aggregator, Error> {
    #[derive(Deserialize)]
    struct ConfigMap {
        #[serde(default)]
        data: BTreeMap<String, String>,
    }
    let (request, what) = (ApiRequest::config_map(CONFIG_MAP), "the ConfigMap extension-apiserver-authentication");
    let ConfigMap { data } = json(&api.read_outside_calls(&request, time, CONFIG_MAP_MAX, what).await?)?;
    of(&data)
}

fn of(data: &BTreeMap<String, String>) -> Result<Aggregator, Error> {
    let wrong =
        |what: String| Error::new(Code::Other, format!("the ConfigMap extension-apiserver-authentication in kube-system {what}"));
    let Some(authorities) = data.get("requestheader-client-ca-file") else {
        return Err(wrong("has no requestheader-client-ca-file: the API server runs without its aggregation layer".to_owned()));
    };
    let list = |key: &str| -> Result<Vec<String>, Error> {
        let text = data.get(key).map_or("[]", String::as_str);
        serde_json::from_str(text).map_err(|_| wrong(format!("has {key} {:?}, which is no list", quotable(text, VALUE_BYTES))))
    };
    for (key, header) in HEADERS {
        if !list(key)?.iter().any(|listed| listed.eq_ignore_ascii_case(header)) {
            return Err(wrong(format!("does not list {header} under {key}, so the API server names nobody in it")));
        }
    }
    let says_uid = list("requestheader-uid-headers")?.iter().any(|listed| listed.eq_ignore_ascii_case("X-Remote-Uid"));
    Ok(Aggregator { authorities: authorities.clone(), allowed_names: list("requestheader-allowed-names")?, says_uid })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{FakeAnswer, cluster};

    async fn read_of(data: Value) -> Result<Aggregator, Error> {
        let (cluster, seen) = cluster(move |_, _| FakeAnswer::json(json!({ "data": data })));
        let read = cluster.aggregator(Duration::from_secs(5)).await;
        assert_eq!(seen.all(), [CONFIG_MAP]);
        read
    }

    fn published() -> Value {
        json!({
            "client-ca-file": "somebody else's",
            "requestheader-allowed-names": "[\"front-proxy-client\"]",
            "requestheader-client-ca-file": "PEM",
            "requestheader-extra-headers-prefix": "[\"X-Remote-Extra-\"]",
            "requestheader-group-headers": "[\"X-Group\",\"x-remote-group\"]",
            "requestheader-username-headers": "[\"X-Remote-User\"]",
        })
    }

    #[tokio::test]
    async fn its_authority_and_names_are_read() {
        let allowed_names = vec!["front-proxy-client".to_owned()];
        let expected = Aggregator { authorities: "PEM".to_owned(), allowed_names, says_uid: false };
        assert_eq!(read_of(published()).await.as_ref(), Ok(&expected));
        let mut with_uid = published();
        with_uid["requestheader-uid-headers"] = json!("[\"x-remote-uid\"]");
        assert_eq!(read_of(with_uid).await, Ok(Aggregator { says_uid: true, ..expected }));
    }

    #[tokio::test]
    async fn what_cannot_be_believed_is_an_error() {
        let cases = [
            ("requestheader-client-ca-file", Value::Null, "without its aggregation layer"),
            ("requestheader-allowed-names", json!("front-proxy-client"), "no list"),
            ("requestheader-username-headers", json!("[\"X-User\"]"), "does not list X-Remote-User"),
            ("requestheader-group-headers", Value::Null, "does not list X-Remote-Group"),
        ];
        for (key, value, why) in cases {
            let mut data = published();
            match value {
                Value::Null => drop(data.as_object_mut().expect("an object").remove(key)),
                value => data[key] = value,
            }
            let error = read_of(data).await.expect_err(key);
            assert!(error.message.contains(why), "{error}");
        }
    }
}
