//! Where a request ends: what two servers in a row could understand differently is answered once or refused, and never as two.

use super::*;

/// A request that must not be served: it would show as an answer of its own.
const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// Sends a request that is framed in a questionable way, with another one hidden behind it. At most one answer comes, and the connection
/// ends, so that nothing that a proxy in front sends later is taken for the rest of it.
async fn refused(what: &str, headers: &[&str], body: &str) -> Vec<RawResponse> {
    let mut all = vec![JSON, ACCEPT];
    all.extend(headers);
    let answers = attack(request(POST, &all, &format!("{body}{SMUGGLED}"))).await.answers().await;
    assert!(answers.len() <= 1, "{what}: {answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer.status, 400 | 431)), "{what}: {answers:?}");
    answers
}

#[tokio::test]
async fn a_length_and_a_transfer_encoding_are_never_two_requests() {
    let empty = "0\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked";
    let length = format!("Content-Length: {}", empty.len());
    refused("CL.TE", &[&length, chunked], empty).await;
    refused("TE.CL", &[chunked, &length], empty).await;
    let long = format!("Content-Length: {}", empty.len() + SMUGGLED.len());
    refused("TE.CL over both", &[chunked, &long], empty).await;

    // The chunks are the body, and the connection ends behind it.
    let message = ping(1);
    let body = format!("{:x}\r\n{message}\r\n0\r\n\r\n{SMUGGLED}", message.len());
    let answers = attack(request(POST, &[JSON, ACCEPT, "Content-Length: 3", chunked], &body)).await.answers().await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!((answers[0].status, &answers[0].json()["id"]), (200, &json!(1)));
    all_is_well().await;
}

#[tokio::test]
async fn transfer_encodings_that_only_some_understand_are_refused() {
    for encoding in [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: x-chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: , chunked",
        "Transfer-Encoding: chunked;x=y",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\nTransfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunke\x01d",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding: ",
        " Transfer-Encoding: chunked",
    ] {
        refused(encoding, &[encoding], "0\r\n\r\n").await;
    }
    all_is_well().await;
}

#[tokio::test]
async fn http_1_0_has_no_transfer_encodings() {
    let old = request("POST /mcp HTTP/1.0", &[JSON, ACCEPT, "Transfer-Encoding: chunked"], &format!("0\r\n\r\n{SMUGGLED}"));
    let answers = attack(old).await.answers().await;
    assert!(matches!(answers[..], [] | [RawResponse { status: 400, .. }]), "{answers:?}");
}

#[tokio::test]
async fn chunks_are_known_in_any_case_and_trailers_say_nothing() {
    let message = ping(3);
    for coding in ["chunked", "Chunked", "CHUNKED \t"] {
        let body = format!("{:x}\r\n{message}\r\n0\r\nContent-Length: 7\r\nX-Trailer: x\r\n\r\n", message.len());
        let headers = [JSON, ACCEPT, &format!("Transfer-Encoding: {coding}"), "Connection: close"];
        let answers = attack(request(POST, &headers, &body)).await.answers().await;
        assert_eq!((answers.len(), &answers[0].json()["id"]), (1, &json!(3)), "{coding}: {answers:?}");
    }
}

#[tokio::test]
async fn lengths_that_differ_or_are_none_are_refused() {
    let body = ping(1);
    let length = body.len();
    for lengths in [
        format!("Content-Length: {length}\r\nContent-Length: {}", length + 10),
        format!("Content-Length: {length}, {length}"),
        format!("Content-Length: +{length}"),
        format!("Content-Length: -{length}"),
        format!("Content-Length: 0x{length:x}"),
        format!("Content-Length: {length}.0"),
        "Content-Length: ".to_owned(),
        "Content-Length: 99999999999999999999999".to_owned(),
        "Content-Length: 18446744073709551615".to_owned(),
        format!("Content-Length : {length}"),
        format!("Content-Length: {length}\r\n Content-Length: 1"),
    ] {
        refused(&lengths, &[&lengths], &body).await;
    }
    all_is_well().await;
}

#[tokio::test]
async fn one_length_written_twice_is_one_length() {
    let body = ping(1);
    let length = format!("Content-Length: {}", body.len());
    let mut connection = attack(request(POST, &[JSON, ACCEPT, &length, &length, "Connection: close"], &body)).await;
    let answer = connection.answer().await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["id"]), (200, &json!(1)));
    assert!(connection.answer().await.is_none());
}

#[tokio::test]
async fn chunks_that_are_none_end_the_connection() {
    let chunked = "Transfer-Encoding: chunked";
    for chunk in [
        "FFFFFFFFFFFFFFFFF\r\nx".to_owned(),
        "-1\r\nx\r\n0\r\n\r\n".to_owned(),
        "0x5\r\nhello\r\n0\r\n\r\n".to_owned(),
        "5 5\r\nhello\r\n0\r\n\r\n".to_owned(),
        "\r\n5\r\nhello\r\n0\r\n\r\n".to_owned(),
        "5\r\nhelloXX0\r\n\r\n".to_owned(),
        "g\r\n\r\n".to_owned(),
        "5;\nhello\r\n0\r\n\r\n".to_owned(),
        format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(100_000)),
        format!("0\r\n{}\r\n", "X-Trailer: x\r\n".repeat(10_000)),
    ] {
        let what = chunk.chars().take(30).collect::<String>();
        refused(&what, &[chunked], &chunk).await;
    }
    all_is_well().await;
}

#[tokio::test]
async fn a_body_in_many_tiny_chunks_is_one_body() {
    let message = ping(5);
    let chunks: String = message.chars().map(|char| format!("1;x=y\r\n{char}\r\n")).collect();
    let headers = [JSON, ACCEPT, "Transfer-Encoding: chunked", "Connection: close"];
    let answers = attack(request(POST, &headers, &format!("{chunks}0\r\n\r\n"))).await.answers().await;
    assert_eq!((answers.len(), &answers[0].json()["id"]), (1, &json!(5)));
}

#[tokio::test]
async fn lines_that_only_some_take_for_lines_make_no_second_request() {
    let body = ping(1);
    let length = body.len();
    // RFC 9112 lets a server take a bare line feed for a line's end. Whether it does or not, all of this is one request.
    for head in [
        format!(
            "POST /mcp HTTP/1.1\nHost: 127.0.0.1\nContent-Type: application/json\nConnection: close\nContent-Length: {length}\n\n"
        ),
        format!(
            "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX: y\rContent-Length: 0\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        ),
        format!(
            "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX: folded\r\n over lines\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        ),
        format!("POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"),
    ] {
        let answers = attack(format!("{head}{body}")).await.answers().await;
        assert_eq!(answers.len(), 1, "{head:?}: {answers:?}");
        let answer = &answers[0];
        assert!(answer.status == 400 || answer.json()["id"] == json!(1), "{head:?}: {answer:?}");
    }
    for folded in ["X: a\r\n b", "X: a\r\n\tTransfer-Encoding: chunked", "X: a\x00b", "X: a\rb", "X\x7f: a", ": a", "X a"] {
        refused(folded, &[folded, &format!("Content-Length: {length}")], &body).await;
    }
    all_is_well().await;
}

#[tokio::test]
async fn requests_in_one_breath_are_answered_one_after_the_other() {
    let mut breath = Vec::new();
    for id in 1..=20 {
        breath.extend(post(&ping(id)));
    }
    let mut connection = attack(breath).await;
    for id in 1..=20 {
        let answer = connection.answer().await.expect("an answer");
        assert_eq!((answer.status, &answer.json()["id"]), (200, &json!(id)));
    }
    // The connection is still good.
    connection.send(post(&ping(21))).await;
    assert_eq!(connection.answer().await.expect("an answer").json()["id"], 21);
}

#[tokio::test]
async fn a_body_is_only_sent_for_on_demand() {
    let body = ping(1);
    let head = request(POST, &[JSON, ACCEPT, "Expect: 100-continue", &format!("Content-Length: {}", body.len())], "");
    let mut connection = attack(head).await;
    assert_eq!(connection.answer().await.expect("an interim answer").status, 100);
    connection.send(&body).await;
    let answer = connection.answer().await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["id"]), (200, &json!(1)));

    // Nobody asks for the body of a request that is refused for its head.
    let head = "POST /mcp HTTP/1.1\r\nHost: evil.example.com\r\nExpect: 100-continue\r\nContent-Length: 4000000\r\n\r\n";
    let answers = attack(head).await.answers().await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [403]);
}
