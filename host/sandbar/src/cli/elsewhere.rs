//! Flags that kubectl and other servers have, and Sandbar has not.

/// Flags without their dashes, and what does the same here.
const ELSEWHERE: [(&[&str], &str); 9] = [
    (&["kubeconfig"], "$KUBECONFIG names the kubeconfig, and `--cluster kubeconfig:CONTEXT` one of its contexts"),
    (&["context"], "`--cluster kubeconfig:CONTEXT` names a context of the kubeconfig"),
    (
        &["namespace", "n"],
        "`--namespaces NAME,…` (`SANDBAR_NAMESPACES`) limits where tools may look, and one call names its namespace in its arguments: \
         '{\"namespace\":\"NAME\"}'",
    ),
    (&["all-namespaces", "A"], "tools may look into all namespaces where `--namespaces` does not name some"),
    (
        &["port", "p", "bind", "address", "bind-address"],
        "`--listen 127.0.0.1:PORT` (`SANDBAR_LISTEN`) sets the address and the port of `sandbar serve`",
    ),
    (
        &["tls", "tls-cert", "tls-cert-file", "tls-private-key-file", "client-ca-file"],
        "`--tls-certificate FILE` and `--tls-key FILE` make `sandbar serve` speak TLS, and `--tls-client-ca FILE` has it ask for client \
         certificates",
    ),
    (&["toolsets", "toolset"], "`--packs NAME,…` (`SANDBAR_PACKS`) sets which packs of bundled tools are served"),
    (&["verbose", "v", "debug", "log-level"], "`SANDBAR_LOG=debug` makes the log say more"),
    (
        &["user"],
        "the roles of `sandbar rbac` are bound to a ServiceAccount; `kubectl create clusterrolebinding sandbar \
         --clusterrole=coder-k8s-mcp --user=USER` gives them to a user",
    ),
];

/// What does the same here as a flag of another program.
pub(super) fn meant(flag: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(flags, _)| flags.contains(&flag)).map(|(_, tip)| *tip)
}
