//! Answers that are no answers, break a promise, or carry what a reader cannot see.

use tokio::sync::OnceCell;

use super::*;

async fn client() -> Client {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    let server =
        SERVER.get_or_init(|| async { Server::builder().cluster("demo").config(&hostile_config("")).start().await }).await;
    Client::modern(server)
}

fn returning(text: impl ToString) -> Value {
    json!({ "how": "return", "text": text.to_string() })
}

#[tokio::test]
async fn what_is_no_result_is_a_fault_of_the_tool() {
    let client = client().await;
    let deep = format!(r#"{{"structuredContent":{}1{}}}"#, "[".repeat(1000), "]".repeat(1000));
    for (text, said) in [
        ("", "malformed"),
        ("{", "malformed"),
        ("nonsense", "malformed"),
        ("[]", "malformed"),
        ("null", "malformed"),
        ("{}", "neither `content` nor `structuredContent`"),
        (r#"{"content":"text"}"#, "is not a list"),
        (r#"{"content":[],"colour":"red"}"#, "colour"),
        (r#"{"structuredContent":1e999}"#, "malformed"),
        (r#"{"structuredContent":{"n":NaN}}"#, "malformed"),
        (r#"{"structuredContent":{"n":Infinity}}"#, "malformed"),
        (r#"{"structuredContent":{"n":-Infinity}}"#, "malformed"),
        (r#"{"content":[{"type":"text","text":NaN}]}"#, "malformed"),
        (r#"{"structuredContent":"\ud800"}"#, "malformed"),
        (r#"{"resultType":"input_required","content":[]}"#, "input_required"),
        (r#"{"content":[],"content":[]}"#, "duplicate"),
        (r#"{"structuredContent":{"n":1,"n":2}}"#, "stands twice"),
        (&format!(r#"{{"structuredContent":{{"a":[{}0]}}}}"#, "0,".repeat(100_000)), "more than 100000 values"),
        (&deep, "malformed"),
        (r#"{"content":[{"type":"hologram"}]}"#, "content"),
        (r#"{"content":[7]}"#, "content"),
        (r#"{"content":[{"type":"text"}]}"#, "content"),
    ] {
        let words = client.failure("misbehave", returning(text)).await;
        assert!(words.contains(said) && words.contains("fault of the tool"), "{text:.80}: {words}");
        assert!(words.len() < 1000, "{text:.80}: {words}");
    }
    assert_eq!(client.answer("misbehave", returning(r#"{"structuredContent":{"fine":true}}"#)).await, json!({ "fine": true }));
}

#[tokio::test]
async fn a_broken_promise_is_not_passed_on() {
    let client = client().await;
    for (content, said) in [(r#"{"n":"one"}"#, "`n`"), ("{}", "`n` is missing"), ("[]", "object"), ("null", "object")] {
        let words = client.failure("promise", returning(format!(r#"{{"structuredContent":{content}}}"#))).await;
        assert!(words.contains("output schema") && words.contains(said), "{content}: {words}");
    }
    let words = client.failure("promise", returning(r#"{"content":[{"type":"text","text":"1"}]}"#)).await;
    assert!(words.contains("no structured result"), "{words}");
    assert_eq!(client.answer("promise", returning(r#"{"structuredContent":{"n":1}}"#)).await, json!({ "n": 1 }));
    // A failure promises nothing.
    let words = client.failure("promise", returning(r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#)).await;
    assert_eq!(words, "no");
}

/// A terminal escape, a title sequence, a bidi override, tag characters that spell "hi", a zero-width space, C0 and C1 controls.
const HIDDEN: &str = "a\u{1b}[31mb\u{1b}]0;owned\u{7}c\u{202e}d\u{e0068}\u{e0069}e\u{200b}f\u{0}g\u{85}h\r";

/// The same without what a reader does not see.
const SEEN: &str = "a b cdef g h";

#[tokio::test]
async fn no_part_of_an_answer_hides_anything() {
    let client = client().await;
    let result = json!({
        "structuredContent": { HIDDEN: [{ "deep": HIDDEN }] },
        "content": [
            { "type": "text", "text": HIDDEN, "annotations": { "audience": ["user"] } },
            { "type": "resource_link", "uri": "sandbar://x", "name": HIDDEN },
            { "type": "resource", "resource": { "uri": "sandbar://x", "text": HIDDEN } },
        ],
        "_meta": { "example.com/note": HIDDEN, format!("example.com/{HIDDEN}"): { "deep": [HIDDEN] } },
    });
    let message = client.request("tools/call", json!({ "name": "misbehave", "arguments": returning(result) })).await;
    let result = &message["result"];
    // First of all comes the notice that this is data of others.
    assert_eq!(result["structuredContent"][SEEN], json!([{ "deep": SEEN }]), "{message}");
    assert_eq!(result["content"][1]["text"], SEEN);
    assert_eq!(result["content"][2]["name"], SEEN);
    assert_eq!(result["content"][3]["resource"]["text"], SEEN);
    assert_eq!(result["_meta"]["example.com/note"], SEEN);
    assert_eq!(result["_meta"][format!("example.com/{SEEN}")], json!({ "deep": [SEEN] }));
}

#[tokio::test]
async fn no_failure_hides_anything() {
    let client = client().await;
    assert_eq!(client.failure("misbehave", json!({ "how": "fail", "text": HIDDEN })).await, SEEN);
    // Nor do the words of the host that quote the tool.
    for text in [format!("{{\"{HIDDEN}\":1}}"), json!({ "resultType": HIDDEN }).to_string()] {
        let words = client.failure("misbehave", returning(&text)).await;
        assert!(!words.chars().any(|c| c.is_control() || matches!(c, '\u{202e}' | '\u{200b}' | '\u{e0068}')), "{words:?}");
    }
}

#[tokio::test]
async fn what_a_tool_says_of_itself_hides_nothing_either() {
    let folder = tempfile::tempdir().unwrap();
    let tool = json!({
        "name": "odd", "title": HIDDEN, "description": HIDDEN,
        "inputSchema": { "type": "object", "properties": { "x": { "type": "string", "description": HIDDEN } } },
    });
    let file = Text::new(&json!({ "tools": [tool] })).write(folder.path(), "odd.wasm");
    let server = Server::builder().cluster("demo").arg("--tools").arg(&file).start().await;
    let list = Client::modern(&server).request("tools/list", json!({})).await["result"]["tools"].take();
    let odd = list.as_array().unwrap().iter().find(|tool| tool["name"] == "odd").unwrap();
    assert_eq!(odd["title"], SEEN);
    assert_eq!(odd["description"], SEEN);
    assert_eq!(odd["inputSchema"]["properties"]["x"]["description"], SEEN);
}
