//! Registries as sandbar.yaml has them, for a server and for the commands that have to do with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use sandbar_catalog::{COMPONENT_BYTES, Integrity, Source};
use sandbar_config::{Config, RegistriesConfig, RegistryHostConfig};
use sandbar_registry::{Artifact, Cache, DockerConfig, Proxies, Reference, Registries, Settings, Trust, TrustRoot};
use sandbar_sandbox::Folder;

use super::{Common, output};

/// Bytes of components from registries that are kept. With what they are compiled to, they fit the volume in deploy/.
const KEPT_BYTES: u64 = 256 * 1024 * 1024;

/// Bytes of a file with certificates or keys. That of Sigstore's public instance has some 7 KB.
const FILE_BYTES: u64 = 1024 * 1024;

/// Who asks registries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// Nobody: what is for asking may be where somebody does.
    Nobody,
    /// A server, or what stands for one: it has all files that the configuration names.
    Server,
    /// A command, on another machine than the server's perhaps: docker's own credentials take the place of those that are not here.
    Command,
}

impl Asker {
    /// A server asks where its configuration says so.
    pub(super) fn server(config: &RegistriesConfig) -> Self {
        if config.pull { Self::Server } else { Self::Nobody }
    }

    /// The files with credentials.
    fn credentials(self, configured: Option<&[PathBuf]>) -> Vec<PathBuf> {
        let dockers = || dockers_own().into_iter().filter(|file| file.is_file());
        match (self, configured) {
            (Self::Nobody, _) => Vec::new(),
            (_, None) => dockers().collect(),
            (Self::Server, Some(files)) => files.to_vec(),
            (Self::Command, Some(files)) => {
                let (here, elsewhere): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|file| file.exists());
                for file in &elsewhere {
                    let words = "registries.credentials: it is not on this machine, so docker's own credentials are taken";
                    output::say(&format!("sandbar: {}: {words}", file.display()));
                }
                let dockers = dockers().filter(|_| !elsewhere.is_empty());
                here.into_iter().chain(dockers).collect()
            }
        }
    }
}

impl Common {
    /// The registries for a command that is all about them.
    pub(super) fn registries(&self, config: &Config) -> anyhow::Result<Registries> {
        registries(&config.registries, self.compiler().as_ref().map(|compiler| &*compiler.folder), Asker::Command)
    }
}

/// The registries, with a cache in the folder of compiled components.
pub(super) fn registries(config: &RegistriesConfig, folder: Option<&Folder>, asker: Asker) -> anyhow::Result<Registries> {
    let RegistriesConfig { pull: _, credentials, hosts, trust_root } = config;
    let credentials = asker.credentials(credentials.as_deref());
    let credentials =
        credentials.iter().map(|file| DockerConfig::read(file)).collect::<Result<_, _>>().context("registries.credentials")?;
    let online = asker != Asker::Nobody;
    let hosts = hosts.iter().filter(|_| online);
    let trust = |(host, trust): (&String, &RegistryHostConfig)| {
        let trust = match &trust.certificate_authority_file {
            Some(file) => Trust::Authorities(read(file).context("registries.hosts")?),
            None => Trust::Insecure,
        };
        Ok((host.clone(), trust))
    };
    let root = |file: &PathBuf| {
        let words = |words| anyhow!("registries.trustRoot: {}: {words}", file.display());
        TrustRoot::parse(&read(file).context("registries.trustRoot")?).map(Arc::new).map_err(words)
    };
    let settings = Settings {
        hosts: hosts.map(trust).collect::<anyhow::Result<_>>()?,
        credentials,
        proxies: Proxies::of_environment(),
        component_bytes: COMPONENT_BYTES,
        cache: folder.map(|folder| Cache::new(folder.pulled(), KEPT_BYTES)),
        trust_root: trust_root.as_ref().map(root).transpose()?,
        online,
    };
    Ok(Registries::new(settings)?)
}

/// Where docker keeps credentials.
fn dockers_own() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = set("DOCKER_CONFIG").or_else(|| set("HOME").map(|home| home.join(".docker")))?;
    Some(folder.join("config.json"))
}

fn read(file: &Path) -> anyhow::Result<Arc<[u8]>> {
    let read = sandbar_files::in_time(file, sandbar_files::READ_TIME, |file| sandbar_files::read_any(file, FILE_BYTES));
    let (bytes, _) = read.with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(bytes.into())
}

/// A component on the command line: `oci://…`, or else a file.
pub(super) fn component(text: &str) -> Result<Source, String> {
    match text.starts_with("oci://") {
        true => reference(text).map(Source::Registry),
        false => Ok(Source::File(text.into())),
    }
}

/// A reference on the command line.
pub(super) fn reference(text: &str) -> Result<Reference, String> {
    text.parse().map_err(|why| format!("it {why}"))
}

/// What an entry of sandbar.yaml means, pulled where the cache has not got it, and signed as it has to be.
pub(super) async fn pulled(registries: &Registries, reference: &Reference, integrity: &Integrity) -> anyhow::Result<Artifact> {
    let exact = integrity.exact(reference).with_context(|| reference.to_string())?;
    Ok(registries.load(&exact, integrity.signatures.as_deref()).await?.0)
}
