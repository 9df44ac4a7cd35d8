//! The way through a proxy.

use std::collections::BTreeMap;

use sandbar_registry::{Digest, Pinned, Proxies, Reference, Registries, Settings};

use crate::fake::{Fake, MOST, Reply};

async fn pulled(reference: &str, proxies: Proxies) -> String {
    let settings = Settings {
        hosts: BTreeMap::new(),
        credentials: Vec::new(),
        proxies,
        component_bytes: MOST,
        cache: None,
        trust_root: None,
        online: true,
    };
    let reference: Reference = format!("{reference}@{}", Digest::of(b"")).parse().expect("a reference");
    let pinned: Pinned = reference.pinned().expect("a digest");
    Registries::new(settings).expect("settings").pull(&pinned).await.expect_err("no registry").to_string()
}

#[tokio::test]
async fn a_registry_is_reached_through_the_proxy_but_for_those_that_are_not() {
    let proxy = Fake::plain(|_| Reply::status(403)).await;
    let address = format!("http://ann:s3cret@{}", proxy.address);
    let error = pulled("oci://registry.invalid/tool", Proxies::new(&address, "")).await;
    assert!(error.contains("cannot be reached through the proxy") && !error.contains("s3cret"), "{error}");
    assert_eq!(proxy.asked()[0].what, "CONNECT registry.invalid:443");
    for (reference, proxies) in [
        ("oci://registry.invalid/tool", Proxies::new(&address, "example.com,invalid")),
        ("oci://127.0.0.1:1/tool", Proxies::new(&address, "")),
        ("oci://registry.invalid/tool", Proxies::default()),
    ] {
        let error = pulled(reference, proxies).await;
        assert!(!error.contains("through the proxy"), "{error}");
    }
    let error = pulled("oci://registry.invalid/tool", Proxies::default()).await;
    assert!(error.contains("registry.invalid has no address: the name is not known"), "{error}");
    let error = pulled("oci://registry.invalid/tool", Proxies::new(&address.replace("http", "socks5"), "")).await;
    assert!(error.contains("it has to be an http:// one"), "{error}");
    assert_eq!(proxy.asked().len(), 1);
}
