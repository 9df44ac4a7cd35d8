//! How a connection begins on a port that speaks TLS.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sandbar_tls::{Acceptor, TlsStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::HEAD_TIME;
use super::peer::Peer;

/// How long it may take until a client and the server trust each other: four ways, and a look at certificates.
const HANDSHAKE_TIME: Duration = HEAD_TIME;

/// The first byte of each TLS connection: a handshake follows.
const HANDSHAKE: u8 = 0x16;

/// What a client speaks.
pub(super) enum Spoken {
    /// TLS, and who it is.
    Tls(Box<TlsStream<TcpStream>>, Peer),
    /// Something else, which may be HTTP.
    Plain(TcpStream),
}

/// Waits for a client's first byte, and for its handshake. None where there is nobody to talk to.
pub(super) async fn open(stream: TcpStream, from: IpAddr, acceptor: &Acceptor) -> Option<Spoken> {
    let opening = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        if first != [HANDSHAKE] {
            return Ok(Spoken::Plain(stream));
        }
        let (stream, certificate) = acceptor.accept(stream).await?;
        Ok(Spoken::Tls(Box::new(stream), Peer { from, certificate: certificate.map(Arc::new) }))
    };
    let opened = timeout(HANDSHAKE_TIME, opening).await;
    match opened.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into())) {
        Ok(spoken) => Some(spoken),
        // What the operator can do something about: a client that does not trust the certificate, one of an unknown authority.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            tracing::info!(%from, %error, "a TLS handshake failed");
            None
        }
        Err(error) => {
            tracing::debug!(%from, %error, "a TLS connection did not begin");
            None
        }
    }
}
