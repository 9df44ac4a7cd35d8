//! Bodies that are small on the wire and large, deep or ambiguous in memory.

use super::*;

/// The answer to a body.
async fn answer_to(body: impl AsRef<[u8]>) -> RawResponse {
    let body = body.as_ref();
    let mut sent = request(POST, &[JSON, ACCEPT, &format!("Content-Length: {}", body.len())], "");
    sent.extend(body);
    let answer = attack(sent).await.answer().await.expect("an answer");
    assert!(answer.body.len() < 10_000, "an answer does not repeat what was sent: {} bytes", answer.body.len());
    answer
}

async fn refused(what: &str, body: impl AsRef<[u8]>, code: i64) {
    let answer = answer_to(body).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(code)), "{what}: {answer:?}");
}

fn call(arguments: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"get_events","arguments":{arguments}}}}}"#)
}

#[tokio::test]
async fn bombs_are_refused() {
    const LEVELS: usize = 100_000;
    refused("arrays", format!("{}{}", "[".repeat(LEVELS), "]".repeat(LEVELS)), -32700).await;
    refused("arrays without end", "[".repeat(LEVELS), -32700).await;
    refused("objects", format!("{}1{}", "{\"a\":".repeat(LEVELS), "}".repeat(LEVELS)), -32700).await;
    refused("arguments", call(&format!("{}1{}", "{\"a\":".repeat(LEVELS), "}".repeat(LEVELS))), -32700).await;
    refused("a million values", call(&format!("{{\"a\":[{}0]}}", "[],".repeat(1_000_000))), -32700).await;
    let keys: Vec<String> = (0..200_000).map(|key| format!("\"{key}\":0")).collect();
    refused("many keys", call(&format!("{{{}}}", keys.join(","))), -32700).await;
    all_is_well().await;
}

#[tokio::test]
async fn numbers_of_any_size_are_numbers_or_refused() {
    for number in ["1e999999999", "-1e400", &"9".repeat(1_000_000)] {
        refused("a number beyond all", call(&format!("{{\"limit\":{number}}}")), -32700).await;
    }
    for number in ["1e-999999999", "0.1e1", "123456789012345678901234567890", "-0", &format!("0.{}", "1".repeat(1_000_000))] {
        let answer = answer_to(call(&format!("{{\"namespace\":\"team-a\",\"limit\":{number}}}"))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    all_is_well().await;
}

#[tokio::test]
async fn huge_strings_are_arguments_like_others() {
    let answer = answer_to(call(&format!("{{\"namespace\":\"{}\"}}", "x".repeat(3_900_000)))).await;
    assert_eq!(answer.status, 200);
    let answer = answer_to(call(&format!("{{\"namespace\":\"team-a\",\"limit\":\"{}\"}}", "x".repeat(3_900_000)))).await;
    assert_eq!(answer.json()["error"]["code"], -32602, "a limit is a number: {answer:?}");
    refused("a long method", ping(1).replace("ping", &"x".repeat(1_000_000)), -32600).await;
    refused("a long name", call("{}").replace("get_events", &"x".repeat(1_000_000)), -32602).await;
    refused("a long id", ping(1).replace(":1,", &format!(":\"{}\",", "x".repeat(1_000_000))), -32600).await;
    all_is_well().await;
}

#[tokio::test]
async fn what_two_readers_read_differently_is_refused() {
    refused("an id twice", r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32700).await;
    refused("a key twice, once escaped", call(r#"{"namespace":"a","n\u0061mespace":"b"}"#), -32700).await;
    refused("a key twice, deep", call(r#"{"x":[{"y":{"z":1,"z":2}}]}"#), -32700).await;
    refused("a lone surrogate", call(r#"{"namespace":"\ud800"}"#), -32700).await;
    refused("surrogates the wrong way round", call(r#"{"namespace":"\udc00\ud800"}"#), -32700).await;
    refused("a raw NUL", call("{\"namespace\":\"\0\"}"), -32700).await;
    refused("a NUL behind", format!("{}\0", ping(1)), -32700).await;
    refused("a byte order mark", format!("\u{feff}{}", ping(1)), -32700).await;
    let utf16: Vec<u8> = ping(1).encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused("UTF-16", utf16, -32700).await;
    refused("an overlong encoding", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc0\xaf\"}", -32700).await;
    refused("two messages", format!("{}{}", ping(1), ping(2)), -32700).await;
    refused("a comment", format!("/* */{}", ping(1)), -32700).await;
    refused("a batch", format!("[{},{}]", ping(1), ping(2)), -32600).await;
    refused("a batch of thousands", format!("[{}{}]", format!("{},", ping(1)).repeat(2000), ping(2)), -32600).await;
    all_is_well().await;
}

#[tokio::test]
async fn an_escaped_nul_is_an_argument_like_others() {
    let answer = answer_to(call(r#"{"namespace":"a\u0000b"}"#)).await;
    assert_eq!((answer.status, &answer.json()["result"]["isError"]), (200, &json!(true)), "no namespace has such a name");
    assert!(!answer.body.contains("\\u0000"), "and it does not come back: {answer:?}");
}
