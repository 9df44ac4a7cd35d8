//! A server's list of tools, looked through on the way of a request of the modern era. In the legacy era a list belongs to a session, and is
//! its client's to ask for.

use std::ops::ControlFlow;

use sandbar_kubernetes::Ask;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::headers;
use crate::message::ClientMessage;
use crate::outline::{Kind, Outline};
use crate::room::check_kept;
use crate::upstream::{Received, Upstream};

/// Pages that are looked through.
const PAGES: usize = 20;

/// Bytes of a page that is looked into: that of a server with hundreds of tools has a part of it.
const PAGE_BYTES: usize = 1024 * 1024;

/// What it takes to ask for the list.
pub(crate) struct ToolList {
    version: String,
    meta: Value,
}

impl ToolList {
    /// The list that whoever has sent this message would be told; none in the legacy era.
    pub(crate) fn for_sender_of(message: &ClientMessage) -> Option<Self> {
        let version = message.modern_version()?.to_owned();
        let mut meta = message.param("_meta").unwrap_or_default();
        if let Some(meta) = meta.as_object_mut() {
            // Nothing is told of its progress to anybody.
            meta.remove("progressToken");
        }
        Some(Self { version, meta })
    }

    /// Shows the tools to `look`, page by page, until it has seen enough. Whether the server tells: it may have an error instead.
    pub(crate) async fn look_through(
        &self,
        upstream: &Upstream,
        mut look: impl FnMut(&Value) -> ControlFlow<()>,
    ) -> Result<bool, Failure> {
        let mut cursor = Value::Null;
        for _ in 0..PAGES {
            let Some(page) = self.page(upstream, &cursor).await? else { return Ok(false) };
            if look(&page["tools"]).is_break() {
                break;
            }
            match &page["nextCursor"] {
                Value::String(next) => {
                    check_kept("the server's `nextCursor`", next.len())?;
                    cursor = next.as_str().into();
                }
                _ => break,
            }
        }
        Ok(true)
    }

    /// The page that begins at a cursor.
    async fn page(&self, upstream: &Upstream, cursor: &Value) -> Result<Option<Value>, Failure> {
        let method = "tools/list";
        let mut params = json!({ "_meta": self.meta });
        if !cursor.is_null() {
            params["cursor"] = cursor.clone();
        }
        let message = json!({ "jsonrpc": "2.0", "id": "connect", "method": method, "params": params }).to_string();
        let headers = headers::of_modern(&self.version, method, None);
        let mut reply = upstream.deliver(&Ask::Message(message.into()), &headers).await?;
        while let Some(received) = reply.messages.next().await? {
            if let Received::Message(text, _) = received
                && let Some(Outline { kind: Kind::Result(result), .. }) = Outline::read(&text.bytes)
            {
                // As values it takes many times the room of its text.
                let is_short = result.get().len() <= PAGE_BYTES;
                return Ok(is_short.then(|| serde_json::from_str(result.get()).ok()).flatten());
            }
        }
        Ok(None)
    }
}
