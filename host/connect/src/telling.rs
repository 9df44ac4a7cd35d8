//! What has no answer: a client's notifications, and its responses to a server that has asked something. It is sent again once if it may be
//! lost and changes nothing, and once if its session had to be begun anew.

use http::HeaderMap;
use sandbar_kubernetes::Ask;

use crate::failure::{Failure, FailureKind};
use crate::headers::SESSION_ID;
use crate::message::ClientMessage;
use crate::outline::error_words;
use crate::room::Text;
use crate::session::Session;
use crate::upstream::{Form, Upstream};

/// What a server says to it.
pub(crate) struct Told {
    pub(crate) status: u16,
    /// Its words: there are some where it refuses.
    pub(crate) text: Option<Text>,
}

/// Tells the server something. Where that fails, or the server refuses it, the log says so.
pub(crate) async fn tell(
    upstream: &Upstream,
    message: &ClientMessage,
    headers: &HeaderMap,
    session: Option<&Session>,
) -> Result<Told, Failure> {
    let told = told(upstream, message, headers, session).await;
    let what = if message.method.is_empty() { "a response" } else { &message.method };
    match &told {
        Ok(Told { status, .. }) if *status < 300 => {}
        Ok(Told { status, text }) => {
            let words = text.as_ref().and_then(|text| error_words(&text.bytes)).unwrap_or_else(|| format!("it answers {status}"));
            tracing::warn!("the server has refused {what}: {words}");
        }
        Err(failure) => tracing::warn!("{what} did not reach the server: {}", failure.words),
    }
    told
}

async fn told(
    upstream: &Upstream,
    message: &ClientMessage,
    headers: &HeaderMap,
    session: Option<&Session>,
) -> Result<Told, Failure> {
    let ask = Ask::Message(message.body.clone());
    let (mut was_lost, mut was_renewed) = (false, false);
    loop {
        let mut headers = headers.clone();
        if let Some(session) = session {
            session.speak(&mut headers);
        }
        let used = headers.get(SESSION_ID);
        let outcome = upstream.deliver(&ask, &headers).await;
        let status = outcome.as_ref().map_or_else(|failure| failure.status, |reply| Some(reply.status));
        if let Some(session) = session.filter(|_| status == Some(404) && used.is_some() && !was_renewed) {
            was_renewed = true;
            session.begin_anew(upstream, used).await?;
            continue;
        }
        match outcome {
            Err(failure) if failure.kind == FailureKind::Lost && !was_lost && message.only_reads() => was_lost = true,
            Err(failure) => return Err(failure),
            Ok(mut reply) => {
                let text = match reply.messages.form {
                    // That it cannot be read changes nothing: the status is there.
                    Form::Json => reply.messages.first().await.ok().flatten(),
                    // Nothing in a stream of events is said to this.
                    Form::Events | Form::Nothing => None,
                };
                return Ok(Told { status: reply.status, text });
            }
        }
    }
}
