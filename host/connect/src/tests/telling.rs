//! What has no answer: over stdio, where nobody hears what becomes of it but the log, and over a port.

use std::io;

use http::Request;
use sandbar_http::RelayBody;

use super::*;
use crate::port::port;

const ROOTS: &str = "notifications/roots/list_changed";

/// How a server answers it at first.
type First = fn(&Seen) -> Result<Answer, Failure>;

fn roots() -> Value {
    json!({ "jsonrpc": "2.0", "method": ROOTS })
}

/// A server that answers the notification like this at first, and then accepts it.
fn at_first(first: &'static [First]) -> impl Fn(&Seen, usize) -> Result<Answer, Failure> + Send + Sync + 'static {
    move |asked, before| match asked.method() {
        "initialize" => opened(asked, before),
        "GET" => events(&[], true),
        ROOTS => first.get(before).map_or_else(accepted, |first| first(asked)),
        "ping" => result(asked, json!({})),
        _ => accepted(),
    }
}

/// The cases, with how often and in which session the notification is sent last, and how it ends over a port.
const CASES: [(&[First], usize, &str, u16); 7] = [
    (&[], 1, "s0", 202),
    (&[gone], 2, "s1", 202),
    (&[lost], 2, "s0", 202),
    (&[lost, gone], 3, "s1", 202),
    (&[gone, gone], 2, "s1", 404),
    (&[lost, lost], 2, "s0", 502),
    (&[wrong], 1, "s0", 400),
];

fn gone(asked: &Seen) -> Result<Answer, Failure> {
    refused(asked, 404, -32600)
}

fn lost(_: &Seen) -> Result<Answer, Failure> {
    failed(FailureKind::Lost)
}

fn wrong(_: &Seen) -> Result<Answer, Failure> {
    let text = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no roots\nhere"}}"#;
    Ok(answer(400, "application/json", vec![Ok(text.into())], false))
}

/// What is logged on this thread while the guard is there.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().expect("not poisoned"), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let (writer, lines) = (log.clone(), tracing_subscriber::fmt().with_ansi(false).without_time());
        let guard = tracing::subscriber::set_default(lines.with_writer(move || writer.clone()).finish());
        (log, guard)
    }

    /// The warnings that there are.
    fn warnings(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("text");
        text.lines().filter(|line| line.contains("WARN")).map(str::to_owned).collect()
    }
}

fn sessions(seen: &[Seen]) -> Vec<Option<&str>> {
    seen.iter().map(|seen| seen.header("mcp-session-id")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_notification_over_stdio_is_sent_again_as_over_a_port_and_the_log_says_what_is_refused() {
    for (first, times, session, status) in CASES {
        let (log, _guard) = Log::begin();
        let mut client = Client::to(at_first(first));
        client.initialize().await;
        client.write(roots()).await;
        client.input.shutdown().await.expect("it is open");
        // It ends when everything is told.
        (&mut client.serving).await.expect("no panic").expect("no error");
        let seen = client.seen(ROOTS);
        assert_eq!((seen.len(), sessions(&seen).last()), (times, Some(&Some(session))), "{status}");
        let warnings = log.warnings();
        assert_eq!(warnings.len(), usize::from(status != 202), "{warnings:?}");
        let words = match status {
            400 => "the server has refused notifications/roots/list_changed: no roots here",
            404 => "the server has refused notifications/roots/list_changed: no",
            _ => "notifications/roots/list_changed did not reach the server: on purpose",
        };
        assert!(warnings.iter().all(|line| line.ends_with(words)), "{warnings:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_notification_over_a_port_is_sent_again_and_its_client_hears_what_is_refused() {
    for (first, times, session, status) in CASES {
        let way = Scripted::of(at_first(first));
        let seen = way.seen.clone();
        let port = port(Bridge::new(Arc::new(way)));
        let post = async |message: Value, session: Option<&str>| {
            let request = Request::post("/mcp").header("content-type", "application/json");
            let request = session.into_iter().fold(request, |request, id| request.header("mcp-session-id", id));
            port.answer(request.body(message.to_string().into()).expect("a request")).await
        };
        assert_eq!(post(initialize(1), None).await.headers()["mcp-session-id"], "s0");
        let (log, _guard) = Log::begin();
        let answer = post(roots(), Some("s0")).await;
        assert_eq!(answer.status().as_u16(), status);
        let RelayBody::Whole(said) = answer.into_body() else { panic!("in parts") };
        let words = match status {
            202 => None,
            400 => Some(r"no roots\nhere"),
            404 => Some(r#""no""#),
            _ => Some("on purpose"),
        };
        let said = String::from_utf8(said.to_vec()).expect("text");
        assert!(words.map_or(said.is_empty(), |words| said.contains(words)), "{said}");
        assert_eq!(log.warnings().len(), usize::from(status != 202));
        let mut seen = seen.lock().expect("not poisoned").clone();
        seen.retain(|seen| seen.method() == ROOTS);
        assert_eq!((seen.len(), sessions(&seen).last()), (times, Some(&Some(session))), "{status}");
    }
}

#[tokio::test]
async fn a_notification_in_a_session_that_began_elsewhere_is_refused_where_the_server_does_not_know_it() {
    let way = Scripted::of(at_first(&[gone]));
    let request = Request::post("/mcp").header("mcp-session-id", "elsewhere").body(roots().to_string().into());
    let answer = port(Bridge::new(Arc::new(way))).answer(request.expect("a request")).await;
    assert_eq!(answer.status().as_u16(), 404, "so that its client begins another");
}
