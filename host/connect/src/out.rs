//! Where answers go: to the one stream of a client on stdio, or to the answer of one HTTP request.

use http::HeaderValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::room::Text;
use crate::upstream::Form;

/// The way of messages to a client.
#[derive(Clone)]
pub(crate) enum Out {
    /// Lines that all requests share.
    Lines {
        lines: mpsc::Sender<Text>,
        /// Nothing more is to be said once the client has cancelled its request.
        muted: CancellationToken,
    },
    /// The parts of one answer.
    Parts(mpsc::Sender<Part>),
}

/// A part of an answer over HTTP.
pub(crate) enum Part {
    /// Its head.
    Head { status: u16, form: Form, session: Option<HeaderValue> },
    /// The server is at work.
    Alive,
    /// A message.
    Message(Text),
}

/// Nobody takes the answer any more.
pub(crate) struct Gone;

impl Out {
    /// Tells of the head of an answer.
    pub(crate) async fn head(&self, status: u16, form: Form, session: Option<HeaderValue>) -> Result<(), Gone> {
        match self {
            Out::Lines { .. } => Ok(()),
            Out::Parts(parts) => parts.send(Part::Head { status, form, session }).await.map_err(|_| Gone),
        }
    }

    /// Tells that the server is at work.
    pub(crate) async fn alive(&self) -> Result<(), Gone> {
        match self {
            Out::Lines { .. } => Ok(()),
            Out::Parts(parts) => parts.send(Part::Alive).await.map_err(|_| Gone),
        }
    }

    /// Passes a message on.
    pub(crate) async fn message(&self, text: Text) -> Result<(), Gone> {
        match self {
            Out::Lines { muted, .. } if muted.is_cancelled() => Ok(()),
            Out::Lines { lines, .. } => lines.send(text).await.map_err(|_| Gone),
            Out::Parts(parts) => parts.send(Part::Message(text)).await.map_err(|_| Gone),
        }
    }
}
