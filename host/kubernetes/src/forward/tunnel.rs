//! A connection to a port of a pod, whose end says why it has come.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Fuse};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::pods::NoPod;

/// A connection to a pod.
pub(super) struct Tunnel {
    stream: DuplexStream,
    /// Why it leads nowhere, once that is known.
    broken: Fuse<BoxFuture<'static, Option<NoPod>>>,
}

impl Tunnel {
    /// `broken` says why the port cannot be used, or not any more.
    pub(super) fn new(stream: DuplexStream, broken: impl Future<Output = Option<NoPod>> + Send + 'static) -> Self {
        Self { stream, broken: broken.boxed().fuse() }
    }
}

impl Connection for Tunnel {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            return read;
        }
        // Nothing comes, or nothing more.
        match self.broken.poll_unpin(context) {
            Poll::Ready(Some(why)) => Poll::Ready(Err(io::Error::other(why))),
            Poll::Ready(None) | Poll::Pending => read,
        }
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
