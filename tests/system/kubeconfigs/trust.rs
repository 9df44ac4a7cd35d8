//! What the server's certificate is checked against.

use super::Outcome::{Connects, Lenient, Refused};
use super::{Row, SERVER, TOKEN, cluster, config};

pub(super) fn rows() -> Vec<Row> {
    let trusting = |server: &str, pem: &str| {
        config(&format!("server: https://<{server}>\ncertificate-authority-data: <{pem}>"), TOKEN).into_bytes()
    };
    vec![
        ("an authority's file", cluster("server: https://<SIGNED>\ncertificate-authority: <DIR>/ca"), Connects),
        ("a relative file", cluster("server: https://<SIGNED>\ncertificate-authority: ca"), Connects),
        (
            "a file that is not there",
            cluster("server: https://<SIGNED>\ncertificate-authority: /no/such/ca.crt"),
            Refused("/no/such/ca.crt"),
        ),
        ("a file and data", cluster(&format!("{SERVER}\ncertificate-authority: <DIR>/ca")), Refused("both")),
        (
            "base64 over several lines",
            cluster("server: https://<SIGNED>\ncertificate-authority-data: |\n  <WRAPPED_CA>"),
            Connects,
        ),
        ("a bundle with junk, strangers and a broken one", trusting("SIGNED", "BUNDLE"), Connects),
        ("an authority that is none", trusting("SIGNED", "NO_PEM"), Refused("PEM")),
        ("an authority that is broken", trusting("SIGNED", "BROKEN"), Refused("PEM")),
        ("no base64", cluster("server: https://<SIGNED>\ncertificate-authority-data: '!'"), Refused("base64")),
        ("a stranger's authority", trusting("STRANGE", "CA"), Refused("certificate")),
        ("its own certificate, of an authority", trusting("OWN_CA", "OWN_CA_PEM"), Connects),
        ("an authority's certificate that is another", trusting("OWN_CA", "CA"), Refused("certificate-authority-data")),
        ("an authority's certificate, and none trusted", cluster("server: https://<OWN_CA>"), Refused("that very one")),
        ("a certificate of nobody whom this machine trusts", cluster("server: https://<SIGNED>"), Refused("signed by nobody")),
        ("its own certificate, of no authority", trusting("OWN_LEAF", "OWN_LEAF_PEM"), Connects),
        ("its own certificate, signed by another", trusting("SIGNED", "LEAF"), Connects),
        ("a leaf that has signed another", trusting("BY_LEAF", "LEAF"), Refused("certificate")),
        ("an authority's certificate, signed by one", trusting("CA_SIGNED_BY_CA", "CA"), Connects),
        ("a chain", trusting("CHAIN", "CA"), Connects),
        ("an intermediate", trusting("BELOW", "BETWEEN"), Connects),
        ("a chain with a part missing", trusting("BELOW", "CA"), Refused("certificate")),
        ("an authority with nobody between", trusting("DIRECT_BELOW_NONE", "NONE_BETWEEN"), Connects),
        ("an authority with nobody between, and somebody", trusting("CHAIN_BELOW_NONE", "NONE_BETWEEN"), Refused("path length")),
        ("the same, who is trusted as well", trusting("CHAIN_BELOW_NONE", "NONE_BETWEEN_AND_BELOW"), Connects),
        ("an authority with one between", trusting("CHAIN_BELOW_ONE", "ONE_BETWEEN"), Connects),
        ("an authority's certificate below one with nobody between", trusting("CA_BELOW_NONE", "NONE_BETWEEN"), Connects),
        ("an expired certificate", trusting("EXPIRED", "CA"), Refused("run out")),
        ("an expired authority", trusting("OLD_CA", "OLD"), Refused("run out")),
        ("a certificate for clients", trusting("FOR_CLIENTS", "CA"), Refused("certificate")),
        ("a certificate for another name", trusting("NAMED", "CA"), Refused("tls-server-name")),
        (
            "a name for the certificate",
            cluster("server: https://<NAMED>\ncertificate-authority-data: <CA>\ntls-server-name: api.test"),
            Connects,
        ),
        (
            "an address for the certificate",
            cluster("server: https://localhost:<PORT>\ncertificate-authority-data: <CA>\ntls-server-name: 127.0.0.1"),
            Connects,
        ),
        (
            "the wrong name for the certificate",
            cluster("server: https://<NAMED>\ncertificate-authority-data: <CA>\ntls-server-name: other.test"),
            Refused("tls-server-name"),
        ),
        ("no check", cluster("server: https://<STRANGE>\ninsecure-skip-tls-verify: true"), Connects),
        ("no check, in YAML 1.1", cluster("server: https://<STRANGE>\ninsecure-skip-tls-verify: yes"), Connects),
        (
            "no check of an expired certificate for another name",
            cluster("server: https://<EXPIRED>\ninsecure-skip-tls-verify: true\ntls-server-name: x.test"),
            Connects,
        ),
        (
            "no check, and an authority",
            cluster(&format!("{SERVER}\ninsecure-skip-tls-verify: true")),
            Refused("insecure-skip-tls-verify"),
        ),
        ("no check, in quotes", cluster("server: https://<STRANGE>\ninsecure-skip-tls-verify: 'true'"), Lenient),
    ]
}
