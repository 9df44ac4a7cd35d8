//! The objects that make a server a part of the Kubernetes API.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{APIService, APIServiceSpec, ServiceReference};
use sandbar_config::ApiServiceConfig;
use sandbar_policy::{API_VERSION, SERVERS};
use sandbar_tls::Issued;
use serde::Serialize;
use serde_json::{Value, json};

use crate::labels;

/// Where the group stands among all others in discovery: behind Kubernetes' own, as extensions do.
const GROUP_PRIORITY: i32 = 1_000;
const VERSION_PRIORITY: i32 = 15;

/// What they are about.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// What the server is called in the API.
    pub api: ApiServiceConfig,
    /// The Service that leads to it, the namespace of that, and its port.
    pub service: String,
    pub namespace: String,
    pub port: u16,
    /// The Secret with its certificate.
    pub secret: String,
}

/// Why the API server trusts the server.
#[derive(Debug)]
pub(crate) enum Trust {
    /// By a certificate that is there.
    Own(Issued),
    /// By one for these names that cert-manager makes.
    CertManager {
        /// The names.
        names: Vec<String>,
    },
}

/// An object to apply.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Object {
    Secret(Secret),
    APIService(APIService),
    ClusterRole(ClusterRole),
    /// One of cert-manager's.
    Other(Value),
}

/// All that it takes beside the server itself, whose rights `sandbar rbac` prints.
pub(crate) fn objects(parts: &Parts, trust: Trust) -> Vec<Object> {
    match trust {
        Trust::Own(issued) => {
            let ca = ByteString(issued.authority.clone().into_bytes());
            vec![secret(parts, issued), api_service(parts, Some(ca), None), callers(parts)]
        }
        Trust::CertManager { names } => {
            let injected = format!("{}/{}", parts.namespace, parts.secret);
            cert_manager(parts, &names).into_iter().chain([api_service(parts, None, Some(injected)), callers(parts)]).collect()
        }
    }
}

fn secret(parts: &Parts, Issued { certificate, key, .. }: Issued) -> Object {
    let data = [("tls.crt", certificate), ("tls.key", key)];
    Object::Secret(Secret {
        metadata: named(&parts.secret, Some(&parts.namespace)),
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(data.into_iter().map(|(name, text)| (name.to_owned(), ByteString(text.into_bytes()))).collect()),
        ..Secret::default()
    })
}

fn api_service(parts: &Parts, ca_bundle: Option<ByteString>, injected: Option<String>) -> Object {
    let Parts { api: ApiServiceConfig { group, .. }, service, namespace, port, .. } = parts;
    let annotations = injected.map(|from| BTreeMap::from([("cert-manager.io/inject-ca-from".to_owned(), from)]));
    Object::APIService(APIService {
        metadata: ObjectMeta { annotations, ..named(&format!("{API_VERSION}.{group}"), None) },
        spec: Some(APIServiceSpec {
            ca_bundle,
            group: Some(group.clone()),
            group_priority_minimum: GROUP_PRIORITY,
            insecure_skip_tls_verify: None,
            service: Some(ServiceReference {
                name: Some(service.clone()),
                namespace: Some(namespace.clone()),
                port: Some(i32::from(*port)),
            }),
            version: Some(API_VERSION.to_owned()),
            version_priority: VERSION_PRIORITY,
        }),
        status: None,
    })
}

/// What callers need: `create` to call, `watch` for the stream of a session.
fn callers(parts: &Parts) -> Object {
    let ApiServiceConfig { group, server } = &parts.api;
    let rule = |verbs: &[&str], name: Option<&String>| PolicyRule {
        api_groups: Some(vec![group.clone()]),
        resources: Some(vec![SERVERS.to_owned()]),
        resource_names: name.map(|name| vec![name.clone()]),
        verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
        non_resource_urls: None,
    };
    // By name only what has a name in its path.
    let rules = vec![rule(&["create", "get"], Some(server)), rule(&["watch"], None)];
    Object::ClusterRole(ClusterRole {
        metadata: named(&format!("{group}:{server}:caller"), None),
        rules: Some(rules),
        aggregation_rule: None,
    })
}

/// An authority that lasts, and the server's certificate, which is renewed by it.
fn cert_manager(parts: &Parts, names: &[String]) -> Vec<Object> {
    let Parts { secret, namespace, .. } = parts;
    let authority = format!("{secret}-ca");
    let object = |kind: &str, name: &str, spec: Value| {
        let metadata = named(name, Some(namespace));
        Object::Other(json!({ "apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": metadata, "spec": spec }))
    };
    let key = json!({ "algorithm": "ECDSA", "rotationPolicy": "Always" });
    vec![
        object("Issuer", &format!("{secret}-root"), json!({ "selfSigned": {} })),
        object(
            "Certificate",
            &authority,
            json!({
                "isCA": true, "commonName": authority, "secretName": authority, "duration": "87600h", "privateKey": key,
                "issuerRef": { "kind": "Issuer", "name": format!("{secret}-root") },
            }),
        ),
        object("Issuer", secret, json!({ "ca": { "secretName": authority } })),
        object(
            "Certificate",
            secret,
            json!({
                "secretName": secret, "dnsNames": names, "privateKey": key, "usages": ["server auth", "digital signature"],
                "issuerRef": { "kind": "Issuer", "name": secret },
            }),
        ),
    ]
}

fn named(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        labels: Some(labels::common()),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn written(trust: Trust) -> Vec<Value> {
        let (service, namespace) = ("mcp".to_owned(), "tools".to_owned());
        let parts = Parts { api: ApiServiceConfig::default(), service, namespace, port: 8443, secret: "mcp-tls".to_owned() };
        objects(&parts, trust).iter().map(|object| serde_json::to_value(object).expect("JSON")).collect()
    }

    #[test]
    fn what_is_printed_belongs_together() {
        let issued = Issued::new(vec!["mcp.tools.svc".to_owned()], Duration::from_secs(3600)).expect("a pair");
        let authority = issued.authority.clone();
        let [secret, api_service, role] = &written(Trust::Own(issued))[..] else { panic!("three") };
        assert_eq!((&secret["kind"], &secret["type"]), (&json!("Secret"), &json!("kubernetes.io/tls")));
        assert_eq!(api_service["metadata"]["name"], "v1.mcp.sandbar.dev");
        assert_eq!(api_service["spec"]["service"], json!({ "name": "mcp", "namespace": "tools", "port": 8443 }));
        assert_eq!(api_service["spec"]["caBundle"], json!(ByteString(authority.into_bytes())));
        assert_eq!(role["rules"][0]["resourceNames"], json!(["sandbar"]));
        assert_eq!(role["rules"][1]["verbs"], json!(["watch"]));
    }

    #[test]
    fn cert_manager_writes_what_is_not_printed() {
        let objects = written(Trust::CertManager { names: vec!["mcp.tools.svc".to_owned()] });
        let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().expect("a kind")).collect();
        assert_eq!(kinds, ["Issuer", "Certificate", "Issuer", "Certificate", "APIService", "ClusterRole"]);
        assert_eq!(objects[4]["metadata"]["annotations"]["cert-manager.io/inject-ca-from"], "tools/mcp-tls");
        assert_eq!(objects[4]["spec"].get("caBundle"), None);
        assert_eq!(objects[3]["spec"]["dnsNames"], json!(["mcp.tools.svc"]));
    }
}
