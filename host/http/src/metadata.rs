//! Where tokens for this server are to be had (RFC 9728), for clients that find it out by themselves. Only a server with an issuer says
//! so: clients drop a token that they were given, once they read of one.

use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use serde::Serialize;

use super::HttpResponse;
use super::lease::Lease;
use super::rejection::{Rejection, json};
use super::router::{MCP, PROBE_METHODS};

/// Below this a server has its metadata: here those of the host, and followed by the path of a resource, the resource's.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What clients are told.
pub struct ProtectedResource {
    /// Where clients reach MCP; without it, it is where they ask.
    outside: Option<Outside>,
    scheme: &'static str,
    issuers: Vec<String>,
    scopes: Vec<String>,
}

/// Where clients reach MCP, where something in front of the server makes it another place.
struct Outside {
    /// As it was configured.
    url: String,
    path: String,
    /// The URL of the metadata.
    metadata: String,
}

impl Outside {
    fn of(url: String) -> Self {
        let start = url.find("://").map_or(0, |scheme| scheme + 3);
        let (origin, path) = url.split_at(url[start..].find('/').map_or(url.len(), |slash| start + slash));
        // RFC 9728 has a path that is nothing but a slash left out.
        let metadata = format!("{origin}{WELL_KNOWN}{}", if path == "/" { "" } else { path });
        Self { path: path.to_owned(), metadata, url }
    }
}

/// A document of RFC 9728.
#[derive(Serialize)]
struct Document<'r> {
    resource: String,
    authorization_servers: &'r [String],
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scopes_supported: &'r [String],
    resource_name: &'static str,
}

impl ProtectedResource {
    /// Metadata that names these authorization servers and the scopes that clients should ask for. `url` is the public URL of MCP if a
    /// proxy in front changes it; forwarded headers are not trusted for that.
    pub fn new(issuers: Vec<String>, scopes: Vec<String>, url: Option<String>, speaks_tls: bool) -> Self {
        Self { outside: url.map(Outside::of), scheme: if speaks_tls { "https" } else { "http" }, issuers, scopes }
    }

    /// The answer to a request for the metadata; none where it is for something else.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Option<Result<HttpResponse, Rejection>> {
        let path = request.uri().path().strip_prefix(WELL_KNOWN)?;
        let own = self.outside.as_ref().map(|outside| outside.path.as_str());
        if !path.is_empty() && !MCP.contains(&path) && own != Some(path) {
            return None;
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return Some(Err(Rejection::of_method(PROBE_METHODS, "the metadata of this server are a GET")));
        }
        let document = Document {
            resource: self.resource(request.uri(), request.headers(), path),
            authorization_servers: &self.issuers,
            bearer_methods_supported: ["header"],
            scopes_supported: &self.scopes,
            resource_name: "Sandbar",
        };
        let document = serde_json::to_vec(&document).map_err(|_| Rejection::failed(None));
        Some(document.map(|document| json(StatusCode::OK, document, Lease::default())))
    }

    /// Adds to a challenge where the metadata are. The request's host has been checked.
    pub(super) fn complete(&self, mut rejection: Rejection, uri: &Uri, headers: &HeaderMap) -> Rejection {
        if let Some(challenge) = &mut rejection.challenge {
            let metadata = match &self.outside {
                Some(outside) => outside.metadata.clone(),
                None => format!("{}{WELL_KNOWN}{}", self.asked(uri, headers), uri.path()),
            };
            challenge.push(("resource_metadata", metadata));
            if !self.scopes.is_empty() {
                challenge.push(("scope", self.scopes.join(" ")));
            }
        }
        rejection
    }

    /// The URL of MCP, with the path as it was written.
    fn resource(&self, uri: &Uri, headers: &HeaderMap, path: &str) -> String {
        match &self.outside {
            Some(outside) => outside.url.clone(),
            None => format!("{}{}", self.asked(uri, headers), if path.is_empty() { MCP[0] } else { path }),
        }
    }

    /// Scheme and host of the URL that is asked.
    fn asked(&self, uri: &Uri, headers: &HeaderMap) -> String {
        let host = || headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = uri.authority().map(http::uri::Authority::as_str).or_else(host).unwrap_or_default();
        format!("{}://{host}", self.scheme)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use serde_json::{Value, json};

    use super::super::rejection::Challenge;
    use super::*;

    fn resource(url: Option<&str>) -> ProtectedResource {
        let url = url.map(str::to_owned);
        ProtectedResource::new(
            vec!["https://issuer.example/realm".to_owned()],
            vec!["openid".to_owned(), "email".to_owned()],
            url,
            true,
        )
    }

    async fn told(resource: &ProtectedResource, path: &str) -> Option<String> {
        let request = Request::get(path).header("host", "localhost:8090").header("x-forwarded-host", "evil.example").body(());
        let answer = resource.answer(&request.expect("a request"))?.unwrap_or_else(|_| panic!("refused"));
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        let document: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(document["authorization_servers"], json!(["https://issuer.example/realm"]));
        assert_eq!(document["scopes_supported"], json!(["openid", "email"]));
        Some(document["resource"].as_str().expect("a URL").to_owned())
    }

    #[tokio::test]
    async fn the_resource_is_the_url_that_is_asked() {
        for (path, url) in [
            ("/.well-known/oauth-protected-resource", Some("https://localhost:8090/mcp")),
            ("/.well-known/oauth-protected-resource/mcp", Some("https://localhost:8090/mcp")),
            ("/.well-known/oauth-protected-resource/mcp/", Some("https://localhost:8090/mcp/")),
            ("https://127.0.0.1/.well-known/oauth-protected-resource/mcp", Some("https://127.0.0.1/mcp")),
            ("/.well-known/oauth-protected-resource/", None),
            ("/.well-known/oauth-protected-resources", None),
            ("/.well-known/oauth-protected-resource/other", None),
            ("/mcp", None),
        ] {
            assert_eq!(told(&resource(None), path).await.as_deref(), url, "{path}");
        }
        for url in ["https://tools.example", "https://tools.example/"] {
            assert_eq!(told(&resource(Some(url)), WELL_KNOWN).await.as_deref(), Some(url), "as it was written");
        }
        let behind = resource(Some("https://tools.example/sandbar/mcp"));
        for path in ["", "/mcp", "/sandbar/mcp"] {
            let url = told(&behind, &format!("{WELL_KNOWN}{path}")).await;
            assert_eq!(url.as_deref(), Some("https://tools.example/sandbar/mcp"));
        }
    }

    #[test]
    fn a_challenge_names_the_metadata() {
        let headers = HeaderMap::from_iter([(header::HOST, "localhost".parse().expect("a value"))]);
        let complete = |resource: ProtectedResource, challenge: Challenge, path: &str| {
            let rejection = Rejection::unauthorized(challenge, "no");
            let answer = HttpResponse::from(resource.complete(rejection, &path.parse().expect("a path"), &headers));
            answer.headers()[header::WWW_AUTHENTICATE].to_str().expect("text").to_owned()
        };
        let scope = r#"scope="openid email""#;
        assert_eq!(
            complete(resource(None), Challenge::new(), "/mcp/"),
            format!(r#"Bearer resource_metadata="https://localhost/.well-known/oauth-protected-resource/mcp/", {scope}"#)
        );
        assert_eq!(
            complete(
                resource(Some("https://tools.example/sandbar/mcp")),
                vec![("error", "invalid_token".to_owned()), ("error_description", "\"k\\é\" is no key".to_owned())],
                "/mcp"
            ),
            format!(
                r#"Bearer error="invalid_token", error_description="k is no key", resource_metadata="https://tools.example/.well-known/oauth-protected-resource/sandbar/mcp", {scope}"#
            )
        );
        let silent = resource(None).complete(Rejection::failed(None), &"/mcp".parse().expect("a path"), &headers);
        assert_eq!(silent.challenge, None);
    }
}
