//! Certificates and keys as files have them, and TLS on a listener: the certificate that it shows, and who is at the other end.

mod certificate;
mod listener;
mod peer;
mod pem;

pub use certificate::{Certificate, Part, Unusable};
pub use listener::{Acceptor, Authorities};
pub use peer::ClientCertificate;
#[cfg(any(test, feature = "test-certificate"))]
pub use peer::test_certificate;
pub use pem::{Block, blocks};
pub use tokio_rustls::server::TlsStream;
