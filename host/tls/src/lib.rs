//! Certificates and keys as files have them, and TLS on a listener: the certificate that it shows, and who is at the other end. `issue` makes
//! a certificate where nobody else does.

mod certificate;
mod issue;
mod listener;
mod peer;
mod pem;

pub use certificate::{Certificate, Part, Unusable};
pub use issue::Issued;
pub use listener::{Acceptor, Authorities, UnusableAuthorities};
pub use peer::ClientCertificate;
#[cfg(any(test, feature = "test-certificate"))]
pub use peer::TestAuthority;
pub use pem::{Block, blocks};
pub use tokio_rustls::server::TlsStream;
