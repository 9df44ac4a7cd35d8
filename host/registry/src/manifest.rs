//! Manifests and indexes of OCI, read as far as it takes to find one component.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::error::Error;
use super::json;

/// Bytes of a manifest, an index or a configuration. Real ones have some KiB; the specification would allow 4 MiB.
pub(crate) const DOCUMENT_BYTES: u64 = 256 * 1024;

/// Layers of an image that holds one file, and entries of an index that are looked at.
const LAYERS: usize = 16;
const ENTRIES: usize = 256;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const WASM_LAYER: &str = "application/wasm";
const IMAGE_CONFIGS: [&str; 2] = ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// What a registry is asked for where there may be a manifest or an index.
pub(crate) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// Contents, as others point at them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Platform {
    pub(crate) architecture: String,
    pub(crate) os: String,
}

/// A manifest or an index. Which of the two it is, the document says itself, since nothing else is covered by its digest.
pub(crate) enum Document {
    Manifest(Box<Manifest>),
    Index(Vec<Descriptor>),
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// What a component is packed in.
pub(crate) enum Packed {
    /// One layer, which is the component.
    Bare(Descriptor),
    /// Layers of an image, with the component as a file.
    Image(Vec<(Descriptor, Compression)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
}

impl Document {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Either {
            schema_version: u8,
            media_type: Option<String>,
            artifact_type: Option<String>,
            config: Option<Descriptor>,
            layers: Option<Vec<Descriptor>>,
            manifests: Option<Vec<Descriptor>>,
            #[serde(default)]
            annotations: Option<BTreeMap<String, String>>,
        }
        let either: Either =
            json::parse(text).map_err(|_| Error::wrong("it is no manifest and no index of OCI, by digests with SHA-256"))?;
        let Either { schema_version: 2, media_type, artifact_type, config, layers, manifests, annotations } = either else {
            return Err(Error::wrong(format!(
                "it is a manifest of schema version {}, and only 2 is known",
                either.schema_version
            )));
        };
        // A document that is both would be read one way here and the other way elsewhere.
        match (config, layers, manifests) {
            (Some(config), Some(layers), None) => Ok(Self::Manifest(Box::new(Manifest {
                schema_version: 2,
                media_type,
                artifact_type,
                config,
                layers,
                annotations: annotations.unwrap_or_default(),
            }))),
            (None, None, Some(manifests)) => Ok(Self::Index(manifests)),
            _ => Err(Error::wrong("it is neither a manifest, with `config` and `layers`, nor an index, with `manifests`")),
        }
    }
}

/// The one entry of an index with a component in it: one for wasm, or one for no platform, or the only one that there is.
pub(crate) fn chosen(entries: Vec<Descriptor>) -> Result<Descriptor, Error> {
    if entries.len() > ENTRIES {
        return Err(Error::wrong(format!("it is an index with more than {ENTRIES} entries")));
    }
    let all = entries.len();
    // Builders put what they attest of a manifest beside it.
    let is_attestation = |entry: &Descriptor| {
        entry.artifact_type.is_some()
            || entry.annotations.get("vnd.docker.reference.type").is_some_and(|is| is == "attestation-manifest")
    };
    let manifests: Vec<Descriptor> = entries.into_iter().filter(|entry| !is_attestation(entry)).collect();
    let rank = |entry: &Descriptor| match &entry.platform {
        Some(platform) if platform.architecture.starts_with("wasm") || platform.os.starts_with("wasi") => 0,
        None => 1,
        Some(_) => 2,
    };
    let best = manifests.iter().map(rank).min();
    let mut best = manifests.into_iter().filter(|entry| Some(rank(entry)) == best);
    match (best.next(), best.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Error::wrong(format!("it is an index without a manifest among its {all} entries"))),
        _ => Err(Error::wrong(format!(
            "it is an index in which several of {all} entries could be the component: name one by its digest, or have one for wasm"
        ))),
    }
}

impl Manifest {
    /// What its component is packed in.
    pub(crate) fn packed(self) -> Result<Packed, Error> {
        let kind = self.config.media_type.as_str();
        if kind == WASM_CONFIG {
            return match <[Descriptor; 1]>::try_from(self.layers) {
                Ok([layer]) if layer.media_type == WASM_LAYER => Ok(Packed::Bare(layer)),
                Ok(_) => Err(Error::wrong(format!("its layer is not of the type {WASM_LAYER}, as that of a component is"))),
                Err(layers) => Err(Error::wrong(format!("it has {} layers, and a component has one", layers.len()))),
            };
        }
        if !IMAGE_CONFIGS.contains(&kind) {
            return Err(Error::wrong(format!(
                "it is neither a Wasm OCI artifact (a configuration of type {WASM_CONFIG}) nor an image, but of type {:?}",
                sandbar_text::clean_line(kind, 100)
            )));
        }
        if self.layers.is_empty() || self.layers.len() > LAYERS {
            return Err(Error::wrong(format!(
                "it is an image of {} layers: one with a component alone, `FROM scratch`, has 1 to {LAYERS}",
                self.layers.len()
            )));
        }
        let layers = self.layers.into_iter().map(|layer| {
            let compression = match layer.media_type.as_str() {
                "application/vnd.oci.image.layer.v1.tar" => Compression::None,
                "application/vnd.oci.image.layer.v1.tar+gzip" | "application/vnd.docker.image.rootfs.diff.tar.gzip" => {
                    Compression::Gzip
                }
                other => {
                    let other = sandbar_text::clean_line(other, 100);
                    return Err(Error::wrong(format!(
                        "it is an image with a layer of type {other:?}: only tar and tar with gzip are read"
                    )));
                }
            };
            Ok((layer, compression))
        });
        Ok(Packed::Image(layers.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn descriptor(kind: &str, more: Value) -> Value {
        let mut descriptor = json!({ "mediaType": kind, "digest": Digest::of(kind.as_bytes()), "size": 7 });
        let object = descriptor.as_object_mut().expect("an object");
        object.extend(more.as_object().expect("an object").clone());
        descriptor
    }

    fn choose(entries: &[Value]) -> Result<String, String> {
        let index = json!({ "schemaVersion": 2, "manifests": entries }).to_string();
        match Document::parse(index.as_bytes()) {
            Ok(Document::Index(entries)) => chosen(entries).map(|entry| entry.media_type).map_err(|error| error.to_string()),
            Ok(Document::Manifest(_)) => panic!("a manifest"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn the_entry_of_an_index_is_the_one_that_can_be_meant() {
        let on = |kind: &str, os: &str, arch: &str| descriptor(kind, json!({ "platform": { "os": os, "architecture": arch } }));
        let bare = descriptor("bare", json!({}));
        let attested = descriptor(
            "attestation",
            json!({ "platform": { "os": "unknown", "architecture": "unknown" }, "annotations": { "vnd.docker.reference.type": "attestation-manifest" } }),
        );
        let signature = descriptor("signature", json!({ "artifactType": "application/x" }));
        let (amd, arm) = (on("amd", "linux", "amd64"), on("arm", "linux", "arm64"));
        let wasm = on("wasm", "wasip2", "wasm");
        assert_eq!(choose(&[amd.clone(), bare.clone(), wasm.clone()]).as_deref(), Ok("wasm"));
        assert_eq!(choose(&[amd.clone(), bare.clone()]).as_deref(), Ok("bare"));
        assert_eq!(choose(&[amd.clone(), attested.clone(), signature.clone()]).as_deref(), Ok("amd"));
        assert!(choose(&[amd, arm]).is_err_and(|words| words.contains("several of 2 entries")));
        assert!(choose(&[wasm.clone(), wasm]).is_err());
        assert!(choose(&[attested, signature]).is_err_and(|words| words.contains("without a manifest")));
        assert!(choose(&[]).is_err());
        assert!(choose(&vec![bare; 300]).is_err_and(|words| words.contains("more than 256")));
    }

    fn packed(manifest: &Value) -> Result<Packed, String> {
        match Document::parse(manifest.to_string().as_bytes()) {
            Ok(Document::Manifest(manifest)) => manifest.packed().map_err(|error| error.to_string()),
            Ok(Document::Index(_)) => Err("an index".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_is_no_component_is_refused_with_the_reason() {
        let manifest = |config: &str, layers: &[&str]| {
            let layers: Vec<Value> = layers.iter().map(|kind| descriptor(kind, json!({}))).collect();
            json!({ "schemaVersion": 2, "config": descriptor(config, json!({})), "layers": layers })
        };
        let image = IMAGE_CONFIGS[0];
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
        assert!(matches!(packed(&manifest(WASM_CONFIG, &[WASM_LAYER])), Ok(Packed::Bare(_))));
        assert!(matches!(packed(&manifest(image, &[tar, tar])), Ok(Packed::Image(layers)) if layers.len() == 2));
        let both = {
            let mut both = manifest(WASM_CONFIG, &[WASM_LAYER]);
            both["manifests"] = json!([]);
            both
        };
        let old = {
            let mut old = manifest(WASM_CONFIG, &[WASM_LAYER]);
            old["schemaVersion"] = json!(1);
            old
        };
        let weak = {
            let mut weak = manifest(WASM_CONFIG, &[WASM_LAYER]);
            weak["layers"][0]["digest"] = json!("sha1:00");
            weak
        };
        for (manifest, said) in [
            (manifest(WASM_CONFIG, &[]), "0 layers"),
            (manifest(WASM_CONFIG, &[WASM_LAYER, WASM_LAYER]), "2 layers"),
            (manifest(WASM_CONFIG, &[tar]), "not of the type application/wasm"),
            (manifest("application/vnd.cncf.helm.config.v1+json", &[tar]), "helm"),
            (manifest(image, &[]), "0 layers"),
            (manifest(image, &[tar; 17]), "17 layers"),
            (manifest(image, &["application/vnd.oci.image.layer.v1.tar+zstd"]), "zstd"),
            (both, "neither a manifest"),
            (old, "schema version 1"),
            (weak, "SHA-256"),
            (json!({}), "no manifest"),
            (json!({ "schemaVersion": 2 }), "neither a manifest"),
        ] {
            let words = packed(&manifest).err().expect(said);
            assert!(words.contains(said), "{manifest}: {words}");
        }
        assert!(Document::parse(br#"{"schemaVersion":2,"schemaVersion":2,"manifests":[]}"#).is_err(), "a key that stands twice");
    }
}
