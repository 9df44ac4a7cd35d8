//! The cluster that this pod runs in, as its ServiceAccount.

use std::path::Path;

use serde_json::Value;

use super::fault::Fault;
use super::proxy::Proxy;
use super::target::{Method, ServerAddress, Target, Trust, User};
use super::watched::Watched;

/// Where a pod finds the token of its ServiceAccount.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// And the certificate authority of its cluster.
pub(super) const AUTHORITY: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// Whether this is a pod with a ServiceAccount.
pub(super) fn is_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && Path::new(TOKEN).exists()
}

/// Where the pod's environment leads.
pub(super) fn target() -> Result<Target, Fault> {
    let variable = |name| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        value.ok_or_else(|| Fault::new(format!("the variable {name} is not set")))
    };
    let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let server = ServerAddress::parse(&format!("https://{host}:{port}"));
    let server =
        server.map_err(|why| Fault::new(format!("the address in KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT {why}")))?;
    let mut watched = Watched::default();
    let authority = watched.read(Path::new(AUTHORITY)).map_err(|fault| Fault::new(format!("{AUTHORITY}: {fault}")))?;
    let user = User {
        called: "the ServiceAccount of this pod".to_owned(),
        method: Method::TokenFile(TOKEN.into(), None),
        ..User::nobody()
    };
    Ok(Target {
        called: "cluster of this pod".to_owned(),
        server,
        trust: Trust::Authorities(authority.into(), AUTHORITY),
        server_name: None,
        // client-go reads HTTPS_PROXY here too, but a pod that has to leave its cluster to reach its own API server is misconfigured.
        proxy: Proxy::Direct,
        user,
        watched,
        cluster_info: Value::Null,
        // Between two machines of a cluster, to compress takes longer than to send.
        takes_gzip: false,
    })
}
