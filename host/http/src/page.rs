//! The page on the port for Prometheus: who may see it, and what a browser is told of it.
//!
//! It tells more than metrics do, and a browser can be made to ask for it. So it answers only to names that nobody else can own, as MCP
//! does, and no other page may read it, frame it or have it as a resource. Who hears all of it is decided as for `/readyz?verbose`.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode, header, request};

use super::HttpResponse;
use super::allowlist::Allowlist;
use super::lease::{Lease, Outgoing};
use super::ready::Audience;
use super::rejection::{Rejection, typed};
use super::router::check_allowed;

/// A page for people.
pub struct WebPage {
    /// The names by which it may be asked for.
    pub allowed: Allowlist,
    /// What a browser may load and run for it, as a Content-Security-Policy.
    pub policy: &'static str,
    /// Writes it as it is now.
    pub write: Arc<dyn Fn(Audience) -> String + Send + Sync>,
}

impl WebPage {
    /// Who asks for it from there. Refuses a name of the port, or another web page, that may not have it.
    pub(super) fn audience(&self, head: &request::Parts, from: IpAddr) -> Result<Audience, Rejection> {
        check_allowed(&self.allowed, &head.uri, &head.headers)?;
        Ok(Audience::of(from, &head.uri, &head.headers))
    }
}

/// The page with all that a browser is told of it.
pub(super) fn response(html: String, policy: &'static str) -> HttpResponse {
    let mut response = typed(StatusCode::OK, "text/html; charset=utf-8", Outgoing::whole(html, Lease::default()));
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
