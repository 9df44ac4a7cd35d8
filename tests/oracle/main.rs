//! Thousands of generated requests - well-formed, odd and broken - to Sandbar and to rmcp's own server with the same tools, prompts and
//! resources. What answers
//! differ in on purpose stands in `differences.rs`, each with its reason; any other difference fails, and so does a row that explains
//! nothing any more.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the answer")]
#![allow(clippy::print_stdout, reason = "how many agree is printed")]

mod differences;
mod generator;
mod native;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use sandbar_tests::sandbar::Server;
use sandbar_tests::{http as wire, in_time};
use serde_json::Value;
use tower::ServiceExt;

use differences::DIFFERENCES;
use generator::{Case, Generator};
use native::Native;

/// Requests that are sent to both.
const CASES: usize = 6_000;

/// Differences that are shown where none is expected.
const SHOWN: usize = 25;

/// What came back, as far as two servers can be expected to agree.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    status: u16,
    /// None: there is no message, or something that is no JSON.
    message: Option<Value>,
}

impl Outcome {
    fn of(status: u16, kind: Option<&str>, body: &str) -> Self {
        let text = match kind {
            Some(kind) if kind.starts_with("text/event-stream") => {
                body.lines().rev().find_map(|line| line.strip_prefix("data:")).unwrap_or_default()
            }
            Some(kind) if kind.starts_with("application/json") => body,
            _ => "",
        };
        let mut message: Option<Value> = serde_json::from_str(text).ok();
        // The words of errors are each server's own, and so is whether an unknown id is null or left out.
        if let Some(error) = message.as_mut().and_then(|message| message.get_mut("error")).and_then(Value::as_object_mut) {
            error.retain(|key, _| key == "code");
        }
        if let Some(message) = message.as_mut().and_then(Value::as_object_mut) {
            message.entry("id").or_insert(Value::Null);
        }
        Self { status, message }
    }

    /// The code of its error.
    fn code(&self) -> Option<i64> {
        self.message.as_ref()?["error"]["code"].as_i64()
    }

    /// Whether it is a result, or the silence that a notification gets.
    fn is_served(&self) -> bool {
        self.status == 202 || self.message.as_ref().is_some_and(|message| message.get("result").is_some())
    }
}

async fn ours(server: &Server, case: &Case) -> Outcome {
    let reply = wire::send(server.address(), case.request()).await;
    let (status, kind) = (reply.status.as_u16(), reply.header("content-type").map(str::to_owned));
    Outcome::of(status, kind.as_deref(), &reply.text().await)
}

async fn rmcps(native: &Native, case: &Case) -> Outcome {
    let mut request: Request<Bytes> = case.request();
    request.headers_mut().insert("host", "localhost".parse().unwrap());
    let answering = async {
        let response = native.service().oneshot(request.map(Full::new)).await.unwrap_or_else(|never| match never {});
        let (head, body) = response.into_parts();
        (head, body.collect().await.unwrap().to_bytes())
    };
    let (head, body) = in_time("rmcp's answer", answering).await;
    let kind = head.headers.get("content-type").and_then(|kind| kind.to_str().ok());
    Outcome::of(head.status.as_u16(), kind, &String::from_utf8_lossy(&body))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbar_answers_as_rmcp_does_but_where_it_does_not_on_purpose() {
    let server = Server::builder().cluster("demo").config("bundled: { packs: [coder, kubernetes] }\n");
    let server = server.arg("--calls-per-second=1000000").start().await;
    let native = Native::like(&server).await;
    let mut generator = Generator::new(0x5EED);
    let (mut explained, mut agreed, mut served) = (BTreeMap::<&str, usize>::new(), 0, 0);
    let mut unexplained = Vec::new();
    for _ in 0..CASES {
        let case = generator.case();
        let (ours, rmcps) = tokio::join!(ours(&server, &case), rmcps(&native, &case));
        served += usize::from(ours.is_served());
        // Whatever becomes of a request, its answer is JSON in words, or the silence that belongs to a notification.
        assert!(ours.message.is_some() || ours.status == 202, "{case:#?}\n{ours:?}");
        if ours == rmcps {
            agreed += 1;
        } else if let Some(row) = DIFFERENCES.iter().find(|row| (row.is_it)(&case, &ours, &rmcps)) {
            *explained.entry(row.why).or_default() += 1;
        } else if unexplained.len() < SHOWN {
            unexplained.push(format!("{case:#?}\nSandbar: {ours:?}\nrmcp:    {rmcps:?}"));
        }
    }
    println!("{CASES} requests, {served} served: {agreed} answers agree; {explained:#?}");
    assert!(unexplained.is_empty(), "{} answers differ for no reason:\n{}", unexplained.len(), unexplained.join("\n\n"));
    for row in DIFFERENCES {
        assert!(explained.contains_key(row.why), "nothing differs for this reason any more: {}", row.why);
    }
    assert!(served > CASES / 10 && agreed > CASES / 4, "the generator reaches what is served: {served}, {agreed}");
}
