//! Where the server is, and the way to it.

use super::Outcome::{Connects, Lenient, Refused};
use super::{Row, SERVER, TOKEN, cluster, config};

pub(super) fn rows() -> Vec<Row> {
    let at = |server: &str| config(&format!("server: {server}\ncertificate-authority-data: <CA>"), TOKEN).into_bytes();
    vec![
        ("a trailing slash", at("https://<SIGNED>/"), Connects),
        ("a path", at("https://<SIGNED>/prefix"), Connects),
        ("a path and a slash", at("https://<SIGNED>/prefix/"), Connects),
        ("a path and a query", at("https://<SIGNED>/prefix?x=y"), Connects),
        ("a query", at("https://<SIGNED>/?x=y"), Connects),
        ("an upper-case scheme", at("HTTPS://<SIGNED>"), Connects),
        ("a name", at("https://localhost:<PORT>"), Connects),
        ("an upper-case name", at("https://LOCALHOST:<PORT>"), Connects),
        ("no scheme", at("<PLAIN>"), Connects),
        ("no scheme, and a server with TLS", at("<SIGNED>"), Refused("is its address https://?")),
        ("http, and a server with TLS", at("http://<SIGNED>"), Refused("is its address https://?")),
        ("http, and a server with TLS that answers in words", at("http://<TLS_IN_WORDS>"), Refused("is its address https://?")),
        ("http, and a server with TLS that closes", at("http://<TLS_THAT_CLOSES>"), Refused("is its address https://?")),
        ("no scheme, and a path", at("<PLAIN>/prefix"), Refused("scheme")),
        ("http", at("http://<PLAIN>"), Connects),
        (
            "http with an authority that is none",
            config("server: http://<PLAIN>\ncertificate-authority-data: <NO_PEM>", TOKEN).into_bytes(),
            Connects,
        ),
        ("https, and a server without TLS", at("https://<PLAIN>"), Refused("is its address http://?")),
        ("another scheme", at("ftp://<SIGNED>"), Refused("scheme")),
        ("an empty address", at("''"), Refused("server")),
        ("spaces around the address", at("' https://<SIGNED> '"), Lenient),
        (
            "a password in the address",
            config("server: https://me:good-password@<SIGNED>\ncertificate-authority-data: <CA>", "as: ''").into_bytes(),
            Lenient,
        ),
        // Proxies.
        (
            "a proxy of a scheme that is none",
            cluster(&format!("{SERVER}\nproxy-url: ftp://me:SECRET-password@proxy")),
            Refused("proxy"),
        ),
        ("a proxy that is not there", cluster(&format!("{SERVER}\nproxy-url: http://127.0.0.1:1")), Refused("proxy")),
        ("a SOCKS proxy that is not there", cluster(&format!("{SERVER}\nproxy-url: socks5://127.0.0.1:1")), Refused("proxy")),
        ("a proxy with TLS that is not there", cluster(&format!("{SERVER}\nproxy-url: https://127.0.0.1:1")), Refused("proxy")),
    ]
}
