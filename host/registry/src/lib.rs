//! Components in OCI registries: pulled by digest, pushed, kept in a folder, and checked against who signed them.
//!
//! The client is our own, on hyper. That of oci-client reads manifests and the answers of token servers whole, whatever their size, sends
//! credentials to any token server that a registry names, over http too, and leaves redirects to reqwest. Here every answer is bounded in
//! bytes and in time, and `conversation` says who gets credentials and where a redirect may lead.
//!
//! [`Registries::load`] does all of it in the right order: a [`Reference`] becomes a [`Pinned`] one, who has signed that is held against a
//! [`Policy`], and then it is pulled. Where a [`Cache`] has the contents and the signatures, no registry is asked. What does not answer is
//! not asked again here: when to try again is for whoever loads.
//!
//! Everything that is pulled was asked for by its SHA-256, and is hashed while it arrives. A tag becomes a digest once, and nothing that is
//! loaded is asked for by tag after that.

mod cache;
mod challenge;
mod conversation;
mod credentials;
mod digest;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http;
mod image;
mod json;
mod load;
mod manifest;
mod proxy;
mod push;
mod reference;
mod registries;
mod settings;
mod signature;

pub use cache::Cache;
pub use credentials::DockerConfig;
pub use digest::{Digest, NoDigest};
pub use error::{Error, Kind};
pub use load::NotLoaded;
pub use proxy::Proxies;
pub use push::Package;
pub use reference::{NoReference, Pinned, Reference, Repository, Version};
pub use registries::{Artifact, Registries};
pub use settings::{Settings, Trust};
pub use signature::{Met, Policy, PublicKey, Rule, Segment, Signatures, Signer, Subject, TrustRoot, Unmet, UrlPrefix};
