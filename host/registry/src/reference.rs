//! `oci://HOST/NAME@sha256:…` and `oci://HOST/NAME:TAG`: where a component is, and which one it is.
//!
//! The grammar is that of the OCI distribution specification. What passes it can stand in a URL and in a message as it is.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::digest::Digest;

/// Bytes of a reference: a host's name has 253 at most, a name with its host 255 in common clients, and a tag 128.
const REFERENCE_BYTES: usize = 1024;

/// Bytes of a name, and of a host with its port.
const NAME_BYTES: usize = 255;

/// Bytes of a tag, by the specification.
const TAG_BYTES: usize = 128;

/// Where a component is, by digest or by tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Where it is.
    pub repository: Repository,
    /// Which one it is.
    pub version: Version,
}

/// A registry, and a name in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: String,
    name: String,
}

/// Which of a repository's contents is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// These bytes, and no others.
    Digest(Digest),
    /// Whatever has this tag when somebody asks.
    Tag(String),
}

/// A [`Reference`] by digest: the same contents whenever it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pinned {
    /// Where it is.
    pub repository: Repository,
    /// Of its manifest, or of an index of manifests.
    pub digest: Digest,
}

/// Why a text is no reference. It continues a sentence that begins with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoReference(&'static str);

impl Repository {
    /// `HOST` or `HOST:PORT`, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The name at that host.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Reference {
    /// The same by digest, if that is what it names.
    pub fn pinned(&self) -> Option<Pinned> {
        match self.version {
            Version::Digest(digest) => Some(Pinned { repository: self.repository.clone(), digest }),
            Version::Tag(_) => None,
        }
    }
}

impl FromStr for Reference {
    type Err = NoReference;

    fn from_str(text: &str) -> Result<Self, NoReference> {
        const EXAMPLE: &str = "is no reference to a component: write `oci://HOST/NAME@sha256:DIGEST`";
        let rest = text.strip_prefix("oci://").filter(|_| text.len() <= REFERENCE_BYTES).ok_or(NoReference(EXAMPLE))?;
        let (host, rest) = rest.split_once('/').ok_or(NoReference("has no name after its host"))?;
        let (name, version) = match rest.split_once('@') {
            Some((named, digest)) => {
                if named.contains(':') {
                    return Err(NoReference(
                        "has a tag and a digest: the digest alone says which component it is, so leave out the tag",
                    ));
                }
                let digest = digest.parse().map_err(|_| {
                    NoReference("has no digest of a kind that is known: write `@sha256:` and 64 hexadecimal digits in lower case")
                })?;
                (named, Version::Digest(digest))
            }
            None => match rest.rsplit_once(':') {
                Some((name, tag)) if is_tag(tag) => (name, Version::Tag(tag.to_owned())),
                Some(_) => return Err(NoReference("has a tag that is none: 128 letters, digits, `.`, `_` and `-` at most")),
                None => {
                    return Err(NoReference(
                        "has neither digest nor tag, and `latest` is not assumed: add `@sha256:DIGEST`, or `:TAG` where a signature is asked for",
                    ));
                }
            },
        };
        if !is_host(host) {
            return Err(NoReference(
                "names no host before its first `/`: `registry.example.com` or `registry.example.com:5000` for example",
            ));
        }
        if !is_name(name) {
            return Err(NoReference(
                "has a name that no registry takes: small letters and digits, joined by `.`, `_`, `__` or `-`, in parts with `/` in between",
            ));
        }
        let repository = Repository { host: host.to_ascii_lowercase(), name: name.to_owned() };
        Ok(Self { repository, version })
    }
}

fn is_tag(tag: &str) -> bool {
    let is_word = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_';
    tag.len() <= TAG_BYTES
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|letter| is_word(letter) || b".-".contains(&letter))
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES && name.split('/').all(is_part)
}

/// Letters and digits, in between one dot, one or two underscores, or dashes.
fn is_part(part: &str) -> bool {
    let is_word = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let (Some(first), Some(last)) = (part.bytes().next(), part.bytes().next_back()) else { return false };
    let joined = part.as_bytes().chunk_by(|left, right| is_word(*left) == is_word(*right));
    let mut joints = joined.filter(|run| !is_word(run[0]));
    is_word(first)
        && is_word(last)
        && joints.all(|joint| matches!(joint, b"." | b"_" | b"__") || joint.iter().all(|&letter| letter == b'-'))
}

/// A name or an IPv4 address, or an IPv6 address in brackets, and a port.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_port = |port: &str| port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_label = |label: &str| {
        let inside = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(is_label),
    };
    host.len() <= NAME_BYTES && is_name && port.is_none_or(is_port)
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.host, self.name)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Digest(digest) => write!(f, "{}@{digest}", self.repository),
            Version::Tag(tag) => write!(f, "{}:{tag}", self.repository),
        }
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

impl From<Pinned> for Reference {
    fn from(Pinned { repository, digest }: Pinned) -> Self {
        Self { repository, version: Version::Digest(digest) }
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Reference {
    fn schema_name() -> Cow<'static, str> {
        "Reference".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^oci://[^/]+/.+(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9_.-]*)$",
            "description": "A component in an OCI registry: `oci://HOST/NAME@sha256:DIGEST` or `oci://HOST/NAME:TAG`.",
        })
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|why| de::Error::custom(format_args!("`{}` {why}", sandbar_text::clean_line(&text, REFERENCE_BYTES))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_is_shown_as_it_was_written() {
        for text in [
            format!("oci://ghcr.io/team/restarts@sha256:{HEX}"),
            "oci://registry.example.com:5000/restarts:1.2.0".to_owned(),
            "oci://localhost/a:_x".to_owned(),
            "oci://127.0.0.1:5000/a-b__c/d.e_f/g---h:v1-rc.1".to_owned(),
            "oci://[::1]:5000/a:b".to_owned(),
            "oci://[::1]/a:b".to_owned(),
        ] {
            assert_eq!(text.parse::<Reference>().expect(&text).to_string(), text);
        }
        let written = format!("oci://GHCR.io/a@sha256:{HEX}").parse::<Reference>().expect("a reference");
        assert_eq!((written.repository.host(), written.repository.name()), ("ghcr.io", "a"), "hosts are the same in any case");
        assert_eq!(written.pinned().expect("a digest").digest.hex(), HEX);
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        let long = |letters: usize| "a".repeat(letters);
        for (text, said) in [
            ("ghcr.io/team/restarts:1".to_owned(), "write `oci://"),
            ("https://ghcr.io/a:1".to_owned(), "write `oci://"),
            (format!("oci://ghcr.io/a:{}", long(2000)), "write `oci://"),
            ("oci://ghcr.io".to_owned(), "no name"),
            ("oci://ghcr.io/team/restarts".to_owned(), "neither digest nor tag"),
            ("oci://localhost:5000/a".to_owned(), "neither digest nor tag"),
            (format!("oci://ghcr.io/a:1@sha256:{HEX}"), "leave out the tag"),
            (format!("oci://ghcr.io/a@sha256:{}", &HEX[1..]), "64 hexadecimal"),
            (format!("oci://ghcr.io/a@sha256:{}", HEX.to_uppercase()), "64 hexadecimal"),
            (format!("oci://ghcr.io/a@sha512:{HEX}{HEX}"), "64 hexadecimal"),
            (format!("oci://ghcr.io/a@@sha256:{HEX}"), "64 hexadecimal"),
            ("oci://ghcr.io/a:".to_owned(), "a tag that is none"),
            ("oci://ghcr.io/a:.x".to_owned(), "a tag that is none"),
            ("oci://ghcr.io/a:x/../y".to_owned(), "a tag that is none"),
            (format!("oci://ghcr.io/a:{}", long(129)), "a tag that is none"),
            ("oci:///a:1".to_owned(), "names no host"),
            ("oci://user:word@ghcr.io/a:1".to_owned(), "names no host"),
            ("oci://ghcr.io:0/a:1".to_owned(), "names no host"),
            ("oci://ghcr.io:+1/a:1".to_owned(), "names no host"),
            ("oci://a..b/a:1".to_owned(), "names no host"),
            ("oci://[::g]/a:1".to_owned(), "names no host"),
            ("oci://ghcr.io/A:1".to_owned(), "a name that no registry"),
            ("oci://ghcr.io//a:1".to_owned(), "a name that no registry"),
            ("oci://ghcr.io/../a:1".to_owned(), "a name that no registry"),
            ("oci://ghcr.io/a/./b:1".to_owned(), "a name that no registry"),
            ("oci://ghcr.io/a?x:1".to_owned(), "a name that no registry"),
            ("oci://ghcr.io/a%2f:1".to_owned(), "a name that no registry"),
            (format!("oci://ghcr.io/{}:1", long(256)), "a name that no registry"),
        ] {
            let why = text.parse::<Reference>().expect_err(&text).to_string();
            assert!(why.contains(said), "{text}: {why}");
        }
    }
}
