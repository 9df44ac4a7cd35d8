//! Who asks, as docker's configuration has it: `config.json` in a folder, or the `.dockerconfigjson` of a pull secret.
//!
//! Only what is written there is used. A helper that docker would run is a program that somebody else chose, and is not run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbar_files::READ_TIME;
use sandbar_text::clean_line;
use serde::Deserialize;

use super::error::{Error, Kind};
use super::reference::Repository;

/// Bytes of such a file. A Secret has 1 MiB at most.
const FILE_BYTES: u64 = 1024 * 1024;

/// Bytes of a host in a message.
const HOST_BYTES: usize = 200;

/// The host by which docker's configuration knows Docker Hub.
const HUB: &str = "index.docker.io";

/// A file with credentials for registries.
#[derive(Clone, Debug, Default)]
pub struct DockerConfig {
    entries: Vec<Entry>,
    /// The helper for all hosts, and those for some.
    helper: Option<String>,
    helpers: BTreeMap<String, String>,
}

/// Credentials for a host, and for the names below a path.
#[derive(Clone, Debug)]
struct Entry {
    host: String,
    path: String,
    login: Login,
}

/// What proves who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// A name and a password.
    Password { user: String, password: String },
    /// What a token server gives tokens for.
    Identity(String),
    /// A token for the registry itself.
    Token(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a login")
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(rename = "credsStore")]
    helper: Option<String>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl DockerConfig {
    /// Reads the file at a path: docker's `config.json`, a folder with one, or the `.dockerconfigjson` of a pull secret.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = sandbar_files::in_time(path, READ_TIME, |path| match path.is_dir() {
            true => sandbar_files::read(&path.join("config.json"), FILE_BYTES),
            false => sandbar_files::read_any(path, FILE_BYTES).map(|(text, _)| text),
        });
        let text = text.map_err(|error| Error::new(Kind::Local, format!("{}: {error}", path.display())))?;
        Self::parse(&text).map_err(|error| error.about(path.display()))
    }

    /// Takes the text of such a file.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        // The error of the parser could quote what is in the file.
        let File { auths, helper, helpers } = serde_json::from_slice(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Error::new(Kind::Local, format!("it is no docker configuration, a JSON object with `auths`: {place}"))
        })?;
        let mut entries = Vec::new();
        for (server, auth) in auths {
            let (host, path) = place(&server);
            if let Some(login) = login(auth)
                .map_err(|words| Error::new(Kind::Local, format!("`auths` for {} {words}", clean_line(&host, HOST_BYTES))))?
            {
                entries.push(Entry { host, path, login });
            }
        }
        // The longest path first, since it says the most.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.path.len()));
        let helpers = helpers.into_iter().map(|(server, helper)| (place(&server).0, helper)).collect();
        Ok(Self { entries, helper: helper.filter(|helper| !helper.is_empty()), helpers })
    }

    /// The credentials for a repository.
    pub(crate) fn login(&self, repository: &Repository) -> Option<&Login> {
        let host = known_as(repository.host());
        let found = self.entries.iter().find(|entry| is_meant(&entry.host, host) && is_below(repository.name(), &entry.path));
        found.map(|entry| &entry.login)
    }

    /// The helper that docker would ask for a host.
    pub(crate) fn helper(&self, host: &str) -> Option<&str> {
        self.helpers.get(known_as(host)).or(self.helper.as_ref()).map(String::as_str)
    }
}

fn login(auth: Auth) -> Result<Option<Login>, &'static str> {
    let Auth { auth, username, password, identitytoken, registrytoken } = auth;
    if !registrytoken.is_empty() {
        return Ok(Some(Login::Token(registrytoken)));
    }
    if !identitytoken.is_empty() {
        return Ok(Some(Login::Identity(identitytoken)));
    }
    if auth.is_empty() {
        return Ok((!username.is_empty()).then_some(Login::Password { user: username, password }));
    }
    let decoded = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or("has an `auth` that is no base64 text")?;
    let (user, password) = decoded.split_once(':').ok_or("has an `auth` without a colon between name and password")?;
    Ok(Some(Login::Password { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() }))
}

/// Host and path of a key in `auths`, which may be a host or an address.
fn place(server: &str) -> (String, String) {
    let bare = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    // The paths of the registries' own interfaces are no names.
    let path = match path.trim_end_matches('/') {
        "v1" | "v2" => "",
        path => path,
    };
    (known_as(&host.to_ascii_lowercase()).to_owned(), path.to_owned())
}

/// The one name for the three hosts that Docker Hub has.
fn known_as(host: &str) -> &str {
    match host {
        "docker.io" | "registry-1.docker.io" => HUB,
        host => host,
    }
}

/// Whether a host is one that a key stands for: `*` is any one part of a name, as the kubelet takes it.
fn is_meant(key: &str, host: &str) -> bool {
    let (keys, hosts) = (key.split('.'), host.split('.'));
    keys.clone().count() == hosts.clone().count() && keys.zip(hosts).all(|(key, part)| key == "*" || key == part)
}

fn is_below(name: &str, path: &str) -> bool {
    path.is_empty() || name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reference;

    fn login(config: &DockerConfig, reference: &str) -> Option<String> {
        let reference: Reference = reference.parse().expect("a reference");
        config.login(&reference.repository).map(|login| match login {
            Login::Password { user, password } => format!("{user}:{password}"),
            Login::Identity(token) | Login::Token(token) => token.clone(),
        })
    }

    #[test]
    fn credentials_are_those_of_the_host_and_the_longest_path() {
        let auth = |text: &str| STANDARD.encode(text);
        let text = serde_json::json!({ "auths": {
            "https://index.docker.io/v1/": { "auth": auth("hub:a:b") },
            "ghcr.io": { "username": "all", "password": "p" },
            "ghcr.io/team": { "auth": auth("team:p") },
            "https://Registry.example:5000/v2/": { "identitytoken": "renews" },
            "quay.io": { "registrytoken": "direct" },
            "empty.example": {},
            "*.corp.example": { "username": "any", "password": "p" },
        }, "credsStore": "", "credHelpers": { "gcr.io": "gcloud" } });
        let config = DockerConfig::parse(text.to_string().as_bytes()).expect("a configuration");
        for (reference, found) in [
            ("oci://docker.io/team/a:1", Some("hub:a:b")),
            ("oci://registry-1.docker.io/team/a:1", Some("hub:a:b")),
            ("oci://ghcr.io/team/a:1", Some("team:p")),
            ("oci://ghcr.io/team:1", Some("team:p")),
            ("oci://ghcr.io/teams/a:1", Some("all:p")),
            ("oci://registry.example:5000/a:1", Some("renews")),
            ("oci://registry.example/a:1", None),
            ("oci://quay.io/a:1", Some("direct")),
            ("oci://empty.example/a:1", None),
            ("oci://x.ghcr.io/a:1", None),
            ("oci://eu.corp.example/a:1", Some("any:p")),
            ("oci://corp.example/a:1", None),
            ("oci://a.eu.corp.example/a:1", None),
            ("oci://eu.corp.example.evil.example/a:1", None),
        ] {
            assert_eq!(login(&config, reference).as_deref(), found, "{reference}");
        }
        assert_eq!((config.helper("gcr.io"), config.helper("ghcr.io")), (Some("gcloud"), None));
    }

    #[test]
    fn what_is_no_configuration_is_refused_and_not_quoted() {
        for (text, said) in [
            ("", "no docker configuration"),
            ("[1]", "no docker configuration"),
            (r#"{"auths": {"a": {"auth": 5}}}"#, "line 1, column"),
            (r#"{"auths": {"a": {"auth": "%s3cret"}}}"#, "no base64"),
            (r#"{"auths": {"a": {"auth": "czNjcmV0"}}}"#, "without a colon"),
        ] {
            let words = DockerConfig::parse(text.as_bytes()).expect_err(text).to_string();
            assert!(words.contains(said) && !words.contains("s3cret") && !words.contains("czNj"), "{text}: {words}");
        }
        let config = DockerConfig::parse(br#"{"auths": {"a": {"auth": "dTpzM2NyZXQ="}}}"#).expect("a configuration");
        assert!(!format!("{config:?}").contains("s3cret"), "no log has a password");
    }

    #[test]
    fn a_configuration_is_a_file_a_folder_or_what_is_mounted_of_a_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = r#"{"auths": {"ghcr.io": {"username": "ann", "password": "p"}}}"#;
        for name in ["config.json", ".dockerconfigjson"] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        for path in [folder.path().to_owned(), folder.path().join("config.json"), folder.path().join(".dockerconfigjson")] {
            let config = DockerConfig::read(&path).expect("a configuration");
            assert_eq!(login(&config, "oci://ghcr.io/a:1").as_deref(), Some("ann:p"));
        }
        let error = DockerConfig::read(&folder.path().join("none")).expect_err("no file").to_string();
        assert!(error.contains("/none: "), "{error}");
    }
}
