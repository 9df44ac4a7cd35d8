//! Checks beyond the types of a configuration: impossible names, rules that cannot be granted, a component that is listed twice.

use std::collections::HashSet;

use sandbar_catalog::Source;
use sandbar_files::{LOOK_TIME, canonical, in_time};
use sandbar_kubernetes::{ClusterSettings, ClusterSource, WhoseRights};
use sandbar_policy::{LABEL_MAX, PolicyRule, check_rights, is_label};
use sandbar_registry::{Reference, Version};

use super::clusters::{InClusters, ToolInCluster};
use super::places::Step;
use super::{
    ApiServiceConfig, AuthenticationConfig, ClusterConfig, Config, RightsConfig, TokenReviewConfig, ToolConfig, authorization,
    clusters, oidc, registries,
};

/// A fault, and where it is.
pub(super) struct Fault {
    pub(super) path: Vec<Step>,
    pub(super) what: String,
}

/// All faults of a configuration whose types are right.
pub(super) fn faults(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |path: &[Step], outcome: Result<(), String>| {
        if let Err(what) = outcome {
            faults.push(Fault { path: path.to_vec(), what });
        }
    };
    let list = |key| move |index| [Step::Key(key), Step::Entry(index)];
    for (index, name) in config.namespaces.iter().flatten().enumerate() {
        add(&list("namespaces")(index), namespace(name).map(drop));
    }
    for (index, name) in config.hosts.iter().enumerate() {
        add(&list("hosts")(index), host(name).map(drop));
    }
    for (index, text) in config.origins.iter().enumerate() {
        add(&list("origins")(index), origin(text).map(drop));
    }
    for (index, what) in config.authentication.token_review.iter().flat_map(TokenReviewConfig::faults) {
        let place = [Step::Key("authentication"), Step::Key("tokenReview"), Step::Key("audiences")];
        add(&[&place[..], index.map(Step::Entry).as_slice()].concat(), Err(what));
    }
    let AuthenticationConfig { oidc: issuers, resource, .. } = &config.authentication;
    let of_issuers = oidc::faults(issuers).into_iter().map(|(path, what)| ("oidc", path, what));
    let of_resource = resource.iter().flat_map(|resource| oidc::faults_of_resource(resource, !issuers.is_empty()));
    for (key, path, what) in of_issuers.chain(of_resource.map(|(path, what)| ("resource", path, what))) {
        add(&[&[Step::Key("authentication"), Step::Key(key)], path.as_slice()].concat(), Err(what));
    }
    if let Some(proxy) = &config.authentication.front_proxy {
        let place = [Step::Key("authentication"), Step::Key("frontProxy")];
        if proxy.allowed_names.is_empty() || proxy.allowed_names.iter().any(String::is_empty) {
            let what = "the name in the proxy's certificate is required: else everybody with a certificate of that authority is the proxy";
            add(&[&place[..], &[Step::Key("allowedNames")]].concat(), Err(what.to_owned()));
        }
    }
    for (key, what) in config.api_service.iter().flat_map(ApiServiceConfig::faults) {
        add(&[Step::Key("apiService"), key], Err(what));
    }
    for (place, what) in config.authorization.faults() {
        add(&[&[Step::Key("authorization")], &place[..]].concat(), Err(what));
    }
    if config.authorization.rights != RightsConfig::Server && !config.knows_callers() {
        let what =
            "the caller's rights cannot count where nobody is asked who they are: configure `authentication` or `apiService`";
        add(&[Step::Key("authorization"), Step::Key("rights")], Err(what.to_owned()));
    }
    for (path, what) in clusters::faults(config) {
        add(&path, Err(what));
    }
    for (path, what) in config.authorization.tools.iter().flat_map(|tools| authorization::faults_of_tools(tools)) {
        add(&[&[Step::Key("authorization"), Step::Key("tools")], path.as_slice()].concat(), Err(what));
    }
    if config.authorization.tools.is_some() && !config.knows_callers() {
        let what = "who may call which tool cannot be told apart where nobody is asked who they are: configure `authentication` or `apiService`";
        add(&[Step::Key("authorization"), Step::Key("tools")], Err(what.to_owned()));
    }
    for (tool, own) in config.bundled.tools.iter() {
        for (index, name) in own.namespaces.iter().flatten().enumerate() {
            let entry = [Step::Key("bundled"), Step::Key("tools"), Step::Key(tool)];
            add(&[&entry[..], &list("namespaces")(index)].concat(), namespace(name).map(drop));
        }
        for (path, what) in faults_in_clusters(&own.clusters, (&[], &[]), &config.clusters) {
            add(&[&[Step::Key("bundled"), Step::Key("tools"), Step::Key(tool)], path.as_slice()].concat(), Err(what));
        }
        if own.clusters.iter().flatten().any(|(_, here)| here.rules.is_some() || here.cluster_rules.is_some()) {
            let what = "a bundled tool is granted what it asks for, and nothing else: only `namespaces` counts here";
            add(&[Step::Key("bundled"), Step::Key("tools"), Step::Key(tool), Step::Key("clusters")], Err(what.to_owned()));
        }
    }
    for (path, what) in registries::faults(config) {
        add(&path, Err(what));
    }
    let mut components = HashSet::new();
    for (index, tool) in config.tools.iter().enumerate() {
        let entry = list("tools")(index);
        for (path, what) in faults_of_tool(tool).into_iter().chain(faults_in_clusters(
            &tool.clusters,
            (&tool.rules, &tool.cluster_rules),
            &config.clusters,
        )) {
            add(&[&entry, path.as_slice()].concat(), Err(what));
        }
        let one = match &tool.component {
            Source::File(file) => canonical(file).display().to_string(),
            other => other.to_string(),
        };
        if !components.insert(one) {
            let what = format!("{} has an entry already: a component has one", tool.component);
            add(&[&entry[..], &[Step::Key("component")]].concat(), Err(what));
        }
    }
    faults
}

/// What keeps a server from being served as its whole configuration says: what is in one place depends on what is in another, or in a flag.
pub(super) fn serving(config: &Config) -> Result<(), String> {
    let Config { listen, metrics, tls, authentication, api_service, .. } = config;
    if metrics.as_ref().is_some_and(|metrics| metrics.listen == *listen && listen.port() != 0) {
        return Err(format!(
            "metrics: MCP and metrics cannot both be at {listen}: choose another port with `metrics.listen` or --metrics-listen"
        ));
    }
    let AuthenticationConfig { front_proxy, .. } = authentication;
    if !listen.ip().is_loopback() && config.allow_anonymous != Some(true) && !config.knows_callers() {
        let meant = match config.allow_anonymous {
            Some(_) => "take `allowAnonymous: false` out of it, which goes before --allow-anonymous",
            None => "say that it is meant, with --allow-anonymous",
        };
        return Err(format!(
            "whoever reaches {listen} could read the cluster with this server's rights, since nobody is asked who they are: listen on \
             127.0.0.1, or configure `authentication` or `apiService` in sandbar.yaml, or {meant}"
        ));
    }
    if front_proxy.is_some() && tls.as_ref().is_none_or(|tls| tls.client_certificate_authority.is_none()) {
        return Err(
            "authentication.frontProxy: a front proxy is known by its certificate: `tls.clientCertificateAuthority` in sandbar.yaml, or \
             --tls-client-ca, has to name whose certificates count"
                .to_owned(),
        );
    }
    if api_service.is_some() && tls.is_none() {
        return Err(
            "apiService: an API server speaks TLS with its extensions: `tls` in sandbar.yaml, or --tls-certificate and --tls-key, have to \
             name a certificate and its key; `sandbar apiservice` makes them"
                .to_owned(),
        );
    }
    let asks = |(at, ClusterSettings { source, rights, .. }): (usize, ClusterSettings)| {
        let is_asked = rights != WhoseRights::Server || (at == 0 && config.asks_home());
        is_asked && matches!(source, ClusterSource::Demo | ClusterSource::Snapshot(_))
    };
    if config.clusters().enumerate().any(asks) {
        return Err(
            "authentication.tokenReview, apiService, `rights` and `tools.rbac` ask an API server, which neither a snapshot nor \
             the demo has"
                .to_owned(),
        );
    }
    Ok(())
}

/// What is wrong with what a component has for itself in single clusters; else it has the rules of its entry there, too.
fn faults_in_clusters(
    own: &InClusters,
    of_entry: (&[PolicyRule], &[PolicyRule]),
    known: &[ClusterConfig],
) -> Vec<(Vec<Step>, String)> {
    let Some(own) = own else { return Vec::new() };
    let here = |what| (vec![Step::Key("clusters")], what);
    let mut faults: Vec<_> = clusters::faults_of_names(own.keys().map(String::as_str), known).into_iter().map(here).collect();
    for ToolInCluster { rules, cluster_rules, namespaces } in own.values() {
        let (rules, cluster_rules) = (rules.as_deref().unwrap_or(of_entry.0), cluster_rules.as_deref().unwrap_or(of_entry.1));
        faults.extend(faults_of_rules(rules, cluster_rules).into_iter().map(|(_, what)| here(what)));
        faults.extend(namespaces.iter().flatten().filter_map(|name| namespace(name).err()).map(here));
    }
    faults
}

fn faults_of_tool(tool: &ToolConfig) -> Vec<(Vec<Step>, String)> {
    let mut faults = Vec::new();
    match &tool.component {
        Source::File(file) => {
            if in_time(file, LOOK_TIME, |path| Ok(path.is_dir())).unwrap_or(false) {
                let what = format!(
                    "{} is a folder, and an entry is for one component: name its file here, or load the folder with --tools",
                    file.display()
                );
                faults.push((vec![Step::Key("component")], what));
            }
            if tool.signatures.is_some() {
                let what = "nobody has signed a file: `signatures` is for components of registries, and `digest` for files, too";
                faults.push((vec![Step::Key("signatures")], what.to_owned()));
            }
        }
        Source::Registry(Reference { version: Version::Digest(found), .. }) => {
            if let Some(wanted) = tool.digest.filter(|wanted| wanted != found) {
                let what = format!("{wanted} is another digest than that of the component");
                faults.push((vec![Step::Key("digest")], what));
            }
        }
        Source::Registry(_) | Source::Bundled(_) => {}
    }
    for (index, name) in tool.namespaces.iter().flatten().enumerate() {
        faults.extend(namespace(name).err().map(|what| (vec![Step::Key("namespaces"), Step::Entry(index)], what)));
    }
    faults.extend(faults_of_rules(&tool.rules, &tool.cluster_rules));
    faults
}

fn faults_of_rules(rules: &[PolicyRule], cluster_rules: &[PolicyRule]) -> Vec<(Vec<Step>, String)> {
    let mut faults = Vec::new();
    let rights = check_rights(rules.iter().chain(cluster_rules));
    for (key, rules) in [("rules", rules), ("clusterRules", cluster_rules)] {
        for (index, rule) in rules.iter().enumerate() {
            let what = rule.validate().err().map(|error| format!("this rule cannot be granted: {error}"));
            let what = what.or_else(|| (key == "clusterRules").then(|| misplaced(rule)).flatten());
            faults.extend(what.map(|what| (vec![Step::Key(key), Step::Entry(index)], what)));
        }
    }
    faults.extend(rights.err().map(|error| (Vec::new(), error.to_string())));
    faults
}

/// Refuses logs among the rules for cluster-scoped resources: they are in namespaces.
fn misplaced(rule: &PolicyRule) -> Option<String> {
    let logs = rule.resources.iter().find(|resource| resource.contains('/'))?;
    Some(format!("`{logs}` is in namespaces: put it under `rules`"))
}

/// Checks the name of a namespace.
pub fn namespace(name: &str) -> Result<String, String> {
    if is_label(name) {
        return Ok(name.to_owned());
    }
    Err(format!("{name:?} is no namespace: its name has lower-case letters, digits and `-`, and {LABEL_MAX} characters at most"))
}

/// Checks a name by which clients address the server, with or without a port.
pub fn host(name: &str) -> Result<String, String> {
    let uri = name.parse::<http::uri::Authority>();
    if uri.is_ok_and(|authority| !authority.host().is_empty() && !name.contains(['@', '*'])) {
        return Ok(name.to_owned());
    }
    Err(format!("{name:?} is no host: write a name such as sandbar.example.com, without a scheme and without wildcards"))
}

/// Checks an origin as a browser sends it: of a web page, or of a desktop app or an extension, with schemes of their own.
pub fn origin(text: &str) -> Result<String, String> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    };
    match text.split_once("://") {
        Some((scheme, authority)) if is_scheme(scheme) && host(authority).is_ok() => Ok(text.to_owned()),
        // As an address bar shows it, with a slash at the end.
        Some((scheme, rest))
            if is_scheme(scheme) && rest.split_once('/').is_some_and(|(authority, _)| host(authority).is_ok()) =>
        {
            let authority = rest.split('/').next().unwrap_or_default();
            Err(format!("{text:?} is no origin: it ends with the host or the port, as {scheme}://{authority} does"))
        }
        _ if text == "null" => Err("the origin `null` is that of every page without one, so it cannot be allowed".to_owned()),
        _ => Err(format!(
            "{text:?} is no origin: write scheme, host and port as a browser sends them, https://inspector.example.com or tauri://localhost \
             for example"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_no_scheme_and_origins_have() {
        for name in ["sandbar.example.com", "sandbar.example.com:8443", "localhost", "[::1]:80"] {
            assert!(host(name).is_ok(), "{name}");
        }
        for name in ["", "https://sandbar.example.com", "a/b", "*.example.com", "me@example.com", "a b", ":80"] {
            assert!(host(name).is_err(), "{name}");
        }
        for text in [
            "https://inspector.example.com",
            "http://localhost:6274",
            "http://tauri.localhost",
            "tauri://localhost",
            "app://obsidian.md",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "vscode-webview://1a2b3c",
            "x-y.z+1://a",
        ] {
            assert!(origin(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "*",
            "null",
            "inspector.example.com",
            "https://*.example.com",
            "http://",
            "://a",
            "1a://b",
            "a b://c",
            "file:///a",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
        for text in ["https://a.example/", "https://a.example/x/y"] {
            let words = origin(text).expect_err("an address");
            assert!(words.contains("as https://a.example does"), "{words}");
        }
    }
}
