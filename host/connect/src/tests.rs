//! A client on stdio, and a server that says and loses what no real one can be made to.

mod distrust;
mod opening;
mod telling;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use sandbar_kubernetes::Ask;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::out::{Out, Part};
use crate::session::Session;
use crate::stream::follow;
use crate::{Answer, Bridge, Failure, FailureKind, Way, serve_stdio};

const MODERN: &str = "2026-07-28";

/// What has been asked: the message, or null for a stream, and the headers.
#[derive(Clone, Debug)]
struct Seen {
    message: Value,
    headers: HeaderMap,
}

impl Seen {
    fn method(&self) -> &str {
        self.message["method"].as_str().unwrap_or("GET")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

type Script = dyn Fn(&Seen, usize) -> Result<Answer, Failure> + Send + Sync;

/// A server by a script, which is given how often the same method was asked for before.
struct Scripted {
    script: Box<Script>,
    seen: Arc<Mutex<Vec<Seen>>>,
    is_sandbar: bool,
    has_a_time_limit: bool,
}

impl Scripted {
    /// Sandbar, reached by itself.
    fn of(script: impl Fn(&Seen, usize) -> Result<Answer, Failure> + Send + Sync + 'static) -> Self {
        Self { script: Box::new(script), seen: Arc::default(), is_sandbar: true, has_a_time_limit: false }
    }
}

impl Way for Scripted {
    fn send<'a>(&'a self, ask: &'a Ask, headers: &'a HeaderMap, _: Duration) -> BoxFuture<'a, Result<Answer, Failure>> {
        let message = match ask {
            Ask::Message(body) => serde_json::from_slice(body).expect("JSON"),
            Ask::Stream => Value::Null,
        };
        let asked = Seen { message, headers: headers.clone() };
        let before = {
            let mut seen = self.seen.lock().expect("not poisoned");
            let before = seen.iter().filter(|seen| seen.method() == asked.method()).count();
            seen.push(asked.clone());
            before
        };
        let answer = (self.script)(&asked, before);
        async move { answer }.boxed()
    }

    fn leads_to_sandbar(&self) -> bool {
        self.is_sandbar
    }

    fn has_a_time_limit(&self) -> bool {
        self.has_a_time_limit
    }
}

/// A client and its bridge.
struct Client {
    input: WriteHalf<DuplexStream>,
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    serving: AbortOnDropHandle<std::io::Result<()>>,
}

impl Client {
    fn by(way: Scripted) -> Self {
        let seen = way.seen.clone();
        let (near, far) = tokio::io::duplex(1 << 16);
        let (read, write) = tokio::io::split(far);
        let serving = serve_stdio(Bridge::new(Arc::new(way)), read, write, std::future::pending());
        let serving = AbortOnDropHandle::new(tokio::spawn(serving));
        let (output, input) = tokio::io::split(near);
        Self { input, lines: BufReader::new(output).lines(), seen, serving }
    }

    fn to(script: impl Fn(&Seen, usize) -> Result<Answer, Failure> + Send + Sync + 'static) -> Self {
        Self::by(Scripted::of(script))
    }

    fn to_another(script: impl Fn(&Seen, usize) -> Result<Answer, Failure> + Send + Sync + 'static) -> Self {
        Self::by(Scripted { is_sandbar: false, ..Scripted::of(script) })
    }

    async fn write(&mut self, message: Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.expect("it reads");
    }

    async fn read(&mut self) -> Value {
        let line = self.lines.next_line().await.expect("text").expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    async fn request(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.write(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        self.read().await
    }

    async fn call(&mut self) -> Value {
        self.request(7, "tools/call", modern(json!({ "name": "t", "arguments": { "region": "é" } }))).await
    }

    async fn initialize(&mut self) {
        let answer = self.request(1, "initialize", json!({ "protocolVersion": "2025-11-25" })).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
        self.write(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    }

    /// Waits until the server has been asked this.
    async fn sent(&self, method: &str) {
        while self.seen(method).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn seen(&self, method: &str) -> Vec<Seen> {
        let seen = self.seen.lock().expect("not poisoned").clone();
        seen.into_iter().filter(|seen| seen.method() == method).collect()
    }
}

fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": MODERN });
    params
}

fn answer(status: u16, kind: &str, pieces: Vec<Result<Bytes, &'static str>>, is_open: bool) -> Answer {
    let pieces = stream::iter(pieces).map(|piece| piece.map(Frame::data).map_err(Into::into));
    let rest = if is_open { stream::pending().boxed() } else { stream::empty().boxed() };
    let body = UnsyncBoxBody::new(StreamBody::new(pieces.chain(rest)));
    Response::builder().status(status).header("content-type", kind).body(body).expect("a response")
}

fn whole(text: impl Into<Bytes>) -> Result<Answer, Failure> {
    Ok(answer(200, "application/json", vec![Ok(text.into())], false))
}

fn result(asked: &Seen, result: Value) -> Result<Answer, Failure> {
    whole(json!({ "jsonrpc": "2.0", "id": asked.message["id"], "result": result }).to_string())
}

fn refused(asked: &Seen, status: u16, code: i64) -> Result<Answer, Failure> {
    let text = json!({ "jsonrpc": "2.0", "id": asked.message["id"], "error": { "code": code, "message": "no" } }).to_string();
    Ok(answer(status, "application/json", vec![Ok(text.into())], false))
}

fn events(messages: &[Value], is_open: bool) -> Result<Answer, Failure> {
    let pieces = messages.iter().map(|message| Ok(format!("event: message\ndata: {message}\n\n").into())).collect();
    Ok(answer(200, "text/event-stream", pieces, is_open))
}

fn failed(kind: FailureKind) -> Result<Answer, Failure> {
    Err(Failure::new(kind, "on purpose"))
}

fn accepted() -> Result<Answer, Failure> {
    Ok(answer(202, "", Vec::new(), false))
}

/// A server of the legacy era, whose session is `s0` and then `s1` and so on with each `initialize`.
fn opened(asked: &Seen, before: usize) -> Result<Answer, Failure> {
    let info =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "sandbar", "version": "1" } });
    let mut answer = result(asked, info)?;
    answer.headers_mut().insert("mcp-session-id", format!("s{before}").parse().expect("a value"));
    Ok(answer)
}

fn initialize(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "initialize", "params": { "protocolVersion": "2025-11-25" } })
}

fn legacy(id: u64, method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": { "name": "t" } })
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_asked_for_once_more() {
    let broken = || Ok(answer(200, "application/json", vec![Ok("{\"json".into()), Err("cut")], false));
    let cut = || events(&[json!({ "jsonrpc": "2.0", "method": "notifications/progress" })], false);
    for first in [
        broken as fn() -> Result<Answer, Failure>,
        || failed(FailureKind::Lost),
        || Ok(answer(200, "application/json", Vec::new(), false)),
    ] {
        let mut client = Client::to(move |asked, before| if before == 0 { first() } else { result(asked, json!({})) });
        assert_eq!(client.call().await, json!({ "jsonrpc": "2.0", "id": 7, "result": {} }));
        assert_eq!(client.seen("tools/call").len(), 2);
    }
    let mut client = Client::to(move |asked, before| if before == 0 { cut() } else { result(asked, json!({})) });
    assert_eq!(client.call().await["method"], "notifications/progress");
    assert_eq!(client.read().await["result"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_twice_is_told_and_may_be_sent_again() {
    let mut client = Client::to(|_, _| failed(FailureKind::Lost));
    let answer = client.call().await;
    assert_eq!((&answer["error"]["code"], &answer["error"]["data"]["maySendAgain"]), (&json!(-32000), &json!(true)));
    assert_eq!((&answer["id"], client.seen("tools/call").len()), (&json!(7), 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_server_that_may_be_any_is_not_sent_twice_and_other_requests_are() {
    let mut client = Client::to_another(|asked, before| match asked.method() {
        "server/discover" => result(asked, json!({ "serverInfo": { "name": "sandbar" } })),
        _ if before == 0 => failed(FailureKind::Lost),
        _ => result(asked, json!({})),
    });
    let answer = client.call().await;
    assert_eq!((&answer["error"]["data"]["maySendAgain"], client.seen("tools/call").len()), (&json!(false), 1));
    assert_eq!(client.request(8, "tools/list", modern(json!({}))).await["result"], json!({}));
    // Once it has said that it is Sandbar, they are.
    let mut client = Client::to_another(|asked, before| match asked.method() {
        "server/discover" => result(asked, json!({ "serverInfo": { "name": "sandbar" } })),
        _ if before == 0 => failed(FailureKind::Lost),
        _ => result(asked, json!({})),
    });
    client.request(6, "server/discover", modern(json!({}))).await;
    assert_eq!(client.call().await["result"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn what_reaches_nobody_is_sent_until_somebody_is_there_or_it_takes_too_long() {
    let mut client = Client::to(|asked, before| match before {
        1..5 => failed(FailureKind::Undelivered),
        _ => result(asked, json!({})),
    });
    for _ in 0..2 {
        assert_eq!(client.call().await["result"], json!({}));
    }
    let mut nobody = Client::to(|_, _| failed(FailureKind::Undelivered));
    let began = Instant::now();
    let answer = nobody.call().await;
    assert_eq!(answer["error"]["data"]["maySendAgain"], json!(true));
    assert!(began.elapsed() < Duration::from_secs(4), "who has never been there is waited for less: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_told_at_once() {
    let mut client = Client::to(|_, _| failed(FailureKind::Refused));
    let answer = client.call().await;
    assert_eq!((answer["error"]["message"].as_str(), client.seen("tools/call").len()), (Some("on purpose"), 1));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_begun_anew_where_the_server_does_not_know_it() {
    let mut client = Client::to(|asked, before| match (asked.method(), asked.header("mcp-session-id")) {
        ("initialize", _) => opened(asked, before),
        ("notifications/initialized", _) => accepted(),
        ("GET", Some("s0")) if before == 0 => events(&[], true),
        (_, Some("s0")) => refused(asked, 404, -32600),
        ("GET", _) => events(&[], true),
        _ => result(asked, json!({})),
    });
    client.initialize().await;
    client.sent("GET").await;
    let call = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": { "name": "t" } });
    client.write(call.clone()).await;
    let (mut answered, mut told) = (false, false);
    for _ in 0..2 {
        let message = client.read().await;
        told |= message["method"] == "notifications/tools/list_changed";
        answered |= message["id"] == 3 && message["result"] == json!({});
    }
    assert!(answered && told);
    assert_eq!(client.seen("initialize").len(), 2);
    let calls = client.seen("tools/call");
    let sessions: Vec<_> = calls.iter().map(|call| call.header("mcp-session-id")).collect();
    assert_eq!(sessions, [Some("s0"), Some("s1")]);
    assert!(calls.iter().all(|call| call.header("mcp-protocol-version") == Some("2025-11-25")));
    while client.seen("GET").len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(client.seen("GET")[1].header("mcp-session-id"), Some("s1"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_goes_on_from_the_last_event() {
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    let mut client = Client::to(move |asked, before| match asked.method() {
        "initialize" => opened(asked, before),
        "notifications/initialized" => accepted(),
        "GET" if before < 3 => {
            let event = format!("id: e{before}\nevent: message\ndata: {changed}\n\n");
            Ok(answer(200, "text/event-stream", vec![Ok(event.into()), Err("cut")], false))
        }
        _ => events(&[], true),
    });
    client.initialize().await;
    for _ in 0..3 {
        assert_eq!(client.read().await["method"], "notifications/tools/list_changed");
    }
    while client.seen("GET").len() < 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let known: Vec<_> = client.seen("GET").iter().map(|get| get.header("last-event-id").map(str::to_owned)).collect();
    assert_eq!(known, [None, Some("e0".to_owned()), Some("e1".to_owned()), Some("e2".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_stream_is_not_asked_again() {
    let mut client = Client::to(|asked, before| match asked.method() {
        "initialize" => opened(asked, before),
        "notifications/initialized" => accepted(),
        "GET" => refused(asked, 405, -32600),
        _ => result(asked, json!({})),
    });
    client.initialize().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(client.seen("GET").len(), 1);
    assert_eq!(client.request(2, "ping", json!({})).await["result"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_cut_is_opened_again_and_a_change_meanwhile_is_told() {
    let mut client = Client::to(|asked, before| match asked.method() {
        "subscriptions/listen" => {
            let acknowledged = json!({ "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {} });
            events(&[acknowledged], before >= 2)
        }
        // The same list twice, and then another.
        "tools/list" => result(asked, json!({ "tools": if before < 2 { json!([]) } else { json!([{ "name": "t" }]) } })),
        _ => result(asked, json!({})),
    });
    let filter = modern(json!({ "notifications": { "toolsListChanged": true } }));
    let first = client.request(5, "subscriptions/listen", filter).await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    let told = client.read().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 5);
    assert_eq!((client.seen("subscriptions/listen").len(), client.seen("tools/list").len()), (3, 3));
    // It is open until the client ends it, and then says nothing more.
    client.write(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 5 } })).await;
    assert_eq!(client.call().await["id"], 7);
    assert!(client.seen("notifications/cancelled").is_empty(), "in this era nobody is told");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_cut_before_the_list_was_looked_at_tells_of_a_change() {
    let mut client = Client::to(|asked, before| match asked.method() {
        "subscriptions/listen" => {
            let acknowledged = json!({ "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {} });
            events(&[acknowledged], before >= 1)
        }
        _ if before == 0 => failed(FailureKind::Refused),
        _ => result(asked, json!({ "tools": [] })),
    });
    let filter = modern(json!({ "notifications": { "toolsListChanged": true } }));
    client.request(5, "subscriptions/listen", filter).await;
    assert_eq!(client.read().await["method"], "notifications/tools/list_changed");
}

#[tokio::test(start_paused = true)]
async fn arguments_are_repeated_in_headers_once_the_server_asks_for_it() {
    let mut client = Client::to(|asked, _| match asked.method() {
        "tools/list" => {
            let schema = json!({ "properties": { "region": { "x-mcp-header": "Region" } } });
            result(asked, json!({ "tools": [{ "name": "other" }, { "name": "t", "inputSchema": schema }] }))
        }
        _ if asked.header("mcp-param-region").is_none() => refused(asked, 400, -32020),
        _ => result(asked, json!({})),
    });
    for _ in 0..2 {
        assert_eq!(client.call().await["result"], json!({}));
    }
    let calls = client.seen("tools/call");
    assert_eq!((calls.len(), client.seen("tools/list").len()), (3, 1));
    assert_eq!(calls[2].header("mcp-param-region"), Some("=?base64?w6k=?="));
    for (name, value) in [("mcp-method", "tools/call"), ("mcp-name", "t"), ("mcp-protocol-version", MODERN)] {
        assert_eq!(calls[0].header(name), Some(value));
    }
    // A server that wants something else has its word.
    let mut client = Client::to(|asked, _| match asked.method() {
        "tools/list" => result(asked, json!({ "tools": [] })),
        _ => refused(asked, 400, -32020),
    });
    assert_eq!(client.call().await["error"]["code"], -32020);
}

#[tokio::test(start_paused = true)]
async fn headers_are_not_mended_in_the_legacy_era_and_no_subscription_is_kept() {
    let mut client = Client::to(|asked, before| match asked.method() {
        "initialize" => opened(asked, before),
        "GET" => events(&[], true),
        "tools/call" => refused(asked, 400, -32020),
        "subscriptions/listen" => refused(asked, 200, -32601),
        _ => accepted(),
    });
    client.initialize().await;
    client.write(legacy(3, "tools/call")).await;
    assert_eq!(client.read().await["error"]["code"], -32020, "the server has its word");
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    assert_eq!(client.request(4, "subscriptions/listen", filter).await["error"]["code"], -32601);
    assert_eq!((client.seen("tools/call").len(), client.seen("tools/list").len()), (1, 0));
    assert_eq!(client.seen("subscriptions/listen")[0].header("mcp-session-id"), Some("s0"));
}

#[tokio::test(start_paused = true)]
async fn messages_come_on_one_line_whole_and_with_their_id() {
    let mut client = Client::to(|asked, _| match asked.message["id"].as_u64() {
        Some(1) => whole(" \n{\"jsonrpc\":\"2.0\",\r\n\"id\":1,\n\"result\":{\"a\":\"\\n\"}}\n"),
        Some(2) => whole(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"m"}}"#),
        Some(3) => {
            let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progress": 1 } });
            events(&[progress, json!({ "jsonrpc": "2.0", "id": 3, "result": {} })], true)
        }
        Some(4) => Ok(answer(200, "text/html", vec![Ok("<p>hello".into())], false)),
        Some(5) => whole("<p>hello"),
        _ => whole(r#"{"jsonrpc":"2.0","id":99,"result":{}}"#),
    });
    assert_eq!(client.request(1, "ping", json!({})).await["result"]["a"], "\n");
    let error = client.request(2, "ping", json!({})).await;
    assert_eq!((&error["id"], &error["error"]["message"]), (&json!(2), &json!("m")));
    assert_eq!(client.request(3, "ping", json!({})).await["params"]["progress"], 1);
    assert_eq!(client.read().await["id"], 3);
    for id in 4..7 {
        let answer = client.request(id, "ping", json!({})).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32000)), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_of_the_legacy_era_is_told_to_the_server_and_has_no_answer() {
    let (cancelled, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (on_cancel, on_done) = (cancelled.clone(), done.clone());
    let mut client = Client::to(move |asked, before| match asked.method() {
        "initialize" => opened(asked, before),
        "tools/call" => {
            let (cancelled, done) = (cancelled.clone(), done.clone());
            let late = stream::once(async move {
                cancelled.notified().await;
                done.notify_one();
                Ok(Frame::data(Bytes::from_static(br#"{"jsonrpc":"2.0","id":3,"error":{"code":-32603,"message":"m"}}"#)))
            });
            let body = UnsyncBoxBody::new(StreamBody::new(late));
            Ok(Response::builder().header("content-type", "application/json").body(body).expect("a response"))
        }
        "notifications/cancelled" => {
            on_cancel.notify_one();
            accepted()
        }
        "GET" => events(&[], true),
        _ if asked.message["id"].is_null() => accepted(),
        _ => result(asked, json!({})),
    });
    client.initialize().await;
    client.write(json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": { "name": "t" } })).await;
    client.write(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 3 } })).await;
    on_done.notified().await;
    assert_eq!(client.request(4, "ping", json!({})).await["id"], 4);
    assert_eq!(client.seen("tools/call").len(), 1);
    assert_eq!(client.seen("notifications/cancelled")[0].header("mcp-session-id"), Some("s0"));
}

#[tokio::test(start_paused = true)]
async fn requests_at_once_are_bounded_and_the_client_is_told() {
    let mut client = Client::to(|_, _| Ok(answer(200, "application/json", Vec::new(), true)));
    let large = "x".repeat(20_000);
    for id in 0..5 {
        client.write(json!({ "jsonrpc": "2.0", "id": id, "method": "ping", "params": { "a": large } })).await;
    }
    let answer = client.read().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(4), &json!(-32000)), "{answer}");
    for id in 10..135 {
        client.write(json!({ "jsonrpc": "2.0", "id": id, "method": "ping" })).await;
    }
    let answer = client.read().await;
    assert!(answer["error"]["message"].as_str().expect("words").contains("128"), "{answer}");
}

/// An answer that is on its way for so long, and then ends as if it were whole.
fn on_its_way_for(seconds: u64) -> Result<Answer, Failure> {
    let pieces = stream::iter(0..seconds).then(|_| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Frame::data(Bytes::from_static(b" ")))
    });
    let body = UnsyncBoxBody::new(StreamBody::new(pieces));
    Ok(Response::builder().header("content-type", "application/json").body(body).expect("a response"))
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_api_server_ends_for_its_time_is_told_in_words() {
    // How long each attempt takes, how many there are, and whether it is the time.
    for (seconds, attempts, is_the_time) in [([60, 60], 1, true), ([30, 30], 2, true), ([20, 40], 2, false), ([1, 1], 2, false)] {
        let script = move |_: &Seen, before: usize| on_its_way_for(seconds[before]);
        let mut client = Client::by(Scripted { has_a_time_limit: true, ..Scripted::of(script) });
        let error = client.call().await["error"].take();
        let words = error["message"].as_str().expect("words");
        assert_eq!(client.seen("tools/call").len(), attempts, "{words}");
        assert_eq!(words.contains(&format!("ended the request after {} s", seconds[0])), is_the_time, "{words}");
        assert_eq!(error["data"]["maySendAgain"], !is_the_time);
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_without_end_takes_no_memory() {
    let mut client = Client::to(|asked, _| result(asked, json!({})));
    let piece = vec![b'x'; 1 << 16];
    for _ in 0..80 {
        client.input.write_all(&piece).await.expect("it reads on");
    }
    client.write(json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).await;
    let refusal = client.read().await;
    assert!(refusal["error"]["message"].as_str().expect("words").contains("4194304"), "{refusal}");
    assert_eq!(client.request(2, "ping", json!({})).await["id"], 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_of_a_server_is_short_or_refused_in_words() {
    let long = "x".repeat(9000);
    let refused_words = |answer: &Value| {
        assert_eq!(answer["error"]["code"], -32000, "{answer}");
        answer["error"]["message"].as_str().expect("words").to_owned()
    };
    // The id of a session.
    let id = long.clone();
    let mut client = Client::to(move |asked, before| {
        let mut answer = opened(asked, before)?;
        answer.headers_mut().insert("mcp-session-id", id.parse().expect("a value"));
        Ok(answer)
    });
    client.write(initialize(1)).await;
    let words = refused_words(&client.read().await);
    assert!(words.contains("session") && words.contains("9000") && words.contains("8192"), "{words}");
    // The version.
    let version = long.clone();
    let mut client = Client::to(move |asked, _| result(asked, json!({ "protocolVersion": version })));
    client.write(initialize(1)).await;
    let words = refused_words(&client.read().await);
    assert!(words.contains("protocolVersion"), "{words}");
    // The id of an event.
    let id = long.clone();
    let mut client = Client::to(move |asked, _| {
        let event = format!("id: {id}\ndata: {}\n\n", json!({ "jsonrpc": "2.0", "id": asked.message["id"], "result": {} }));
        Ok(answer(200, "text/event-stream", vec![Ok(event.into())], false))
    });
    let words = refused_words(&client.call().await);
    assert!(words.contains("event"), "{words}");
    // What has to be repeated in headers: the server has its word, and is not asked again.
    let mut client = Client::to(move |asked, _| match asked.method() {
        "tools/list" => {
            let schema = json!({ "properties": { long.as_str(): { "x-mcp-header": "Long" } } });
            result(asked, json!({ "tools": [{ "name": "t", "inputSchema": schema }] }))
        }
        _ => refused(asked, 400, -32020),
    });
    assert_eq!(client.call().await["error"]["code"], -32020);
    assert_eq!(client.seen("tools/call").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_in_the_stream_of_a_session_reach_who_waits_for_them_and_nobody_else() {
    let gate = Arc::new(Notify::new());
    let opening = gate.clone();
    let mut client = Client::to(move |asked, before| match asked.method() {
        "initialize" => opened(asked, before),
        "notifications/initialized" => accepted(),
        "GET" => {
            let answers = [
                json!({ "jsonrpc": "2.0", "id": 99, "result": { "of": "nobody" } }),
                json!({ "jsonrpc": "2.0", "id": "3", "result": { "of": "nobody" } }),
                json!({ "jsonrpc": "2.0", "id": null, "error": { "code": 1, "message": "of nobody" } }),
                json!({ "jsonrpc": "2.0", "id": 3, "result": { "of": "the call" } }),
                json!({ "jsonrpc": "2.0", "id": 3, "result": { "of": "nobody" } }),
                json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }),
                json!({ "jsonrpc": "2.0", "id": 3, "method": "ping" }),
            ];
            let gate = opening.clone();
            let text: String = answers.iter().map(|answer| format!("data: {answer}\n\n")).collect();
            let late = stream::once(async move {
                gate.notified().await;
                Ok(Frame::data(Bytes::from(text)))
            });
            let body = UnsyncBoxBody::new(StreamBody::new(late.chain(stream::pending())));
            Ok(Response::builder().header("content-type", "text/event-stream").body(body).expect("a response"))
        }
        _ => Ok(answer(200, "application/json", Vec::new(), true)),
    });
    client.initialize().await;
    client.write(legacy(3, "tools/call")).await;
    client.sent("tools/call").await;
    gate.notify_one();
    assert_eq!(client.read().await["result"]["of"], "the call");
    assert_eq!(client.read().await["method"], "notifications/tools/list_changed");
    assert_eq!(client.read().await["method"], "ping");
}

#[tokio::test(start_paused = true)]
async fn words_of_a_server_in_ours_are_clean_and_short() {
    let said = format!("\u{1b}[2Jgone\u{202e} wrong\nnext {}", "x".repeat(100_000));
    let text = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": 1, "message": said } }).to_string();
    let script = move |_: &Seen, _| Ok(answer(500, "application/json", vec![Ok(text.clone().into())], false));
    let way = Scripted { is_sandbar: false, ..Scripted::of(script) };
    let bridge = Bridge::new(Arc::new(way));
    let (sender, mut parts) = mpsc::channel(4);
    let session = Session::unknown("s".parse().expect("a value"));
    follow(&bridge, "s", &session, HeaderMap::new(), &Out::Parts(sender)).await;
    assert!(matches!(parts.recv().await, Some(Part::Head { status: 500, .. })));
    let Some(Part::Message(text)) = parts.recv().await else { panic!("no message") };
    let message: Value = serde_json::from_slice(&text.bytes).expect("JSON");
    let words = message["error"]["message"].as_str().expect("words");
    assert!(words.starts_with("gone wrong next x") && words.ends_with('…') && words.len() <= 1024, "{words}");
}
