//! Who makes a request: the one place where an identity enters. What is found here goes on to the catalog with the call.

use http::HeaderMap;
use sandbar_policy::{Caller, Identity};

use super::peer::Peer;

/// The caller of a request. It depends on what the request and its connection prove by themselves, never on its session.
pub(super) fn of(_headers: &HeaderMap, peer: &Peer) -> Caller {
    if let Some(certificate) = &peer.certificate {
        // Nothing is decided by it yet.
        let (name, organizations) = (certificate.common_name(), certificate.organizations());
        tracing::debug!(from = %peer.from, name, ?organizations, "a request of a client with a certificate");
    }
    Caller::new(Identity::Anonymous)
}
