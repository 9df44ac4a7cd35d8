//! The server as an extension of the Kubernetes API: MCP at `/apis/GROUP/v1/servers/NAME`, where the API server hands on requests once it
//! knows who makes them, and that they may.
//!
//! To the API server each path there is a resource and a verb, by which its authorizers decide: a POST is `create` of `servers`, by name, a
//! GET `get`. The API server ends both after 60 s. A GET of all `servers` with `watch=true` is `watch`, which may stay open, so that is where
//! a session's stream is.

use bytes::Bytes;
use http::Uri;
use sandbar_policy::{API_VERSION, SERVERS};
use serde_json::{Value, json};

/// The server in the Kubernetes API.
pub struct Extension {
    group: String,
    server: String,
}

/// What a request path below `/apis` refers to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A document that says what there is, as JSON.
    Document(Bytes),
    /// This server.
    Server,
    /// All servers of the group, watched or not.
    Servers {
        /// Whether they are.
        watched: bool,
    },
}

impl Extension {
    /// A server of this name in this API group.
    pub fn new(group: String, server: String) -> Self {
        Self { group, server }
    }

    /// Where MCP is.
    pub fn path(&self) -> String {
        format!("/apis/{}/{API_VERSION}/{SERVERS}/{}", self.group, self.server)
    }

    /// What is there, if anything is. A path means one thing to us and to the API server, which has decided by it: no other spelling counts.
    pub(super) fn place(&self, uri: &Uri) -> Option<Place> {
        let path = uri.path().strip_prefix("/apis")?;
        let mut segments = path.split('/').skip(1);
        let place = match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (None, ..) => Place::Document(document(&self.groups())),
            (Some(group), ..) if group != self.group => return None,
            (_, None, ..) => Place::Document(document(&self.group("APIGroup"))),
            (_, Some(version), ..) if version != API_VERSION => return None,
            (.., None, _) => Place::Document(document(&self.resources())),
            (.., Some(SERVERS), None) => Place::Servers { watched: is_watched(uri) },
            (.., Some(SERVERS), Some(server)) if server == self.server => Place::Server,
            _ => return None,
        };
        // Some clients add a slash to the address of a server.
        let rest: Vec<&str> = segments.collect();
        (rest.is_empty() || (place == Place::Server && rest == [""])).then_some(place)
    }

    fn groups(&self) -> Value {
        let mut group = self.group("");
        if let Some(group) = group.as_object_mut() {
            group.retain(|key, _| !["kind", "apiVersion"].contains(&key.as_str()));
        }
        json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group] })
    }

    fn group(&self, kind: &str) -> Value {
        let version = json!({ "groupVersion": format!("{}/{API_VERSION}", self.group), "version": API_VERSION });
        json!({ "kind": kind, "apiVersion": "v1", "name": self.group, "versions": [version], "preferredVersion": version })
    }

    fn resources(&self) -> Value {
        let servers = json!({
            "name": SERVERS, "singularName": "server", "namespaced": false, "kind": "Server", "verbs": ["create", "get", "watch"],
        });
        json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": format!("{}/{API_VERSION}", self.group), "resources": [servers],
        })
    }
}

fn document(document: &Value) -> Bytes {
    document.to_string().into()
}

/// Whether a query asks to watch, and nothing else: of more the API server may read another verb, or a name, out of it.
fn is_watched(uri: &Uri) -> bool {
    uri.query() == Some("watch=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &'static str) -> Option<Place> {
        Extension::new("mcp.sandbar.dev".to_owned(), "sandbar".to_owned()).place(&Uri::from_static(path))
    }

    #[test]
    fn mcp_is_at_one_path_and_streams_at_another() {
        for path in ["/apis/mcp.sandbar.dev/v1/servers/sandbar", "/apis/mcp.sandbar.dev/v1/servers/sandbar/"] {
            assert_eq!(place(path), Some(Place::Server), "{path}");
        }
        assert_eq!(place("/apis/mcp.sandbar.dev/v1/servers"), Some(Place::Servers { watched: false }));
        assert_eq!(place("/apis/mcp.sandbar.dev/v1/servers?watch=true"), Some(Place::Servers { watched: true }));
        for query in ["watch=false&watch=true", "watch=true&fieldSelector=metadata.name%3Dother", "watch=1", ""] {
            let uri = format!("/apis/mcp.sandbar.dev/v1/servers?{query}").parse().expect("an address");
            let extension = Extension::new("mcp.sandbar.dev".to_owned(), "sandbar".to_owned());
            assert_eq!(extension.place(&uri), Some(Place::Servers { watched: false }), "{query}");
        }
        for path in [
            "/apis/mcp.sandbar.dev/v1/servers/other",
            "/apis/mcp.sandbar.dev/v1/servers/sandbar/status",
            "/apis/mcp.sandbar.dev/v1/servers/sandbar//",
            "/apis/mcp.sandbar.dev/v1/servers//sandbar",
            "/apis/mcp.sandbar.dev/v1/servers/",
            "/apis/mcp.sandbar.dev/v1/servers/%73andbar",
            "/apis/mcp.sandbar.dev/v1/namespaces/a/servers/sandbar",
            "/apis/mcp.sandbar.dev/v2/servers/sandbar",
            "/apis/mcp.sandbar.dev/v1/tools/sandbar",
            "/apis/mcp.sandbar.dev//v1/servers/sandbar",
            "/apis//mcp.sandbar.dev/v1/servers/sandbar",
            "/apis/coder.com/v1/servers/sandbar",
            "/apismcp.sandbar.dev/v1/servers/sandbar",
            "/api/v1",
            "/mcp",
            "/",
        ] {
            assert_eq!(place(path), None, "{path}");
        }
    }

    #[test]
    fn documents_say_what_there_is() {
        let of = |path| match place(path) {
            Some(Place::Document(document)) => serde_json::from_slice::<Value>(&document).expect("JSON"),
            other => panic!("{path}: {other:?}"),
        };
        let groups = of("/apis");
        assert_eq!((&groups["kind"], &groups["groups"][0]["name"]), (&json!("APIGroupList"), &json!("mcp.sandbar.dev")));
        assert_eq!(groups["groups"][0].get("kind"), None);
        let group = of("/apis/mcp.sandbar.dev");
        assert_eq!((&group["kind"], &group["preferredVersion"]["version"]), (&json!("APIGroup"), &json!("v1")));
        let resources = of("/apis/mcp.sandbar.dev/v1");
        assert_eq!(resources["groupVersion"], "mcp.sandbar.dev/v1");
        assert_eq!(resources["resources"][0]["name"], "servers");
    }
}
