//! TLS on a listener.
//!
//! Nothing is resumed: each connection shows its certificate anew, and what was taken out of a file counts for the next one. Connections
//! live long, so a whole handshake each costs little.

use std::io;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::authorities::{Authorities, LONGEST_CHAIN};
use super::certificate::{Certificate, Unusable};
use super::peer::ClientCertificate;

/// The versions that are spoken, as the API server does. Of 1.2, `ring` has only suites with forward secrecy and authenticated encryption.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// What is spoken inside. A client that wants HTTP/2 alone is refused in the handshake.
const PROTOCOL: &[u8] = b"http/1.1";

/// Bytes of an answer that TLS holds for a client that does not read: a record.
const UNSENT: usize = 16 * 1024;

/// Makes TLS of connections. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// Shows a certificate, whatever name a client asks for. With authorities, of two files at most, each client is asked for a certificate: it
    /// may have none, but none of anybody else.
    pub fn new(certificate: &Certificate, clients: [Option<&Authorities>; 2]) -> Result<Self, Unusable> {
        if certificate.key.cert.len() > LONGEST_CHAIN {
            return Err(Unusable::certificate(format!(
                "has more than {LONGEST_CHAIN} certificates: its own, and those of the authorities between it and the root"
            )));
        }
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_protocol_versions(&VERSIONS);
        let builder = builder.unwrap_or_else(|_| unreachable!("ring has suites of both versions"));
        let resolver = Arc::new(SingleCertAndKey::from(certificate.key.clone()));
        let mut config = match Authorities::verifier(clients) {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        }
        .with_cert_resolver(resolver);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// The handshake. Its time is up to the caller; its size is bounded by rustls, 64 KiB for each message.
    pub async fn accept<S>(&self, stream: S) -> io::Result<(TlsStream<S>, Option<ClientCertificate>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stream = self.0.accept(stream).await?;
        stream.get_mut().1.set_buffer_limit(Some(UNSENT));
        let certificate = match stream.get_ref().1.peer_certificates() {
            None => None,
            Some(chain) => {
                let read = ClientCertificate::of(chain);
                Some(read.ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidData, "the client's certificate has names that are no text")
                })?)
            }
        };
        Ok((stream, certificate))
    }
}

#[cfg(test)]
mod tests {
    use rustls::client::Resumption;
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, ProtocolVersion, RootCertStore};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::authorities::{MOST_AUTHORITIES, MOST_NAMES};
    use crate::testing::{Pair, named};

    fn acceptor(server: &Pair, clients: Option<&Pair>) -> Acceptor {
        let certificate = Certificate::read(server.pem().as_bytes(), server.key().serialize_pem().as_bytes());
        let clients = clients.map(|clients| Authorities::read(clients.pem().as_bytes()).expect("an authority"));
        Acceptor::new(&certificate.expect("a pair"), [clients.as_ref(), None]).expect("acceptable")
    }

    /// What a client of the server `trusted` is configured with, and shows.
    fn client(versions: &[&'static SupportedProtocolVersion], trusted: &Pair, shown: &[&Pair]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.certificate.der().clone()).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        match shown {
            [] => builder.with_no_client_auth(),
            [leaf, ..] => {
                let chain = shown.iter().map(|pair| pair.certificate.der().clone()).collect();
                let key = PrivateKeyDer::Pkcs8(leaf.key().serialize_der().into());
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        }
    }

    /// A connection whose client has read a byte of the server: the version, the protocol inside, and the name that the client has shown.
    async fn spoken(
        acceptor: &Acceptor,
        client: Arc<ClientConfig>,
    ) -> io::Result<(ProtocolVersion, Option<Vec<u8>>, Option<String>)> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let serving = async {
            let (mut stream, certificate) = acceptor.accept(far).await?;
            stream.write_all(b"x").await?;
            stream.shutdown().await?;
            Ok::<_, io::Error>(certificate.and_then(|certificate| certificate.common_name().map(str::to_owned)))
        };
        let asking = async {
            let name = ServerName::try_from("localhost").expect("a name");
            let mut stream = TlsConnector::from(client).connect(name, near).await?;
            stream.read_u8().await?;
            let session = stream.get_ref().1;
            Ok::<_, io::Error>((session.protocol_version().expect("it is known"), session.alpn_protocol().map(<[u8]>::to_vec)))
        };
        let (served, asked) = tokio::join!(serving, asking);
        let (name, (version, protocol)) = (served?, asked?);
        Ok((version, protocol, name))
    }

    #[tokio::test]
    async fn both_versions_are_spoken_and_http_1_alone() {
        let authority = Pair::of("authority", true, None);
        let acceptor = acceptor(&Pair::of("server", false, Some(&authority)), None);
        for (versions, version) in [
            (&[&TLS12][..], ProtocolVersion::TLSv1_2),
            (&[&TLS13], ProtocolVersion::TLSv1_3),
            (&VERSIONS, ProtocolVersion::TLSv1_3),
        ] {
            for (offered, chosen) in [(&[][..], None), (&[b"h2".to_vec(), PROTOCOL.to_vec()], Some(PROTOCOL.to_vec()))] {
                let mut config = client(versions, &authority, &[]);
                config.alpn_protocols = offered.to_vec();
                let spoken = spoken(&acceptor, Arc::new(config)).await.expect("a connection");
                assert_eq!(spoken, (version, chosen, None));
            }
        }
        let mut config = client(&VERSIONS, &authority, &[]);
        config.alpn_protocols = vec![b"h2".to_vec()];
        assert!(spoken(&acceptor, Arc::new(config)).await.is_err());
    }

    #[tokio::test]
    async fn a_client_may_show_no_certificate_or_one_of_the_authority_and_no_other() {
        let (authority, other) = (Pair::of("authority", true, None), Pair::of("authority", true, None));
        let server = Pair::of("server", false, Some(&authority));
        let acceptor = acceptor(&server, Some(&authority));
        let shows = async |shown: &[&Pair]| {
            spoken(&acceptor, Arc::new(client(&VERSIONS, &authority, shown))).await.map(|(_, _, name)| name)
        };
        assert_eq!(shows(&[]).await.expect("served"), None);
        let below = Pair::of("below", true, Some(&authority));
        let (own, far) = (Pair::of("me", false, Some(&authority)), Pair::of("me, too", false, Some(&below)));
        assert_eq!(shows(&[&own]).await.expect("served").as_deref(), Some("me"));
        assert_eq!(shows(&[&far, &below]).await.expect("served").as_deref(), Some("me, too"));
        let forged = Pair::of("me", false, Some(&other));
        for refused in [&[&forged][..], &[&forged, &other], &[&far], &[&Pair::of("me", false, None)]] {
            let error = shows(refused).await.expect_err("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
        let padded: Vec<&Pair> = [&own].into_iter().chain(std::iter::repeat_n(&below, LONGEST_CHAIN)).collect();
        assert!(shows(&padded).await.is_err());
        assert_eq!(shows(&padded[..LONGEST_CHAIN]).await.expect("served").as_deref(), Some("me"));
    }

    #[tokio::test]
    async fn each_connection_proves_its_certificate_anew() {
        let authority = Pair::of("authority", true, None);
        let acceptor = acceptor(&Pair::of("server", false, Some(&authority)), Some(&authority));
        for versions in [&[&TLS12][..], &[&TLS13]] {
            let mut config = client(versions, &authority, &[&Pair::of("me", false, Some(&authority))]);
            config.resumption = Resumption::in_memory_sessions(8);
            let config = Arc::new(config);
            for _ in 0..2 {
                let (near, far) = tokio::io::duplex(64 * 1024);
                let serving = async { acceptor.accept(far).await.expect("a handshake").0.get_ref().1.handshake_kind() };
                let name = ServerName::try_from("localhost").expect("a name");
                let connector = TlsConnector::from(config.clone());
                let (kind, _client) = tokio::join!(serving, connector.connect(name, near));
                assert_eq!(kind, Some(rustls::HandshakeKind::Full));
            }
        }
    }

    #[tokio::test]
    async fn what_two_files_may_hold_is_not_too_much_for_a_handshake() {
        let authority = Pair::of("authority", true, None);
        let server = Pair::of("server", false, Some(&authority));
        let certificate = Certificate::read(server.pem().as_bytes(), server.key().serialize_pem().as_bytes()).expect("a pair");
        // 32 bytes are the most around a name.
        let full = Authorities::read(named(MOST_NAMES - 32 * MOST_AUTHORITIES).as_bytes()).expect("as large as may be");
        let few = Authorities::read(authority.pem().as_bytes()).expect("an authority");
        let me = Pair::of("me", false, Some(&authority));
        for (clients, name) in
            [([Some(&full); 2], None), ([Some(&full), Some(&few)], Some("me")), ([Some(&few), None], Some("me"))]
        {
            let acceptor = Acceptor::new(&certificate, clients).expect("acceptable");
            for version in VERSIONS {
                let shown: &[&Pair] = if name.is_some() { &[&me] } else { &[] };
                let (.., shown) = spoken(&acceptor, Arc::new(client(&[version], &authority, shown))).await.expect("a connection");
                assert_eq!(shown.as_deref(), name);
            }
        }
    }

    #[test]
    fn a_chain_is_no_longer_than_clients_look() {
        let server = Pair::of("server", false, None);
        let of = |certificates: usize| {
            let certificate =
                Certificate::read(server.pem().repeat(certificates).as_bytes(), server.key().serialize_pem().as_bytes());
            Acceptor::new(&certificate.expect("a pair"), [None; 2]).map(drop)
        };
        assert!(of(LONGEST_CHAIN).is_ok());
        assert!(
            of(LONGEST_CHAIN + 1)
                .is_err_and(|unusable| unusable.to_string().contains(&format!("more than {LONGEST_CHAIN} certificates")))
        );
    }
}
