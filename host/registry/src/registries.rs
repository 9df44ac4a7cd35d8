//! Pulling: from a tag to a digest once, and from there on by digests alone.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use sandbar_text::size;
use tokio::task::spawn_blocking;

use super::conversation::{Access, Ask, Conversation};
use super::digest::Digest;
use super::error::{Error, Kind};
use super::http::Http;
use super::image;
use super::manifest::{ACCEPTED, DOCUMENT_BYTES, Descriptor, Document, Manifest, Packed, chosen};
use super::reference::{Pinned, Reference, Version};
use super::settings::Settings;
use super::signature::{Met, Policy, Signatures};

/// How long all of a pull or a push may take: 64 MiB at some 220 KB a second.
const WHOLE_TIME: Duration = Duration::from_secs(300);

/// The registries that components come from, with what an operator has decided about them.
#[derive(Debug)]
pub struct Registries {
    pub(crate) settings: Settings,
    pub(crate) http: Http,
    /// For what the cache has.
    silent: Http,
}

/// A component as it was pulled.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// What was pulled.
    pub pinned: Pinned,
    /// The component.
    pub component: Bytes,
    /// What its manifest says about it. Somebody else's words, of 256 KiB at most.
    pub annotations: BTreeMap<String, String>,
}

/// A part of what a digest names: a document, or contents.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Document,
    Contents,
}

/// No registries: offline and without a cache.
impl Default for Registries {
    fn default() -> Self {
        Self { settings: Settings::default(), http: Http::silent(), silent: Http::silent() }
    }
}

impl Registries {
    /// Reads the certificates in the settings. Nobody is asked yet.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let http = if settings.online { Http::new(&settings.hosts, &settings.proxies)? } else { Http::silent() };
        Ok(Self { settings, http, silent: Http::silent() })
    }

    /// Which contents a reference means now. One with a digest says it itself, and nobody is asked.
    pub async fn resolve(&self, reference: &Reference) -> Result<Pinned, Error> {
        let tag = match &reference.version {
            Version::Digest(digest) => return Ok(Pinned { repository: reference.repository.clone(), digest: *digest }),
            Version::Tag(tag) => tag,
        };
        let resolved = async {
            let mut conversation = self.conversation(&reference.repository, Access::Pull);
            let uri = conversation.address(&format!("manifests/{tag}"))?;
            // The document itself, since a header could say anything.
            let found = conversation.get(Ask::new(Method::GET, uri).accepts(ACCEPTED), DOCUMENT_BYTES).await?;
            let (document, digest) = found.ok_or_else(|| Error::new(Kind::Absent, "it has no such tag"))?;
            Document::parse(&document)?;
            self.keep(&digest, document).await;
            Ok(Pinned { repository: reference.repository.clone(), digest })
        };
        in_time::<_, Error>(resolved).await.map_err(|error| error.about(reference))
    }

    /// Asks the registry, whatever the cache has, whether it is there and has what a reference means.
    pub async fn ask(&self, reference: &Reference) -> Result<(), Error> {
        let asked = async {
            let mut conversation = self.conversation(&reference.repository, Access::Pull);
            let uri = match &reference.version {
                Version::Digest(digest) => conversation.address(&format!("manifests/{digest}"))?,
                Version::Tag(tag) => conversation.address(&format!("manifests/{tag}"))?,
            };
            // Its head alone, which counts against no limit of pulls.
            match conversation.get(Ask::new(Method::HEAD, uri).accepts(ACCEPTED), DOCUMENT_BYTES).await? {
                Some(_) => Ok(()),
                None => Err(Error::new(Kind::Absent, "the registry has nothing there")),
            }
        };
        in_time::<_, Error>(asked).await.map_err(|error| error.about(reference))
    }

    /// Pulls a component. What the cache has is not asked for, so where that is all of it, no registry is needed.
    pub async fn pull(&self, pinned: &Pinned) -> Result<Artifact, Error> {
        self.pull_from(&self.http, pinned).await
    }

    /// Takes a component that was pulled from the cache. No registry is asked.
    pub async fn kept(&self, pinned: &Pinned) -> Result<Artifact, Error> {
        self.pull_from(&self.silent, pinned).await
    }

    /// Whether signatures that were found are enough. Takes some 100 µs for each.
    pub fn admits(&self, policy: &Policy, digest: &Digest, signatures: &Signatures) -> bool {
        self.met_by(policy, digest, signatures).is_some()
    }

    /// By whose signatures a policy is met, if it is.
    pub fn met_by(&self, policy: &Policy, digest: &Digest, signatures: &Signatures) -> Option<Met> {
        policy.check(digest, signatures, self.settings.trust_root.as_deref()).ok()
    }

    /// Whether the cache has all parts of a component, in the sizes that its manifest says.
    pub(crate) async fn is_whole(&self, pinned: &Pinned) -> bool {
        let Some(cache) = &self.settings.cache else { return false };
        let mut conversation = Conversation::new(&self.silent, &[], &pinned.repository, Access::Pull);
        let layers = match self.manifest(&mut conversation, &pinned.digest).await.and_then(|manifest| manifest.packed()) {
            Ok(Packed::Bare(layer)) => vec![layer],
            Ok(Packed::Image(layers)) => layers.into_iter().map(|(layer, _)| layer).collect(),
            Err(_) => return false,
        };
        for layer in layers {
            if cache.size(&layer.digest).await != Some(layer.size) {
                return false;
            }
        }
        true
    }

    async fn pull_from(&self, http: &Http, pinned: &Pinned) -> Result<Artifact, Error> {
        let pulled = async {
            let mut conversation = Conversation::new(http, &self.settings.credentials, &pinned.repository, Access::Pull);
            let manifest = self.manifest(&mut conversation, &pinned.digest).await?;
            let annotations = manifest.annotations.clone();
            let component = self.unpacked(&mut conversation, manifest.packed()?).await?;
            Ok(Artifact { pinned: pinned.clone(), component, annotations })
        };
        in_time::<_, Error>(pulled).await.map_err(|error| error.about(pinned))
    }

    /// The manifest with a digest, or the one that the index with it leads to.
    async fn manifest(&self, conversation: &mut Conversation<'_>, digest: &Digest) -> Result<Box<Manifest>, Error> {
        let document = self.document(conversation, digest).await?;
        let entry = match Document::parse(&document)? {
            Document::Manifest(manifest) => return Ok(manifest),
            Document::Index(entries) => chosen(entries)?,
        };
        let document = self.document(conversation, &entry.digest).await?;
        match Document::parse(&document)? {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(_) => Err(Error::wrong("it is an index that leads to another index")),
        }
    }

    async fn unpacked(&self, conversation: &mut Conversation<'_>, packed: Packed) -> Result<Bytes, Error> {
        let most = self.settings.component_bytes;
        let layers = match packed {
            Packed::Bare(layer) => return self.layer(conversation, &layer, most).await,
            Packed::Image(layers) => layers,
        };
        // All of its layers together have room for one component.
        let mut left = most;
        let mut arrived = Vec::new();
        for (layer, compression) in layers {
            let bytes = self.layer(conversation, &layer, left).await?;
            left = left.saturating_sub(layer.size);
            arrived.push((bytes, compression));
        }
        let component = spawn_blocking(move || image::component(&arrived, most)).await;
        component.map_err(|_panicked| Error::new(Kind::Local, "its layers could not be unpacked"))?
    }

    async fn layer(&self, conversation: &mut Conversation<'_>, layer: &Descriptor, most: u64) -> Result<Bytes, Error> {
        if layer.size > most {
            return Err(Error::wrong(format!("its layer has {}, and a component may have {}", size(layer.size), size(most))));
        }
        let bytes = self.part(conversation, Part::Contents, &layer.digest, layer.size).await?;
        match bytes.len() as u64 == layer.size {
            true => Ok(bytes),
            false => Err(Error::wrong(format!(
                "its layer has {}, and its manifest says {}",
                size(bytes.len() as u64),
                size(layer.size)
            ))),
        }
    }

    /// A manifest or an index by its digest.
    pub(crate) async fn document(&self, conversation: &mut Conversation<'_>, digest: &Digest) -> Result<Bytes, Error> {
        self.part(conversation, Part::Document, digest, DOCUMENT_BYTES).await
    }

    /// What has a digest, of at most `most` bytes: from the cache, else from the registry.
    pub(crate) async fn part(
        &self,
        conversation: &mut Conversation<'_>,
        part: Part,
        digest: &Digest,
        most: u64,
    ) -> Result<Bytes, Error> {
        if let Some(cache) = &self.settings.cache
            && let Some(kept) = cache.contents(digest, most).await
        {
            return Ok(kept);
        }
        let ask = match part {
            Part::Document => Ask::new(Method::GET, conversation.address(&format!("manifests/{digest}"))?).accepts(ACCEPTED),
            Part::Contents => Ask::new(Method::GET, conversation.address(&format!("blobs/{digest}"))?),
        };
        let what = match part {
            Part::Document => "its manifest",
            Part::Contents => "its layer",
        };
        let found = conversation.get(ask, most).await.map_err(|error| error.about(format_args!("{what} {digest}")))?;
        let (bytes, arrived) = found.ok_or_else(|| Error::new(Kind::Absent, format!("the registry has no {digest}")))?;
        if arrived != *digest {
            return Err(Error::wrong(format!("{what} is not the one with the digest {digest}: what arrived has {arrived}")));
        }
        self.keep(digest, bytes.clone()).await;
        Ok(bytes)
    }

    pub(crate) async fn keep(&self, digest: &Digest, contents: Bytes) {
        if let Some(cache) = &self.settings.cache {
            cache.keep(digest, contents).await;
        }
    }

    pub(crate) fn conversation<'r>(&'r self, repository: &'r super::Repository, access: Access) -> Conversation<'r> {
        Conversation::new(&self.http, &self.settings.credentials, repository, access)
    }
}

/// Gives up what takes too long as a whole, such as an answer of a byte a second.
pub(crate) async fn in_time<T, E: From<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    tokio::time::timeout(WHOLE_TIME, work).await.unwrap_or_else(|_elapsed| {
        let words = format!("the registry has not sent everything within {} s", WHOLE_TIME.as_secs());
        Err(Error::new(Kind::Unreachable, words).into())
    })
}
