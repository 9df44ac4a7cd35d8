//! The collector: its files are read when a connection to it is made, and again once it has not taken something.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, header};
use sandbar_kubernetes::{Inbox, Receipt};

use super::settings::{LIST_BYTES, Settings, headers};

/// Bytes of the authorities' certificates: those of a whole machine have 250 KiB.
const AUTHORITIES_BYTES: u64 = 1024 * 1024;

/// Bytes of an answer that are looked at.
const ANSWER_BYTES: usize = 64 * 1024;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Posts a message, or says why it cannot. Bounding the time is the caller's.
pub(super) type Post = Box<dyn Fn(Bytes) -> BoxFuture<'static, Result<Receipt, String>> + Send + Sync>;

/// A collector, and what is sent to it.
pub(super) struct Collector {
    settings: Settings,
    /// The way to it, while that leads there.
    way: Mutex<Option<Way>>,
}

/// A connection, and the headers for it.
#[derive(Clone)]
struct Way {
    inbox: Inbox,
    headers: HeaderMap,
}

impl Collector {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, way: Mutex::default() }
    }

    /// Makes the way to it, by what is in its files now. It reads them, so it may take a moment.
    pub(super) fn connect(&self) -> Result<(), String> {
        let Settings { address, headers_file, headers: variable, authorities_file, .. } = &self.settings;
        let (list, of) = match headers_file {
            Some(file) => {
                let text =
                    String::from_utf8(read(file, LIST_BYTES as u64)?).map_err(|_| format!("{} is no UTF-8", file.display()))?;
                (text, file.display().to_string())
            }
            None => (variable.0.clone(), "OTEL_EXPORTER_OTLP_HEADERS".to_owned()),
        };
        let mut headers = headers(&list).map_err(|why| format!("{of}: {why}"))?;
        headers.insert(header::CONTENT_TYPE, PROTOBUF);
        let authorities = authorities_file.as_deref().map(|file| read(file, AUTHORITIES_BYTES)).transpose()?;
        let inbox = Inbox::at(address, authorities.map(Arc::from)).map_err(|fault| fault.to_string())?;
        *self.lock() = Some(Way { inbox, headers });
        Ok(())
    }

    /// What posts to it.
    pub(super) fn into_post(self) -> Post {
        let collector = Arc::new(self);
        Box::new(move |message| collector.clone().post(message).boxed())
    }

    async fn post(self: Arc<Self>, message: Bytes) -> Result<Receipt, String> {
        if self.lock().is_none() {
            let connecting = self.clone();
            let connected = tokio::task::spawn_blocking(move || connecting.connect()).await;
            connected.map_err(|_panic| "the collector's files cannot be read".to_owned())??;
        }
        // Taken out, it is made anew unless it has led there; also where nobody waits for it any more.
        let Some(way) = self.lock().take() else { return Err("there is no way to the collector".to_owned()) };
        let answer = way.inbox.post(way.headers.clone(), message, ANSWER_BYTES).await.map_err(|fault| fault.to_string());
        if answer.as_ref().is_ok_and(|receipt| receipt.status.is_success()) {
            *self.lock() = Some(way);
        }
        answer
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Way>> {
        // Each change is a single step, so a panic elsewhere leaves it valid.
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path, most: u64) -> Result<Vec<u8>, String> {
    sandbar_files::in_time(file, sandbar_files::READ_TIME, move |file| sandbar_files::read_any(file, most))
        .map(|(contents, _)| contents)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))
}
