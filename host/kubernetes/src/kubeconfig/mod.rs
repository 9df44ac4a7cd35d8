//! Kubeconfigs, read as kubectl reads them.
//!
//! kube's own loader refuses whole files for what client-go passes over, and repeats a parser's words with the lines around a fault, in
//! which tokens stand. Here a file becomes a tree, and of it only the context, the cluster and the user that are asked for are looked at.
//! The rules are those of client-go 0.37, `tools/clientcmd`.

mod document;
mod entry;
mod user;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandbar_files::Stamp;
use serde_json::Value;

pub(super) use self::document::parse;
pub(super) use self::entry::Entry;
use super::fault::Fault;
use super::proxy::{Proxy, Variables};
use super::target::{ServerAddress, Target, Trust};
use super::watched::{TEXT_MAX, Watched};

/// One file of a kubeconfig.
#[derive(Clone, Debug)]
struct File {
    path: PathBuf,
    content: Arc<Value>,
    /// None: a pipe, or another thing that can be read once.
    stamp: Option<Stamp>,
}

/// A kubeconfig: the files that are there of those that were named, the first to name something first.
#[derive(Clone, Debug)]
pub(super) struct Kubeconfig {
    files: Vec<File>,
    /// Those of the named files that are not there yet.
    missing: Vec<PathBuf>,
}

/// A file that cannot be used.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) path: PathBuf,
    pub(super) fault: Fault,
}

impl Kubeconfig {
    /// Reads all of these files that there are. `before` are the same files at an earlier time: what cannot be read twice is taken from
    /// there.
    pub(super) fn read(paths: &[PathBuf], before: Option<&Self>) -> Result<Self, Unusable> {
        let (mut files, mut missing) = (Vec::new(), Vec::new());
        for path in paths {
            let known = before.and_then(|before| before.files.iter().find(|file| file.path == *path));
            if let Some(once) = known.filter(|file| file.stamp.is_none()) {
                files.push(once.clone());
                continue;
            }
            let unusable = |fault| Unusable { path: path.clone(), fault };
            let (bytes, stamp) = match sandbar_files::read_any(path, TEXT_MAX as u64) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    missing.push(path.clone());
                    continue;
                }
                Err(error) => return Err(unusable(Fault::of_file(&error))),
            };
            let content = document::parse(&bytes).map_err(unusable)?;
            check_kind(&content).map_err(unusable)?;
            files.push(File { path: path.clone(), content: Arc::new(content), stamp });
        }
        Ok(Self { files, missing })
    }

    /// Whether there is none at all.
    pub(super) fn is_missing(&self) -> bool {
        self.files.is_empty()
    }

    /// The context that counts where none is asked for: the first that a file names.
    pub(super) fn current_context(&self) -> Result<Option<&str>, Unusable> {
        for file in &self.files {
            let at_fault = |fault| Unusable { path: file.path.clone(), fault };
            let root = Entry::new(Some(&file.content), "the file").map_err(at_fault)?;
            if let Some(name) = root.text("current-context").map_err(at_fault)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The names of all contexts.
    pub(super) fn contexts(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.files.iter().flat_map(|file| items(&file.content, "contexts")).filter_map(name).collect();
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(*name));
        names
    }

    /// Where a context leads. Reads the files that its cluster and user name.
    pub(super) fn target(&self, context: &str, variables: &Variables) -> Result<Target, Unusable> {
        let Some((file, value)) = self.find("contexts", context)? else {
            // The caller has looked.
            return Err(self.unusable(Fault::new(format!("it has no context {context:?}"))));
        };
        let entry = Entry::new(value.get("context"), format!("context {context:?}")).map_err(|fault| file.unusable(fault))?;
        let text = |key| entry.text(key).map_err(|fault| file.unusable(fault));
        let Some(cluster) = text("cluster")? else {
            return Err(file.unusable(Fault::new(format!("context {context:?} names no cluster"))));
        };
        let mut target = self.cluster(cluster, context, variables)?;
        if let Some(user) = text("user")? {
            self.add_user(&mut target, user)?;
        }
        Ok(target)
    }

    /// An entry of a list by its name, and the file that it stands in: the first that has one of this name.
    fn find(&self, list: &str, wanted: &str) -> Result<Option<(&File, &Value)>, Unusable> {
        for file in &self.files {
            let mut found = items(&file.content, list).filter(|item| name(item) == Some(wanted));
            match (found.next(), found.next()) {
                (None, _) => {}
                (Some(item), None) => return Ok(Some((file, item))),
                (Some(_), Some(_)) => {
                    return Err(
                        file.unusable(Fault::new(format!("`{list}` has two entries with the name {wanted:?}: remove one")))
                    );
                }
            }
        }
        Ok(None)
    }

    fn cluster(&self, name: &str, context: &str, variables: &Variables) -> Result<Target, Unusable> {
        let Some((file, value)) = self.find("clusters", name)? else {
            return Err(self.unusable(Fault::new(format!("context {context:?} names the cluster {name:?}, which is not there"))));
        };
        self.cluster_of(file, value, name, context, variables).map_err(|fault| file.unusable(fault))
    }

    fn cluster_of(&self, file: &File, value: &Value, name: &str, context: &str, variables: &Variables) -> Result<Target, Fault> {
        let entry = Entry::new(value.get("cluster"), format!("cluster {name:?}"))?;
        let Some(server) = entry.text("server")? else {
            return Err(Fault::new(format!("cluster {name:?} has no `server`")));
        };
        let server = ServerAddress::parse(server).map_err(|why| Fault::new(format!("`server` of cluster {name:?} {why}")))?;
        let (path, data) = (entry.text("certificate-authority")?, entry.bytes("certificate-authority-data")?);
        let insecure = entry.flag("insecure-skip-tls-verify")?;
        let mut watched = self.watched();
        let authorities = match (path, data) {
            (Some(_), Some(_)) => return Err(entry.both("certificate-authority")),
            (None, data) => data.map(|data| (data, "certificate-authority-data")),
            (Some(path), None) => {
                let path = file.resolve(path);
                let read = watched.read(&path).map_err(|fault| {
                    Fault::new(format!("`certificate-authority` of cluster {name:?}, {}: {fault}", path.display()))
                })?;
                Some((read, "certificate-authority"))
            }
        };
        let cluster_info = user::cluster_info(&entry, authorities.as_ref().map(|(pem, _)| pem.as_slice()))?;
        let trust = match authorities {
            _ if !server.is_https() => Trust::System,
            Some(_) if insecure => {
                return Err(Fault::new(format!(
                    "cluster {name:?} has a certificate authority and `insecure-skip-tls-verify`: remove one of them"
                )));
            }
            Some((pem, key)) => Trust::Authorities(pem.into(), key),
            None if insecure => Trust::Anything,
            None => Trust::System,
        };
        let proxy =
            Proxy::towards(server.base(), entry.text("proxy-url")?, variables).map_err(|error| Fault::new(error.to_string()))?;
        let server_name = entry.text("tls-server-name")?.map(str::to_owned);
        // As kubectl, but for a server on this machine, where there is nothing to gain.
        let takes_gzip = match entry.value("disable-compression") {
            Some(_) => !entry.flag("disable-compression")?,
            None => !(server.is_loopback() && proxy == Proxy::Direct),
        };
        Ok(Target {
            called: format!("kubeconfig context {context}"),
            server,
            trust,
            server_name,
            proxy,
            user: super::target::User::nobody(),
            watched,
            cluster_info,
            takes_gzip,
        })
    }

    fn add_user(&self, target: &mut Target, name: &str) -> Result<(), Unusable> {
        // As for kubectl, one that is not there has no credentials.
        let Some((file, value)) = self.find("users", name)? else { return Ok(()) };
        let fault = |fault| file.unusable(fault);
        let entry = Entry::new(value.get("user"), format!("user {name:?}")).map_err(fault)?;
        target.user = user::read(&entry, name, file, target.way(), &mut target.watched).map_err(fault)?;
        Ok(())
    }

    /// The files that can change, with those that are not there yet.
    fn watched(&self) -> Watched {
        let mut watched = Watched::default();
        for file in &self.files {
            if let Some(stamp) = file.stamp {
                watched.note(&file.path, stamp);
            }
        }
        for path in &self.missing {
            watched.note(path, Stamp::Unreadable(ErrorKind::NotFound));
        }
        watched
    }

    fn unusable(&self, fault: Fault) -> Unusable {
        let paths: Vec<String> = self.files.iter().map(|file| file.path.display().to_string()).collect();
        Unusable { path: paths.join(", ").into(), fault }
    }
}

impl File {
    fn unusable(&self, fault: Fault) -> Unusable {
        Unusable { path: self.path.clone(), fault }
    }

    /// A path of this file: relative ones begin where the file is.
    fn resolve(&self, path: &str) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        std::path::absolute(folder.join(path)).unwrap_or_else(|_no_working_directory| folder.join(path))
    }
}

/// A kubeconfig says what it is or says nothing of it.
fn check_kind(content: &Value) -> Result<(), Fault> {
    let root = Entry::new(Some(content), "the file")?;
    match (root.text("apiVersion")?, root.text("kind")?) {
        (None | Some("v1"), None | Some("Config")) => Ok(()),
        _ => Err(Fault::new("it is not a kubeconfig: `apiVersion` should be v1 and `kind` Config")),
    }
}

/// The entries of a list.
fn items<'v>(content: &'v Value, list: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    content.get(list).and_then(Value::as_array).into_iter().flatten()
}

/// The name of an entry; an empty one is none.
fn name(item: &Value) -> Option<&str> {
    item.get("name")?.as_str()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;
    use crate::target::{Method, Secret};

    /// What context `c` leads to, of files in a folder.
    fn target(files: &[(&str, &str)]) -> Result<Target, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let paths: Vec<PathBuf> =
            files.iter().filter(|(name, _)| name.ends_with("config")).map(|(name, _)| folder.path().join(name)).collect();
        let read = Kubeconfig::read(&paths, None).and_then(|kubeconfig| kubeconfig.target("c", &Variables::default()));
        read.map_err(|Unusable { path, fault }| {
            format!("{}: {fault}", path.strip_prefix(folder.path()).unwrap_or(&path).display())
        })
    }

    /// One file with these fields of the cluster and the user.
    fn one(cluster: &str, user: &str) -> Result<Target, String> {
        target(&[(
            "config",
            &format!(
                "contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nclusters: [{{name: c, cluster: {{server: 'https://a', {cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]"
            ),
        )])
    }

    #[test]
    fn what_is_not_asked_for_may_be_anything() {
        let text = "
contexts: [null, 7, {}, {name: 7}, {name: broken, context: 7}, {name: c, context: {cluster: c, user: u, namespace: 7, colour: red}}]
clusters: [{name: other}, {name: other, cluster: [1]}, {name: c, cluster: {server: 'https://a', extensions: 7, colour: {}}}]
users: [{name: other, user: {token: [1], exec: 7}}, {name: other}, {name: u, user: {token: t, extensions: null}}]
preferences: null
extensions: x
";
        assert_eq!(target(&[("config", text)]).unwrap().user.method, Method::Token(Secret::new("t")));
        for (lists, part) in [
            ("contexts: null", "no context"),
            ("contexts: [{name: c}]", "names no cluster"),
            ("contexts: [{name: c, context: {cluster: c}}]\nclusters: null", "not there"),
            ("contexts: [{name: c, context: {cluster: c}}]\nclusters: [{name: c}]", "no `server`"),
            (
                "contexts: [{name: c, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: x}}, {name: c}]",
                "two entries",
            ),
        ] {
            let words = target(&[("config", lists)]).unwrap_err();
            assert!(words.starts_with("config: ") || words.contains("config"), "{words}");
            assert!(words.contains(part), "{lists}: {words}");
        }
    }

    #[test]
    fn the_first_file_to_name_something_wins() {
        let first = "current-context: ''\nclusters: [{name: c, cluster: {server: 'https://first'}}]\nusers: null";
        let second = "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://second', tls-server-name: x}}]\nusers: [{name: u, user: {tokenFile: token}}]";
        let target = target(&[("a/config", first), ("b/config", second), ("b/token", "t")]).unwrap();
        assert_eq!((target.server.to_string().as_str(), target.server_name), ("https://first", None));
        let Method::TokenFile(path, None) = target.user.method else { panic!("{:?}", target.user.method) };
        assert!(path.ends_with("b/token") && path.is_absolute(), "relative to its own file: {}", path.display());
    }

    #[test]
    fn what_kubectl_refuses_is_refused_in_words() {
        for (cluster, user, part) in [
            ("certificate-authority: x, certificate-authority-data: eHg=", "", "both"),
            ("certificate-authority: /no/such/ca.crt", "", "/no/such/ca.crt"),
            ("certificate-authority-data: eHg=, insecure-skip-tls-verify: true", "", "insecure-skip-tls-verify"),
            ("certificate-authority-data: '!SECRET!'", "", "base64"),
            ("proxy-url: 'ftp://me:SECRET@proxy'", "", "proxy"),
            ("", "token: SECRET, username: x, password: SECRET", "remove one"),
            ("", "token: 4711", "quotes"),
            ("", "token: 'SECRET x'", "spaces"),
            ("", "client-certificate-data: eHg=", "client-key"),
            ("", "client-certificate: /no/such/crt, client-key: x", "/no/such/crt"),
            ("", "client-certificate-data: eHg=, client-certificate: x, client-key-data: eHg=", "both"),
            ("", "as-groups: [x]", "without `as`"),
            ("", "exec: {apiVersion: client.authentication.k8s.io/v1}", "`command`"),
            ("", "exec: {command: x}", "apiVersion"),
            ("", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1alpha1}", "apiVersion"),
            (
                "",
                "exec: {command: x, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Sometimes}",
                "interactiveMode",
            ),
            ("", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1, env: [{value: SECRET}]}", "without a name"),
            ("", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1, args: [SECRET, 7]}", "quotes"),
            ("", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1}, auth-provider: {name: oidc}", "remove one"),
            ("", "auth-provider: {name: gcp}", "gke-gcloud-auth-plugin"),
            ("", "auth-provider: {name: azure, config: {x: SECRET}}", "kubelogin"),
            ("", "auth-provider: {name: SECRET}", "exec"),
            ("", "auth-provider: {name: oidc, config: {refresh-token: SECRET}}", "id-token"),
        ] {
            let words = one(cluster, user).unwrap_err();
            assert!(words.contains(part) && !words.contains("SECRET") && !words.contains("4711"), "{cluster} {user}: {words}");
        }
        for kind in ["apiVersion: v2", "kind: Pod", "apiVersion: apps/v1\nkind: Config", "7", "[]", "text"] {
            assert!(target(&[("config", kind)]).is_err(), "{kind}");
        }
    }

    #[test]
    fn what_is_empty_is_not_set() {
        let target = one(
            "tls-server-name: '', certificate-authority: '', certificate-authority-data: '', proxy-url: '', insecure-skip-tls-verify: null",
            "token: '', tokenFile: '', username: '', password: '', client-certificate: '', client-certificate-data: '', client-key: '', client-key-data: '', as: '', as-uid: '', as-groups: [], as-user-extra: {}, auth-provider: null, exec: null",
        )
        .unwrap();
        assert_eq!((target.trust, target.server_name, target.user.method), (Trust::System, None, Method::None));
        let target = one("", "token: \" t0ken\\n\"").unwrap();
        assert_eq!(target.user.method, Method::Token(Secret::new("t0ken")));
    }

    #[test]
    fn a_plugin_is_read_with_all_its_parts() {
        let exec = "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./bin/x, args: [a, '', null], env: [{name: A, value: b}, {name: C, value: null}], provideClusterInfo: true}";
        let target = one("extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: y}}]", exec).unwrap();
        let Method::Plugin(plugin) = &target.user.method else { panic!("{:?}", target.user.method) };
        assert!(plugin.command.ends_with("/bin/x") && plugin.command.starts_with('/'), "{}", plugin.command);
        assert_eq!((plugin.arguments.len(), plugin.environment.len(), plugin.wants_cluster), (3, 2, true));
        assert_eq!(target.cluster_info["config"]["audience"], "y");
        assert!(
            one(
                "",
                &exec
                    .replace("env: [{name: A, value: b}, {name: C, value: null}]", "env: null")
                    .replace("args: [a, '', null]", "args: null")
            )
            .is_ok()
        );
        // A token counts before a plugin, as for kubectl.
        assert!(matches!(one("", &format!("token: t, {exec}")).unwrap().user.method, Method::Token(_)));
    }

    #[test]
    fn who_is_impersonated_is_sent_as_client_go_sends_it() {
        let user = one("", "as: alice, as-uid: '7', as-groups: [a, b], as-user-extra: {Scopes/x: [view, edit]}").unwrap().user;
        let headers: Vec<_> = user.impersonate.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            headers,
            [
                "impersonate-user: alice",
                "impersonate-uid: 7",
                "impersonate-group: a",
                "impersonate-group: b",
                "impersonate-extra-scopes%2fx: view",
                "impersonate-extra-scopes%2fx: edit",
            ]
        );
    }

    #[test]
    fn over_plain_http_credentials_stay_on_this_machine() {
        let user_of = |server: &str, user: &str| {
            let text = format!(
                "contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nclusters: [{{name: c, cluster: {{server: '{server}', certificate-authority-data: eHg=, insecure-skip-tls-verify: true}}}}]\nusers: [{{name: u, user: {{{user}, as: alice}}}}]"
            );
            let target = target(&[("config", &text)]).unwrap();
            assert_eq!((target.trust, target.user.impersonate.len()), (Trust::System, 1), "{server}");
            target.user.method
        };
        for server in ["kubernetes.example:8080", "http://10.0.0.1", "http://localhost.example:8080", "http://[::2]:8080"] {
            assert_eq!(user_of(server, "token: t"), Method::None, "{server}");
        }
        for server in ["localhost:8080", "http://LOCALHOST", "http://127.0.0.9:1", "http://[::1]:8080"] {
            assert!(matches!(user_of(server, "token: t"), Method::Token(_)), "{server}");
            let plugin = "exec: {apiVersion: client.authentication.k8s.io/v1, command: login, interactiveMode: Never}";
            assert_eq!(user_of(server, plugin), Method::None, "no program runs for it, as for kubectl: {server}");
        }
    }

    #[test]
    fn what_can_be_read_once_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::from(0o600), 0).unwrap();
        let pipe = path.clone();
        let writes = std::thread::spawn(move || fs::write(pipe, "current-context: c"));
        let once = Kubeconfig::read(std::slice::from_ref(&path), None).unwrap();
        writes.join().unwrap().unwrap();
        // Nobody writes any more: to read it again would take for ever.
        let again = Kubeconfig::read(&[path], Some(&once)).unwrap();
        assert_eq!(again.current_context().unwrap(), Some("c"));
        assert!(again.watched().first().is_none(), "it is not looked at again");
        assert!(Kubeconfig::read(&["/dev/null".into()], None).unwrap().contexts().is_empty());
    }

    #[test]
    fn a_file_that_comes_changes_or_goes_is_noticed_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let paths: Vec<PathBuf> = ["early", "config", "late"].map(at).into();
        fs::write(at("config"), "contexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://a', certificate-authority: ca}}]").unwrap();
        fs::write(at("ca"), "one").unwrap();
        let read = || Kubeconfig::read(&paths, None).and_then(|kubeconfig| kubeconfig.target("c", &Variables::default()));
        let mut target = read().unwrap();
        assert_eq!(target.user.method, Method::None);
        // What it does, and what becomes of it.
        type Change<'a> = (&'a str, &'a dyn Fn() -> std::io::Result<()>, &'a dyn Fn(&Target) -> bool);
        let changes: [Change<'_>; 6] = [
            ("a file behind the others comes", &|| fs::write(at("late"), "users: [{name: u, user: {token: late}}]"), &|target| {
                target.user.method == Method::Token(Secret::new("late"))
            }),
            ("one before them comes", &|| fs::write(at("early"), "users: [{name: u, user: {token: early}}]"), &|target| {
                target.user.method == Method::Token(Secret::new("early"))
            }),
            (
                "it is replaced",
                &|| {
                    fs::write(at("new"), "users: [{name: u, user: {token: third}}]")?;
                    fs::rename(at("new"), at("early"))
                },
                &|target| target.user.method == Method::Token(Secret::new("third")),
            ),
            ("it goes", &|| fs::remove_file(at("early")), &|target| target.user.method == Method::Token(Secret::new("late"))),
            ("the other goes, too", &|| fs::remove_file(at("late")), &|target| target.user.method == Method::None),
            ("what it names changes", &|| fs::write(at("ca"), "another"), &|target| {
                target.trust == Trust::Authorities(b"another".as_slice().into(), "certificate-authority")
            }),
        ];
        for (what, change, holds) in changes {
            assert!(!target.watched.have_changed(), "before {what}");
            change().unwrap();
            assert!(target.watched.have_changed(), "{what}");
            target = read().unwrap();
            assert!(holds(&target), "{what}: {target:?}");
        }
    }
}
