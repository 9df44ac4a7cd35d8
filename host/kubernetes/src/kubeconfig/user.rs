//! A user of a kubeconfig: how it says who it is.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::utf8_percent_encode;
use serde_json::{Map, Value, json};

use super::File;
use super::entry::Entry;
use crate::fault::Fault;
use crate::impersonation::HEADER_KEY;
use crate::target::{ClientCertificate, Interactive, Method, Plugin, Secret, SecretBytes, User, Way};
use crate::watched::Watched;

/// The versions of the protocol that kubectl still speaks with credential plugins.
const API_VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// The extension of a cluster whose content a plugin is handed.
const EXTENSION: &str = "client.authentication.k8s.io/exec";

/// Reads a user, with the files that it names. Over plain HTTP there are no credentials, as for kubectl, but for tokens and passwords that do not leave this machine.
pub(super) fn read(entry: &Entry<'_>, name: &str, file: &File, way: Way, watched: &mut Watched) -> Result<User, Fault> {
    let certificate = identity(entry, file, watched)?;
    let method = method(entry, file, certificate.is_some())?;
    let impersonate = impersonate(entry)?;
    let called = format!("user {name:?} of {}", file.path.display());
    let user = User { called, certificate: None, method: Method::None, impersonate };
    let is_static = matches!(method, Method::Token(_) | Method::TokenFile(..) | Method::Basic { .. });
    if way == Way::Encrypted || way == Way::Local && is_static {
        return Ok(User { certificate, method, ..user });
    }
    Ok(user)
}

/// The client certificate and its key.
fn identity(entry: &Entry<'_>, file: &File, watched: &mut Watched) -> Result<Option<ClientCertificate>, Fault> {
    let mut part = |key: &'static str| -> Result<Option<Arc<[u8]>>, Fault> {
        match (entry.text(key)?, entry.bytes(&format!("{key}-data"))?) {
            (Some(_), Some(_)) => Err(entry.both(key)),
            (None, data) => Ok(data.map(Into::into)),
            (Some(path), None) => {
                let path = file.resolve(path);
                let read = watched
                    .read(&path)
                    .map_err(|fault| Fault::new(format!("`{key}` of {}, {}: {fault}", entry.what(), path.display())))?;
                Ok(Some(read.into()))
            }
        }
    };
    let Some(certificate) = part("client-certificate")? else { return Ok(None) };
    let Some(key) = part("client-key")? else {
        return Err(Fault::new(format!("{} has a client certificate and no `client-key` or `client-key-data`", entry.what())));
    };
    Ok(Some(ClientCertificate { certificate, key: SecretBytes(key) }))
}

/// What counts beside the certificate, in client-go's order.
fn method(entry: &Entry<'_>, file: &File, has_certificate: bool) -> Result<Method, Fault> {
    let token = token(entry, "token", entry.what())?;
    let token_file = entry.text("tokenFile")?.map(|path| file.resolve(path));
    let (user, password) = (entry.text("username")?, entry.text("password")?);
    let provider = entry.entry("auth-provider")?;
    let plugin = entry.entry("exec")?;
    if provider.is_some() && plugin.is_some() {
        return Err(Fault::new(format!("{} has both `auth-provider` and `exec`: remove one of them", entry.what())));
    }
    let has_basic = user.is_some() || password.is_some();
    if has_basic && (token.is_some() || token_file.is_some()) {
        return Err(Fault::new(format!("{} has both a token and a password: remove one of them", entry.what())));
    }
    // Checked even where something else counts: kubectl refuses it.
    let plugin = plugin.map(|plugin| read_plugin(&plugin, entry.what(), file)).transpose()?;
    match (token, token_file, plugin) {
        // The file counts where it can be read, and the text until then.
        (token, Some(path), _) => Ok(Method::TokenFile(path, token)),
        (Some(token), None, _) => Ok(Method::Token(token)),
        _ if has_basic => {
            Ok(Method::Basic { user: user.unwrap_or_default().to_owned(), password: Secret::new(password.unwrap_or_default()) })
        }
        (None, None, Some(plugin)) if !has_certificate => Ok(Method::Plugin(Arc::new(plugin))),
        _ => match provider {
            Some(provider) => of_provider(&provider, entry.what()),
            None => Ok(Method::None),
        },
    }
}

fn token(entry: &Entry<'_>, key: &str, user: &str) -> Result<Option<Secret>, Fault> {
    let Some(text) = entry.text(key)? else { return Ok(None) };
    Secret::token(text).map_err(|fault| Fault::new(format!("`{key}` of {user} {fault}")))
}

/// The way of before credential plugins. kubectl still knows `oidc`; it is the one that renews the token, in the kubeconfig.
fn of_provider(provider: &Entry<'_>, user: &str) -> Result<Method, Fault> {
    let name = provider.text("name")?.unwrap_or_default();
    let config = provider.entry("config")?;
    let token = config.as_ref().map(|config| token(config, "id-token", user)).transpose()?.flatten();
    match (name, token) {
        ("oidc", Some(token)) => Ok(Method::Token(token)),
        ("oidc", None) => Err(Fault::new(format!(
            "`auth-provider` of {user} has no `id-token`: log in with the program that wrote it, or use an `exec` plugin such as kubelogin"
        ))),
        ("gcp", _) => Err(Fault::new(format!(
            "`auth-provider: gcp` of {user} is gone since Kubernetes 1.26: install gke-gcloud-auth-plugin, and run `gcloud container clusters get-credentials` again"
        ))),
        ("azure", _) => Err(Fault::new(format!(
            "`auth-provider: azure` of {user} is gone since Kubernetes 1.26: install kubelogin, and run `kubelogin convert-kubeconfig`"
        ))),
        _ => Err(Fault::new(format!("`auth-provider` of {user} is none that Kubernetes knows: use an `exec` plugin"))),
    }
}

fn read_plugin(entry: &Entry<'_>, user: &str, file: &File) -> Result<Plugin, Fault> {
    let Some(command) = entry.text("command")? else {
        return Err(Fault::new(format!("`exec` of {user} names no `command`")));
    };
    let api_version = entry.text("apiVersion")?.unwrap_or_default();
    if !API_VERSIONS.contains(&api_version) {
        return Err(Fault::new(format!(
            "`exec.apiVersion` of {user} should be {} or {}; have the program that wrote it write it again, in its present version",
            API_VERSIONS[0], API_VERSIONS[1]
        )));
    }
    let interactive = match entry.text("interactiveMode")? {
        Some("Never") => Interactive::Never,
        None | Some("IfAvailable") => Interactive::IfAvailable,
        Some("Always") => Interactive::Always,
        Some(_) => return Err(Fault::new(format!("`exec.interactiveMode` of {user} should be Never, IfAvailable or Always"))),
    };
    let mut environment = Vec::new();
    for variable in entry.entries("env")? {
        let Some(name) = variable.text("name")? else {
            return Err(Fault::new(format!("`exec.env` of {user} has a variable without a name")));
        };
        if name.contains(['=', '\0']) {
            return Err(Fault::new(format!("`exec.env` of {user} has a variable whose name is none")));
        }
        environment.push((name.to_owned(), Secret::new(variable.text("value")?.unwrap_or_default())));
    }
    let arguments: Vec<Secret> = entry.texts("args")?.into_iter().map(Secret::new).collect();
    let with_nul = |secret: &Secret| secret.expose().contains('\0');
    if command.contains('\0') || arguments.iter().any(with_nul) || environment.iter().any(|(_, value)| with_nul(value)) {
        return Err(Fault::new(format!("`exec` of {user} has a NUL character")));
    }
    Ok(Plugin {
        command: if command.contains('/') { file.resolve(command).display().to_string() } else { command.to_owned() },
        arguments,
        environment,
        api_version: api_version.to_owned(),
        install_hint: entry.text("installHint")?.map(str::to_owned),
        interactive,
        wants_cluster: entry.flag("provideClusterInfo")?,
    })
}

/// The headers that say on whose behalf to answer.
fn impersonate(entry: &Entry<'_>) -> Result<Vec<(String, String)>, Fault> {
    let (name, uid, groups) = (entry.text("as")?, entry.text("as-uid")?, entry.texts("as-groups")?);
    let extra = entry.entry("as-user-extra")?;
    let Some(name) = name else {
        if uid.is_some() || !groups.is_empty() || extra.is_some_and(|extra| extra.fields().next().is_some()) {
            return Err(Fault::new(format!("{} has `as-uid`, `as-groups` or `as-user-extra` without `as`", entry.what())));
        }
        return Ok(Vec::new());
    };
    let mut headers = vec![("impersonate-user".to_owned(), name.to_owned())];
    headers.extend(uid.map(|uid| ("impersonate-uid".to_owned(), uid.to_owned())));
    headers.extend(groups.into_iter().map(|group| ("impersonate-group".to_owned(), group)));
    if let Some(extra) = extra {
        for (key, _) in extra.fields() {
            let header = format!("impersonate-extra-{}", utf8_percent_encode(key, HEADER_KEY)).to_ascii_lowercase();
            headers.extend(extra.texts(key)?.into_iter().map(|value| (header.clone(), value)));
        }
    }
    Ok(headers)
}

/// What a plugin with `provideClusterInfo` is told of the cluster.
pub(super) fn cluster_info(cluster: &Entry<'_>, authorities: Option<&[u8]>) -> Result<Value, Fault> {
    let mut info = Map::new();
    info.insert("server".to_owned(), json!(cluster.text("server")?.unwrap_or_default()));
    for key in ["tls-server-name", "proxy-url"] {
        if let Some(text) = cluster.text(key)? {
            info.insert(key.to_owned(), json!(text));
        }
    }
    for key in ["insecure-skip-tls-verify", "disable-compression"] {
        if cluster.flag(key)? {
            info.insert(key.to_owned(), json!(true));
        }
    }
    if let Some(pem) = authorities {
        info.insert("certificate-authority-data".to_owned(), json!(STANDARD.encode(pem)));
    }
    // What other programs keep there may be of any form.
    let extensions = cluster.value("extensions").and_then(Value::as_array).into_iter().flatten();
    let config = extensions.filter(|item| super::name(item) == Some(EXTENSION)).find_map(|item| item.get("extension"));
    info.insert("config".to_owned(), config.cloned().unwrap_or(Value::Null));
    Ok(info.into())
}
