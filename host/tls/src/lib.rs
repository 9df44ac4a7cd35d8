//! Certificates and keys as files have them, and TLS on a listener: the certificate that it shows, and who is at the other end. `issue` makes
//! a certificate where nobody else does.

mod authorities;
mod certificate;
mod issue;
mod listener;
mod peer;
mod pem;
#[cfg(test)]
mod testing;

pub use authorities::{Authorities, UnusableAuthorities};
pub use certificate::{Certificate, Part, Unusable};
pub use issue::Issued;
pub use listener::Acceptor;
pub use peer::ClientCertificate;
#[cfg(any(test, feature = "test-certificate"))]
pub use peer::TestAuthority;
pub use pem::{Block, blocks};
pub use tokio_rustls::server::TlsStream;
