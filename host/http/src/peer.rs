//! Who is at the other end of a connection.

use std::net::IpAddr;
use std::sync::Arc;

use sandbar_tls::ClientCertificate;

/// The other end of a connection: the client, or whoever stands between it and the server.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Where it is.
    pub(super) from: IpAddr,
    /// The certificate that it has shown, verified: an authority that is configured has signed it. None where it has shown none.
    pub(super) certificate: Option<Arc<ClientCertificate>>,
}

impl Peer {
    /// Somebody who has shown no certificate.
    pub(super) fn at(from: IpAddr) -> Self {
        Self { from, certificate: None }
    }
}
