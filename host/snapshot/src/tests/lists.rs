//! Lists: scope, selectors, pages and cursors.

use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use kube::client::Body;
use sandbar_processor::{CpuEstimate, Processors, STEP_BYTES, TestClock};
use tower::Service as _;

use super::super::service::SnapshotServer;
use super::super::store::Snapshot;
use super::{Asker, CLUSTER, contents, directory};

#[tokio::test]
async fn a_list_is_of_one_namespace_or_of_all_in_the_order_of_namespace_and_name() {
    let cluster = Asker::of(&CLUSTER);
    assert_eq!(cluster.names("/api/v1/namespaces/team-a/pods").await, ["team-a/idle-0", "team-a/web-0", "team-a/web-1"]);
    assert_eq!(cluster.names("/api/v1/pods").await, ["team-a/idle-0", "team-a/web-0", "team-a/web-1", "team-b/db-0"]);
    assert_eq!(cluster.names("/api/v1/nodes").await, ["node-1"]);
    assert_eq!(cluster.refusal("/api/v1/namespaces/team/pods").await.0, 404, "no prefix of another namespace counts");
}

#[tokio::test]
async fn a_list_and_its_items_say_what_they_are() {
    let list = Asker::of(&CLUSTER).json("/apis/coder.com/v1alpha1/codercontrolplanes").await;
    assert_eq!(list["kind"], "CoderControlPlaneList");
    assert_eq!(list["apiVersion"], "coder.com/v1alpha1");
    assert_eq!(list["items"][0]["status"]["phase"], "Ready");
    let list = Asker::of(&CLUSTER).json("/api/v1/pods").await;
    assert_eq!((&list["kind"], &list["apiVersion"]), (&"PodList".into(), &"v1".into()));
    assert_eq!(list["metadata"]["resourceVersion"], "120", "the newest of any object");
    assert!(list["metadata"].get("continue").is_none());
}

#[tokio::test]
async fn selectors_choose_by_labels_and_by_any_field() {
    let cluster = Asker::of(&CLUSTER);
    for (query, names) in [
        ("labelSelector=app%3Dweb%2C%21canary", vec!["team-a/web-1"]),
        ("labelSelector=app+in+(web,db)", vec!["team-a/web-0", "team-a/web-1", "team-b/db-0"]),
        ("fieldSelector=metadata.name%3Dweb-0", vec!["team-a/web-0"]),
        ("fieldSelector=metadata.namespace!%3Dteam-a", vec!["team-b/db-0"]),
        ("fieldSelector=spec.nodeName%3D", vec!["team-a/idle-0"]),
        ("fieldSelector=status.phase%3DRunning&labelSelector=app%3Ddb", vec!["team-b/db-0"]),
        ("fieldSelector=&labelSelector=canary", vec!["team-a/web-0"]),
    ] {
        assert_eq!(cluster.names(&format!("/api/v1/pods?{query}")).await, names, "{query}");
    }
    let events = "/api/v1/namespaces/team-a/events?fieldSelector";
    assert_eq!(cluster.names(&format!("{events}=involvedObject.name%3Dweb-0,type%3DWarning")).await, ["team-a/web-0.1"]);
    assert_eq!(cluster.names(&format!("{events}=count%3D1")).await, ["team-a/web-1.1"], "a number is compared as text");
}

#[tokio::test]
async fn a_bad_selector_is_refused_in_the_api_servers_words() {
    let cluster = Asker::of(&CLUSTER);
    let refusal = |message: &str| (400, "BadRequest".to_owned(), message.to_owned());
    assert_eq!(
        cluster.refusal("/api/v1/pods?labelSelector=a%3Db%3Dc").await,
        refusal("found '=', expected: ',' or 'end of string'")
    );
    assert_eq!(
        cluster.refusal("/api/v1/pods?fieldSelector=type").await,
        refusal("invalid selector: 'type'; can't understand 'type'")
    );
    assert_eq!(cluster.refusal("/api/v1/pods?limit=ten").await, refusal("strconv.ParseInt: parsing \"ten\": invalid syntax"));
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let cluster = Asker::of(&CLUSTER);
    for (path, sizes) in [("/api/v1/pods", vec![2, 2]), ("/api/v1/namespaces/team-a/pods", vec![2, 1])] {
        let whole = cluster.json(path).await["items"].as_array().unwrap().clone();
        let (mut items, mut query) = (Vec::new(), String::new());
        for size in sizes {
            let page = cluster.json(&format!("{path}?limit=2{query}")).await;
            let found = page["items"].as_array().unwrap();
            assert_eq!(found.len(), size);
            items.extend(found.iter().cloned());
            let left = whole.len() - items.len();
            assert_eq!(page["metadata"]["remainingItemCount"].as_u64().unwrap_or_default(), left as u64);
            assert_eq!(page["metadata"]["continue"].is_string(), left > 0);
            query = format!("&continue={}", page["metadata"]["continue"].as_str().unwrap_or_default());
        }
        assert_eq!(items, whole);
    }
}

#[tokio::test]
async fn with_a_selector_the_rest_is_not_counted() {
    let cluster = Asker::of(&CLUSTER);
    let first = cluster.json("/api/v1/pods?limit=1&labelSelector=app%3Dweb").await;
    assert_eq!(first["items"][0]["metadata"]["name"], "web-0");
    assert!(first["metadata"].get("remainingItemCount").is_none());
    let token = first["metadata"]["continue"].as_str().unwrap();
    let last = cluster.json(&format!("/api/v1/pods?limit=1&labelSelector=app%3Dweb&continue={token}")).await;
    assert_eq!(last["items"][0]["metadata"]["name"], "web-1");
    assert!(last["metadata"].get("continue").is_none(), "a pod that the selector leaves out is no further page");
}

#[tokio::test]
async fn a_limit_of_nothing_is_no_limit() {
    let cluster = Asker::of(&CLUSTER);
    for limit in ["0", "-1", ""] {
        assert_eq!(cluster.names(&format!("/api/v1/pods?limit={limit}")).await.len(), 4, "{limit}");
    }
}

#[tokio::test]
async fn a_cursor_of_another_snapshot_has_expired() {
    let mut changed = CLUSTER;
    changed[2].1 = r#"{ "kind": "PodList", "apiVersion": "v1", "items": [] }"#;
    let page = Asker::of(&CLUSTER).json("/api/v1/pods?limit=1").await;
    let token = page["metadata"]["continue"].as_str().unwrap();
    let path = format!("/api/v1/pods?limit=1&continue={token}");
    let (code, text) = Asker::of(&changed).get(&path).await;
    assert_eq!(code, 410);
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status["reason"], "Expired");
    assert!(status["metadata"].get("continue").is_none());
    assert_eq!(Asker::of(&CLUSTER).names(&path).await, ["team-a/web-0"], "a restarted process goes on with it");
}

#[tokio::test]
async fn a_cursor_that_is_none_is_a_bad_request() {
    let cluster = Asker::of(&CLUSTER);
    for token in ["%21", "bm9uZQ"] {
        let (code, reason, message) = cluster.refusal(&format!("/api/v1/pods?continue={token}")).await;
        assert_eq!((code, reason.as_str()), (400, "BadRequest"));
        assert!(message.starts_with("continue key is not valid: "), "{message}");
    }
}

#[tokio::test]
async fn what_a_list_says_of_itself_and_its_items_does_not_contradict_each_other() {
    for said in ["", "\"kind\":\"\",", "\"kind\":null,\"apiVersion\":\"\",", "\"apiVersion\":7,\"kind\":[],"] {
        let list = format!(
            "{{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[{{{said}\"metadata\":{{\"name\":\"a\",\"namespace\":\"n\"}}}}]}}"
        );
        let (_, text) = Asker::of(&[("pods.json", &list)]).get("/api/v1/namespaces/n/pods/a").await;
        let pod: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&pod["kind"], &pod["apiVersion"]), (&"Pod".into(), &"v1".into()), "{said}");
        assert_eq!((text.matches("\"kind\"").count(), text.matches("\"apiVersion\"").count()), (1, 1), "{text}");
    }
}

/// A list of `count` pods, the first of which has a name of `bytes` bytes.
fn pods(count: usize, bytes: usize) -> String {
    let pod = |n: usize| {
        let spec = "x".repeat(if n == 0 { bytes } else { 1 });
        format!(
            "{{\"metadata\":{{\"name\":\"p{n}\",\"namespace\":\"n\"}},\"spec\":{{\"containers\":[{{\"name\":\"{spec}\"}}]}}}}"
        )
    };
    let items = (0..count).map(pod).collect::<Vec<_>>().join(",");
    format!("{{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[{items}]}}")
}

/// Long work moves to a thread of the call's own, in steps; counted in objects that are visited.
#[tokio::test]
async fn an_answer_is_the_work_of_the_call_that_asks() {
    const OWN: &str = "sandbar-call";
    let here = std::thread::current().name().unwrap_or_default().to_owned();
    let here = here.as_str();
    let list = "/api/v1/pods?limit=1";
    let by_field = "/api/v1/pods?limit=1&fieldSelector=spec.nodeName%3Dnone";
    let by_label = "/api/v1/pods?limit=1&labelSelector=none";
    let log = "/api/v1/namespaces/n/pods/p0/log";
    for (count, bytes, path, on) in [
        (10, 1, list, here),
        (10, 1, by_field, here),
        (300, 1, by_label, here),
        (1_000, 1, list, here),
        (2_000, 1, by_label, OWN),
        (2_000, 1, list, OWN),
        (2_000, 1, by_field, OWN),
        (1, STEP_BYTES, by_field, OWN),
        (1, STEP_BYTES, by_label, here),
        (1, STEP_BYTES, log, OWN),
        (1, 1, log, here),
    ] {
        let folder = directory(&[("pods.json", &pods(count, bytes))]);
        let contents = contents(&folder);
        // Without the client's buffer, which would be waited for.
        let mut server = SnapshotServer::new(Snapshot::new(contents));
        let hand = TestClock::default();
        let meter = hand.meter();
        let request = Request::builder().uri(path).extension(meter.clone()).body(Body::empty()).unwrap();
        let call = async move {
            // The next step has to yield.
            hand.advance(Duration::from_millis(2));
            let response = server.call(request).await.unwrap();
            response.into_body().collect().await.unwrap();
            std::thread::current().name().unwrap_or_default().to_owned()
        };
        let ended = Processors::all_but_one().run(&meter, &CpuEstimate::default(), call).await;
        assert_eq!(ended.as_deref(), Ok(on), "{count} {bytes} {path}");
    }
}

#[tokio::test]
async fn a_long_list_comes_in_pieces_that_are_one_list() {
    let cluster = Asker::of(&[("pods.json", &pods(5_000, 200_000))]);
    let request = Request::builder().uri("/api/v1/pods").body(Body::empty()).unwrap();
    let mut body = cluster.0.send(request).await.unwrap().into_body();
    let (mut text, mut pieces) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let piece = frame.unwrap().into_data().unwrap();
        assert!(piece.len() < 3 * STEP_BYTES + 200_000, "{}", piece.len());
        text.extend_from_slice(&piece);
        pieces += 1;
    }
    assert!(pieces > 5, "{pieces}");
    let list: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 5_000);
}
