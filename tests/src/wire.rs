//! A stretch of wire between a client and a server: it passes bytes on as they are, and counts those that come back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// The wire. It is cut when this is dropped.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    came_back: Arc<AtomicU64>,
    _task: AbortOnDropHandle<()>,
}

impl Wire {
    /// One that leads to this address.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let came_back = Arc::new(AtomicU64::new(0));
        let task = AbortOnDropHandle::new(tokio::spawn(serve(listener, server, came_back.clone())));
        Self { address, came_back, _task: task }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that the server has sent so far.
    pub fn came_back(&self) -> u64 {
        self.came_back.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, server: SocketAddr, came_back: Arc<AtomicU64>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let came_back = came_back.clone();
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(server).await else { return };
            let ((mut from_client, to_client), (from_server, mut to_server)) = (client.into_split(), server.into_split());
            tokio::select! {
                _ = copy(&mut from_client, &mut to_server) => {}
                _ = count(from_server, to_client, &came_back) => {}
            }
        });
    }
}

/// Passes bytes on; each is counted before the client has it.
async fn count(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, came_back: &AtomicU64) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        came_back.fetch_add(read as u64, Ordering::SeqCst);
        to.write_all(&bytes[..read]).await?;
    }
}
