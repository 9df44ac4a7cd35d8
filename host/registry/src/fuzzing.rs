//! What `tests/fuzz` calls of this crate's inside. Not for anybody else.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::challenge::Challenge;
use super::image;
use super::manifest::{Compression, Document, Packed, chosen};

/// The component in a layer, of at most `most` bytes.
pub fn component(layer: &[u8], is_gzip: bool, most: u64) -> Option<Bytes> {
    let compression = if is_gzip { Compression::Gzip } else { Compression::None };
    image::component(&[(Bytes::copy_from_slice(layer), compression)], most).ok()
}

/// How many layers a manifest leads to, or 0 where it is an index that leads to one manifest.
pub fn layers(document: &[u8]) -> Result<usize, String> {
    let layers = match Document::parse(document) {
        Ok(Document::Manifest(manifest)) => manifest.packed().map(|packed| match packed {
            Packed::Bare(_) => 1,
            Packed::Image(layers) => layers.len(),
        }),
        Ok(Document::Index(entries)) => chosen(entries).map(|_| 0),
        Err(error) => Err(error),
    };
    layers.map_err(|error| error.to_string())
}

/// Where a challenge sends for a token.
pub fn realm(header: &[u8]) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_bytes(header).ok()?);
    match Challenge::read(&headers)? {
        Challenge::Bearer { realm, .. } => Some(realm),
        Challenge::Basic => None,
    }
}
