//! Pushing a component as a Wasm OCI artifact, for its author.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::LOCATION;
use http::{Method, StatusCode};
use serde::Serialize;

use super::conversation::{Access, Ask, Conversation, refusal, resolved, with_query};
use super::digest::Digest;
use super::error::Error;
use super::http::authority;
use super::manifest::{DOCUMENT_BYTES, Descriptor, MANIFEST, Manifest, WASM_CONFIG, WASM_LAYER};
use super::reference::{Pinned, Reference, Version};
use super::registries::{Registries, in_time};

/// The time of something that is the same whenever it is pushed.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// A component and what is said about it.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// The component.
    pub component: Bytes,
    /// The interfaces that it imports and exports, such as `sandbar:kubernetes/read@0.1.0`.
    pub imports: Vec<String>,
    /// See `imports`.
    pub exports: Vec<String>,
    /// What its manifest says about it, by keys such as `org.opencontainers.image.source`. The time of
    /// `org.opencontainers.image.created`, in RFC 3339, is the configuration's, too; without it, the same package has the same digest.
    pub annotations: BTreeMap<String, String>,
}

/// The configuration of a Wasm OCI artifact, as the CNCF's wasm working group has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'p> {
    created: &'p str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [Digest; 1],
    component: Component<'p>,
}

#[derive(Serialize)]
struct Component<'p> {
    exports: &'p [String],
    imports: &'p [String],
}

impl Registries {
    /// Pushes a component under a tag, or, where the reference has a digest, if that is its digest. The same package twice is the same digest.
    pub async fn push(&self, reference: &Reference, package: &Package) -> Result<Pinned, Error> {
        let (config, manifest) = documents(package)?;
        let digest = Digest::of(&manifest);
        let version = match &reference.version {
            Version::Tag(tag) => tag.clone(),
            Version::Digest(wanted) if *wanted == digest => digest.to_string(),
            Version::Digest(_) => return Err(Error::wrong(format!("this package has the digest {digest}")).about(reference)),
        };
        let pushed = async {
            let mut conversation = self.conversation(&reference.repository, Access::Push);
            for contents in [&package.component, &config] {
                upload(&mut conversation, contents).await?;
            }
            let uri = conversation.address(&format!("manifests/{version}"))?;
            let response = conversation.ask(Ask::new(Method::PUT, uri).carries(MANIFEST, manifest)).await?;
            match response.status() {
                StatusCode::CREATED | StatusCode::OK | StatusCode::ACCEPTED => {
                    Ok(Pinned { repository: reference.repository.clone(), digest })
                }
                _ => Err(refusal(response).await),
            }
        };
        in_time::<_, Error>(pushed).await.map_err(|error| error.about(reference))
    }
}

/// Configuration and manifest of a package.
fn documents(package: &Package) -> Result<(Bytes, Bytes), Error> {
    let Package { component, imports, exports, annotations } = package;
    let described = |media_type: &str, bytes: &[u8]| Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        artifact_type: None,
        platform: None,
        annotations: BTreeMap::new(),
    };
    let layer = described(WASM_LAYER, component);
    let created = annotations.get("org.opencontainers.image.created").map_or(NO_TIME, String::as_str);
    let config = Config {
        created,
        architecture: "wasm",
        os: "wasip2",
        layer_digests: [layer.digest],
        component: Component { exports, imports },
    };
    let written = |document: Result<Vec<u8>, serde_json::Error>| match document {
        Ok(document) if document.len() as u64 <= DOCUMENT_BYTES => Ok(Bytes::from(document)),
        _ => Err(Error::wrong("its annotations, imports and exports are larger than a manifest may be")),
    };
    let config = written(serde_json::to_vec(&config))?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        artifact_type: None,
        config: described(WASM_CONFIG, &config),
        layers: vec![layer],
        annotations: annotations.clone(),
    };
    Ok((config, written(serde_json::to_vec(&manifest))?))
}

/// Uploads contents that are not there yet, in one piece.
async fn upload(conversation: &mut Conversation<'_>, contents: &Bytes) -> Result<(), Error> {
    let digest = Digest::of(contents);
    let there = conversation.address(&format!("blobs/{digest}"))?;
    if conversation.has(there).await? {
        return Ok(());
    }
    let begins = conversation.address("blobs/uploads/")?;
    let response = conversation.ask(Ask::new(Method::POST, begins.clone())).await?;
    if response.status() != StatusCode::ACCEPTED {
        return Err(refusal(response).await);
    }
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.ok_or_else(|| Error::wrong("it takes an upload without saying where"))?;
    let uri = resolved(&begins, location)?;
    if begins.scheme() != uri.scheme() || authority(&begins)? != authority(&uri)? {
        return Err(Error::wrong("it wants the upload at another host, and nothing is sent there"));
    }
    let uri = with_query(&uri, &format!("digest={digest}"))?;
    let response = conversation.ask(Ask::new(Method::PUT, uri).carries("application/octet-stream", contents.clone())).await?;
    match response.status() {
        StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(()),
        _ => Err(refusal(response).await),
    }
}
