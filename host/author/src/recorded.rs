//! What a cluster has answered, in a folder that answers the same: the files of a snapshot.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The file by which a folder is known to be one of these, which the next record may replace.
const MARK: &str = ".sandbar-recorded";

/// The group of definitions of custom resources.
const DEFINITIONS: &str = "apiextensions.k8s.io";

/// Where a list was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Within {
    /// In the cluster, of what lies in no namespace.
    Cluster,
    /// In all namespaces.
    Everywhere,
    /// In one.
    Namespace(String),
}

/// What objects of a kind are called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordedKind {
    /// The API group; empty: the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The plural name.
    pub plural: String,
    /// What one object is called.
    pub kind: String,
    /// Whether they lie in namespaces.
    pub namespaced: bool,
}

/// What a cluster has answered.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    lists: BTreeMap<(Within, RecordedKind), BTreeMap<(String, String), Value>>,
    logs: BTreeMap<PathBuf, String>,
    version: String,
}

/// Why a folder is not written.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// It has something else.
    #[error("{0} has something that was not recorded: name another folder, or remove it")]
    Foreign(PathBuf),
    /// It cannot be written.
    #[error("{path}: {error}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Recording {
    /// One of a cluster of this version.
    pub fn new(version: String) -> Self {
        Self { version, ..Self::default() }
    }

    /// Adds a list, or to one; an empty one says that there is nothing.
    pub fn add(&mut self, within: Within, kind: RecordedKind, objects: impl IntoIterator<Item = Value>) {
        let list = self.lists.entry((within, kind)).or_default();
        for mut object in objects {
            // A copy of what the object was when somebody applied it, in one long line.
            if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
                annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
            }
            let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
            list.insert((text("namespace"), text("name")), object);
        }
    }

    /// Adds a log, each line with its time stamp in front.
    pub fn add_log(&mut self, namespace: &str, pod: &str, container: &str, previous: bool, text: String) {
        let run = if previous { "previous.log" } else { "current.log" };
        let folder = Path::new("namespaces").join(namespace).join("pods").join(pod);
        self.logs.insert(folder.join(container).join(container).join("logs").join(run), text);
    }

    /// How many objects there are, and logs.
    pub fn counts(&self) -> (usize, usize) {
        (self.lists.values().map(BTreeMap::len).sum(), self.logs.len())
    }

    /// Writes the folder, in the place of an earlier record; what is there stays until everything is written.
    pub fn write(&self, folder: &Path) -> Result<(), NotRecorded> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| NotRecorded::File { path, error }
        };
        // However it is named: `.`, or by a link.
        let folder = &match folder.canonicalize() {
            Err(error) if error.kind() == ErrorKind::NotFound => folder.to_owned(),
            found => found.map_err(failed(folder))?,
        };
        if folder.exists() && !folder.join(MARK).is_file() && !is_empty(folder) {
            return Err(NotRecorded::Foreign(folder.to_owned()));
        }
        let beside = |what: &str| {
            let mut name = folder.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{what}.{}", std::process::id()));
            folder.with_file_name(name)
        };
        let (unfinished, before) = (beside("unfinished"), beside("before"));
        let written = self.files().into_iter().try_for_each(|(path, text)| {
            let path = unfinished.join(path);
            let folder = path.parent().unwrap_or(&unfinished);
            std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text)).map_err(failed(&path))
        });
        let replaced = written.and_then(|()| {
            unless_absent(std::fs::rename(folder, &before)).map_err(failed(folder))?;
            let back = |_: &io::Error| drop(std::fs::rename(&before, folder));
            std::fs::rename(&unfinished, folder).inspect_err(back).map_err(failed(folder))
        });
        replaced.inspect_err(|_| drop(std::fs::remove_dir_all(&unfinished)))?;
        unless_absent(std::fs::remove_dir_all(&before)).map_err(failed(&before))
    }

    /// All files, by their paths in the folder.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mark = "Written by `sandbar test --record`, which replaces the folder as a whole.\n".to_owned();
        let mut files =
            BTreeMap::from([(MARK.into(), mark), ("version.json".into(), json!({ "gitVersion": self.version }).to_string())]);
        let mut definitions = BTreeMap::new();
        for ((within, kind), objects) in &self.lists {
            let folder = match within {
                Within::Cluster => PathBuf::from("cluster"),
                Within::Everywhere => "namespaces/all".into(),
                // Where a namespace of this name would be all of them.
                Within::Namespace(namespace) if namespace.starts_with("all") => Path::new("in").join(namespace),
                Within::Namespace(namespace) => Path::new("namespaces").join(namespace),
            };
            files.insert(
                folder.join(format!("{}.yaml", kind.full_name())),
                list(&kind.api_version(), &kind.kind, objects.values()),
            );
            if kind.group.contains('.') && kind.group != DEFINITIONS {
                definitions.insert(kind.full_name(), kind.definition());
            }
        }
        // What was recorded of them is more than what is made up here.
        for ((_, kind), objects) in self.lists.iter().filter(|((_, kind), _)| kind.group == DEFINITIONS) {
            definitions.retain(|name, _| {
                kind.kind != "CustomResourceDefinition" || !objects.contains_key(&(String::new(), name.clone()))
            });
        }
        if !definitions.is_empty() {
            let text = list("apiextensions.k8s.io/v1", "CustomResourceDefinition", definitions.values());
            files.insert("cluster/definitions.yaml".into(), text);
        }
        files.extend(self.logs.clone());
        files
    }
}

impl RecordedKind {
    fn full_name(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// As much of a definition as a snapshot needs to serve the kind by its names. The cluster's own is not read.
    fn definition(&self) -> Value {
        json!({
            "metadata": { "name": self.full_name() },
            "spec": {
                "group": self.group,
                "names": { "plural": self.plural, "kind": self.kind },
                "scope": if self.namespaced { "Namespaced" } else { "Cluster" },
                "versions": [{ "name": self.version, "served": true }],
            },
        })
    }
}

fn list<'o>(api_version: &str, kind: &str, objects: impl Iterator<Item = &'o Value>) -> String {
    let list = json!({ "apiVersion": api_version, "kind": format!("{kind}List"), "items": objects.collect::<Vec<_>>() });
    // What came as JSON is YAML as it is, where it should not be writable otherwise.
    serde_saphyr::to_string(&list).unwrap_or_else(|_| list.to_string())
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn unless_absent(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods() -> RecordedKind {
        let [group, version, plural, kind] = ["", "v1", "pods", "Pod"].map(str::to_owned);
        RecordedKind { group, version, plural, kind, namespaced: true }
    }

    #[test]
    fn a_record_replaces_one_and_nothing_else() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("cluster");
        let mut first = Recording::new("v1.37.2".to_owned());
        let applied = json!({ "kubectl.kubernetes.io/last-applied-configuration": "x", "kept": "y" });
        let pod = json!({ "metadata": { "name": "web-0", "namespace": "team-a", "annotations": applied } });
        first.add(Within::Namespace("team-a".to_owned()), pods(), [pod]);
        first.add_log("team-a", "web-0", "web", false, "2026-01-01T00:00:00Z a line\n".to_owned());
        first.write(&folder).expect("written");
        let text = std::fs::read_to_string(folder.join("namespaces/team-a/pods.yaml")).expect("a list");
        assert!(text.contains("PodList") && text.contains("kept") && !text.contains("last-applied"), "{text}");
        assert!(folder.join("namespaces/team-a/pods/web-0/web/web/logs/current.log").is_file());
        Recording::new("v1.37.2".to_owned()).write(&folder).expect("replaced");
        assert!(!folder.join("namespaces").exists());
        first.write(&folder.join("../cluster/.")).expect("replaced by another name");
        assert!(folder.join("namespaces").exists());
        assert_eq!(std::fs::read_dir(outer.path()).expect("a folder").count(), 1, "nothing else is left");
        std::fs::remove_file(folder.join(MARK)).expect("removed");
        assert!(matches!(first.write(&folder), Err(NotRecorded::Foreign(_))));
    }

    #[test]
    fn kinds_with_a_group_of_their_own_are_defined() {
        let mut recording = Recording::default();
        let [group, version, plural, kind] = ["coder.com", "v1alpha1", "mice", "Mouse"].map(str::to_owned);
        recording.add(Within::Everywhere, RecordedKind { group, version, plural, kind, namespaced: true }, []);
        let files = recording.files();
        assert!(files[Path::new("namespaces/all/mice.coder.com.yaml")].contains("MouseList"));
        assert!(files[Path::new("cluster/definitions.yaml")].contains("plural: mice"));
    }
}
