//! What a component asks for: whatever it puts into the contract's strings, nothing leaves but a read within its grant.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use sandbar_kubernetes::{LogSource, Query, Resource, Scope};
use sandbar_policy::Limits;

use crate::api::{Api, ApiResponse, NAMESPACE};
use crate::is_clean;

/// A list with one more page.
const PAGE: &str = r#"{"items":[{"metadata":{"name":"web","namespace":"team-a"}}],"metadata":{"continue":"more"}}"#;

/// A cluster in which there is something to read.
fn api() -> Api {
    Api::new(61, |path| -> Option<ApiResponse> {
        let lists = path.split('?').next().is_some_and(|path| path.ends_with('s')) && path.contains("/namespaces/");
        lists.then(|| (StatusCode::OK, PAGE.into()))
    })
}

/// Each line is one of the strings: group, version, plural, namespace, name, label selector, field selector, field path, cursor,
/// `matching`, container.
pub(super) fn request(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n').map(str::to_owned);
    let mut line = || lines.next().unwrap_or_default();
    let of = Resource { group: line(), version: line(), plural: line() };
    let within = match line() {
        every if every == "*" => Scope::EveryNamespace,
        cluster if cluster == "-" => Scope::Cluster,
        namespace => Scope::Namespace(namespace),
    };
    let (name, labels, selector, field, cursor, matching, container) = (line(), line(), line(), line(), line(), line(), line());
    let given = |text: String| (!text.is_empty()).then_some(text);
    let fields = given(field).map(|field| vec![field]);

    let api = api();
    let mut words = Vec::new();
    let object = api.read(Limits::default(), async |reader| reader.get_object(&of, &within, &name, fields.as_deref()).await);
    words.extend(object.err());
    let namespace = if let Scope::Namespace(namespace) = &within { namespace.clone() } else { NAMESPACE.to_owned() };
    let query = Query {
        of,
        within,
        label_selector: given(labels),
        field_selector: given(selector),
        fields,
        limit: Some(1),
        continue_: given(cursor),
    };
    words.extend(api.read(Limits::default(), async |reader| reader.list_objects(&query).await).err());
    let source =
        LogSource { namespace, pod: name, container: given(container), matching: given(matching), ..LogSource::default() };
    words.extend(api.read(Limits::default(), async |reader| reader.tail(&source).await).err());
    for error in words {
        assert!(is_clean(&error.message) && error.message.len() <= 8 * 1024, "{:?}", error.message);
    }
    check(&api);
}

/// A cursor, decoded: what it says is encoded again, with the right list in the place of `LIST`.
pub(super) fn cursor(bytes: &[u8]) {
    let query = |continue_| Query {
        of: Resource { group: String::new(), version: String::new(), plural: "pods".to_owned() },
        within: Scope::EveryNamespace,
        label_selector: None,
        field_selector: None,
        fields: None,
        limit: Some(1),
        continue_,
    };
    let api = api();
    let ask = |continue_| {
        let query = query(continue_);
        api.read(Limits::default(), async |reader| reader.list_objects(&query).await)
    };
    let real = ask(None).unwrap().continue_.expect("there is more");
    let wire = String::from_utf8(URL_SAFE_NO_PAD.decode(&real).unwrap()).unwrap();
    let (_, list) = wire.split_once(r#""l":""#).unwrap();
    let (list, _) = list.split_once('"').unwrap();
    let forged = String::from_utf8_lossy(bytes).replace("LIST", list);
    match ask(Some(URL_SAFE_NO_PAD.encode(forged))) {
        Ok(page) => {
            let items: Vec<serde_json::Value> = serde_json::from_str(&page.items).unwrap();
            assert!(items.iter().all(|item| item["metadata"]["namespace"] == NAMESPACE), "{items:?}");
        }
        Err(error) => assert!(["invalid", "expired"].contains(&error.code.as_str()), "{error:?}"),
    }
    check(&api);
}

/// Every request is discovery, or a read in the one namespace, with parameters of ours.
fn check(api: &Api) {
    for request in api.seen() {
        let (path, query) = request.split_once('?').unwrap_or((&request, ""));
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b));
        assert!(segments.iter().all(|segment| plain(segment) && !["", ".", ".."].contains(segment)), "{request}");
        match segments.as_slice() {
            ["apis"] | ["api", "v1"] | ["apis", "coder.com", "v1"] => assert_eq!(query, "", "{request}"),
            ["api", "v1", "namespaces", NAMESPACE, "pods"]
            | ["api", "v1", "namespaces", NAMESPACE, "pods", _]
            | ["api", "v1", "namespaces", NAMESPACE, "pods", _, "log"]
            | ["apis", "coder.com", "v1", "namespaces", NAMESPACE, "codercontrolplanes"]
            | ["apis", "coder.com", "v1", "namespaces", NAMESPACE, "codercontrolplanes", _] => {}
            _ => panic!("{request}"),
        }
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let known = ["labelSelector", "fieldSelector", "limit", "continue", "container", "tailLines"];
            assert!(known.contains(&key) && plain(value), "{request}");
            assert!(key != "limit" || value == "1", "{request}");
        }
    }
}

pub(super) fn request_seeds() -> Vec<Vec<u8>> {
    [
        "\nv1\npods\nteam-a\nweb\napp=web,tier!=test\nmetadata.name=web\nstatus.phase\n\nerror|warn\napp",
        "coder.com\n\ncodercontrolplanes\n*\ncoder\n!x,y in (a,b)\nmetadata.namespace!=team-a\nmetadata.annotations[\"a/b\"]\n",
        "\n\nsecrets\nteam-b\n../x\na&limit=9\na%26b\n[\"\n",
        "\nv1\npods/exec\nteam-a/../x\nweb?x#y\n\n\n\nbm9uc2Vuc2U\n(a{99}){99}\n..",
        "\n\nnodes\n-\nnode-1",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(super) fn cursor_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"v":1,"l":"LIST","n":"team-a","t":"more","o":true}"#,
        r#"{"v":1,"l":"LIST","n":"team-a","a":{"namespace":"team-a","name":"web"},"o":false}"#,
        r#"{"v":1,"l":"LIST","n":"team-b"}"#,
        r#"{"v":1,"l":"LIST","t":"a&limit=0"}"#,
        r#"{"v":2,"l":"x"}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
