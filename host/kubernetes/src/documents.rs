//! Documents of servers that are no API server, such as the keys of an issuer: got by the same client, so through the same proxies and by
//! the same rules for certificates.

use std::error::Error as StdError;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use rustls::CertificateError;
use tower::{Service as _, ServiceExt as _};

use super::client::{Between, connect};
use super::explain::{causes, explain};
use super::fault::Fault;
use super::proxy::{Proxy, Variables};
use super::target::{ServerAddress, Trust};

/// Gets a JSON document from an `https://` address, over a connection of its own and without following it elsewhere. `authorities` are whose
/// certificates count, as PEM; without them, those of this machine. The document has at most `most` bytes. Bounding the time is the
/// caller's.
pub async fn document(address: &str, authorities: Option<Arc<[u8]>>, most: usize) -> Result<Bytes, Fault> {
    let fault = |words: &str| Fault::new(format!("{address} {words}"));
    let uri: Uri = address.parse().map_err(|_| fault("is no URL"))?;
    if uri.scheme_str() != Some("https") {
        return Err(fault("is no https:// address, and what comes from it would be anybody's word"));
    }
    let server = ServerAddress::parse(address).map_err(|words| fault(&words))?;
    let proxy = Proxy::towards(&uri, None, &Variables::read()).map_err(|error| Fault::new(error.to_string()))?;
    let trust = authorities.map_or(Trust::System, |pem| Trust::Authorities(pem, "certificateAuthority"));
    let mut http = connect(&Between { server, trust, server_name: None, proxy, identity: None }, "nobody")?;
    let request = Request::get(uri).header(header::ACCEPT, "application/json");
    let request = request.header(header::USER_AGENT, concat!("sandbar/", env!("CARGO_PKG_VERSION"))).body(Body::empty());
    let request = request.map_err(|_| fault("is no URL"))?;
    let answering = async { http.ready().await?.call(request).await };
    let response = answering.await.map_err(|error| fault(&format!("cannot be reached: {}", why(&error))))?;
    let status = response.status();
    if status != StatusCode::OK {
        let also = if status.is_redirection() { ", which is not followed: name the address itself" } else { "" };
        return Err(fault(&format!("answers {status}{also}")));
    }
    let body = Limited::new(response.into_body(), most).collect().await;
    let body = body.map_err(|_| fault(&format!("breaks off, or has more than {} KiB", most / 1024)))?;
    Ok(body.to_bytes())
}

/// What went wrong, with where to set whom is trusted there.
fn why(error: &(dyn StdError + 'static)) -> String {
    let is_unknown = causes(error).any(|cause| {
        matches!(cause.downcast_ref::<rustls::Error>(), Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)))
    });
    if is_unknown {
        "its certificate is signed by nobody who is trusted for it (`certificateAuthority`)".to_owned()
    } else {
        explain(error)
    }
}
