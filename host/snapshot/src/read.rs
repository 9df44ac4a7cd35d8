//! From files to objects and logs. A broken file becomes a note that names it, and does not hide the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::claims;
use super::coverage::{Failure, Gathered};
use super::document::{self, Document, List};
use super::files::{File, Tree};
use super::kinds;
use super::layout::{self, Hint, Role};
use super::log::Logs;
use super::notes::Notes;
use super::object::Object;
use super::room::Room;

/// Bytes of one file with objects: the events of a large cluster.
const FILE_BYTES: u64 = 128 << 20;

/// Bytes of all files with objects. Reading them delays the start by a minute.
const TOTAL_BYTES: u64 = 2 << 30;

/// Kinds of objects: a cluster with hundreds of definitions has some 1,000.
pub(super) const KINDS: usize = 4_000;

/// Bytes of a mentioned namespace: its name, and the object that is made up for it.
const NAMESPACE_BYTES: usize = 1024;

/// Bytes of a server's version: some 400 as a rule.
const VERSION_BYTES: usize = 16 << 10;

/// What the files of a snapshot hold.
#[derive(Default)]
pub(super) struct Contents {
    /// All objects, in the order of their files.
    pub(super) objects: Vec<Object>,
    /// Kinds of objects and of empty lists, by `apiVersion`, without those that are always served.
    kinds: BTreeSet<(String, String)>,
    /// What was gathered, as far as the files show it.
    pub(super) gathered: BTreeSet<Gathered>,
    /// Every namespace in an object or a path. The cluster has each of them, described or not.
    pub(super) mentioned: BTreeSet<String>,
    /// What could not be gathered.
    pub(super) failures: Vec<Failure>,
    /// Whether there is a list of the cluster's namespaces.
    pub(super) namespaces: bool,
    /// Whether custom resources were gathered, whatever their definitions are.
    pub(super) custom_resources: bool,
    /// All container logs.
    pub(super) logs: Logs,
    /// The API server's version, as in `kubectl version -o json`.
    pub(super) version: Option<Value>,
    /// Problems, each with its file.
    pub(super) notes: Vec<String>,
}

impl Contents {
    /// Reads every file of `tree` that can belong to a snapshot, as far as there is room.
    ///
    /// # Errors
    /// If the tree itself cannot be walked.
    pub(super) fn read(tree: &Tree, mut room: Room) -> std::io::Result<Self> {
        let (mut contents, mut notes, mut total) = (Self::default(), Notes::default(), 0);
        let mut logs = Vec::new();
        for file in tree.files(&mut notes)? {
            let role = layout::role(file.path());
            contents.custom_resources |= layout::is_of_custom_resources(file.path());
            match role {
                _ if !claims::of(file.path()).is_empty() => logs.push(file),
                Role::Archive => notes.add(file.path(), "it is compressed; unpack it in its folder, with `tar -xzf` for example"),
                Role::Other => {}
                Role::Objects(_) | Role::Failures if total > TOTAL_BYTES => {
                    notes.add(file.path(), format_args!("a snapshot is {} GiB at most; give a part of it", TOTAL_BYTES >> 30));
                }
                Role::Objects(_) | Role::Failures => {
                    if let Err(error) = contents.take_file(&file, role, &mut room, &mut total, &mut notes) {
                        notes.add(file.path(), error);
                    }
                }
            }
        }
        contents.logs = Logs::new(logs, &contents.objects, &mut notes);
        contents.notes = notes.finish();
        Ok(contents)
    }

    /// Whether nothing of a cluster was found.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.gathered.is_empty() && !self.logs.speak_for_themselves
    }

    fn take_file(
        &mut self,
        file: &File,
        role: Role<'_>,
        room: &mut Room,
        total: &mut u64,
        notes: &mut Notes,
    ) -> Result<(), String> {
        let text = file.read(FILE_BYTES).map_err(|error| error.to_string())?;
        *total += text.len() as u64;
        // Files without an extension are Troubleshoot's, which writes JSON.
        let extension = file.path().rsplit_once('.').map_or("json", |(_, extension)| extension);
        let (mut wrong, mut foreign) = (None, false);
        document::each(extension, &text, room, |document, room| {
            let taken = match (role, document) {
                (_, Document::Nothing) => Ok(()),
                (Role::Failures, document) if !says_what_it_is(&document) => {
                    let failure = Failure::of(file.path(), &document);
                    failure.map_or(Ok(()), |failure| {
                        room.take(failure.bytes())?;
                        self.failures.push(failure);
                        Ok(())
                    })
                }
                (_, document) if !says_what_it_is(&document) && !is_version(&document) => {
                    foreign = true;
                    Ok(())
                }
                (role, Document::List(list)) => self.take_list(&role.hint(), list, room),
                (role, Document::Map(value)) => self.take_map(&role.hint(), value, file.path(), room),
                (_, Document::Scalar) => Ok(()),
            };
            if let Err(error) = taken {
                wrong.get_or_insert(error);
            }
        })?;
        match wrong {
            Some(wrong) => notes.add(file.path(), wrong),
            None if foreign => notes.foreign(file.path()),
            None => {}
        }
        Ok(())
    }

    /// # Errors
    /// If there are too many kinds.
    fn note_kind(&mut self, api_version: &str, kind: &str) -> Result<(), String> {
        if kinds::is_served_always(api_version, kind) {
            return Ok(());
        }
        let of = (api_version.to_owned(), kind.to_owned());
        if self.kinds.len() >= KINDS && !self.kinds.contains(&of) {
            return Err(format!("a snapshot has {KINDS} kinds of objects at most, and this file has more; give a part of it"));
        }
        self.kinds.insert(of);
        Ok(())
    }

    /// Records that a namespace is mentioned.
    ///
    /// # Errors
    /// If there is no room for it.
    fn mention(&mut self, namespace: &str, room: &mut Room) -> Result<(), String> {
        if !self.mentioned.contains(namespace) {
            room.take(NAMESPACE_BYTES + 5 * namespace.len())?;
            self.mentioned.insert(namespace.to_owned());
        }
        Ok(())
    }

    /// Records that something was gathered.
    ///
    /// # Errors
    /// If there is no room for it.
    fn gather(&mut self, gathered: Gathered, room: &mut Room) -> Result<(), String> {
        if !self.gathered.contains(&gathered) {
            gathered.within().map_or(Ok(()), |namespace| self.mention(namespace, room))?;
            room.take(gathered.bytes())?;
            self.gathered.insert(gathered);
        }
        Ok(())
    }

    /// Keeps an object whose own bytes are already taken from `room`.
    ///
    /// # Errors
    /// If there are too many kinds, or no room for its names.
    fn keep(&mut self, object: Object, room: &mut Room) -> Result<(), String> {
        self.note_kind(&object.api_version, &object.kind)?;
        object.namespace.as_deref().map_or(Ok(()), |namespace| self.mention(namespace, room))?;
        room.take(object.beside())?;
        self.objects.push(object);
        Ok(())
    }

    /// Takes one object, or a version.
    fn take_map(&mut self, hint: &Hint<'_>, mut value: Value, path: &str, room: &mut Room) -> Result<(), String> {
        if let Some(version) = version(&mut value) {
            if version.to_string().len() > VERSION_BYTES {
                return Err(format!("a version of more than {VERSION_BYTES} bytes"));
            }
            // A must-gather also has the versions of programs in pods.
            if !path.split('/').any(|part| part == "pods") {
                self.version.get_or_insert(version);
            }
            return Ok(());
        }
        let (api_version, kind) = hint.kind.unwrap_or_default();
        let object = room.admit(Object::new(value)?)?.complete(api_version, kind)?;
        room.take_object(&object)?;
        let gathered = Gathered::kind(&object.api_version, &object.kind, object.namespace.as_deref());
        self.keep(object, room)?;
        self.gather(gathered, room)
    }

    /// Takes a list of objects; an error says what is wrong with one of them. The items of a typed list (`PodList`) have no kind
    /// and version of their own; those of a plain `List` have.
    fn take_list(&mut self, hint: &Hint<'_>, list: List, room: &mut Room) -> Result<(), String> {
        let List { fields, items, mut wrong } = list;
        let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
        let typed = match text("kind").strip_suffix("List") {
            Some(kind) => (text("apiVersion"), kind),
            None if fields.is_empty() => ("", ""),
            None => return Err(format!("no Kubernetes object, but something with items{}", of_kind(&fields))),
        };
        let (api_version, kind) = if typed.1.is_empty() { hint.kind.unwrap_or_default() } else { typed };
        // If the items are in other namespaces, the path only looks like one of that layout.
        let within = hint.namespace.filter(|namespace| items.iter().all(|item| item.namespace.as_deref() == Some(*namespace)));
        let mut namespaces: BTreeMap<(String, String), BTreeSet<Option<String>>> = BTreeMap::new();
        if !kind.is_empty() {
            self.note_kind(api_version, kind)?;
            namespaces.insert((api_version.to_owned(), kind.to_owned()), BTreeSet::new());
        } else if items.is_empty() && !fields.is_empty() {
            self.gather(Gathered::called(hint.stem, within), room)?;
        }
        for item in items {
            let kept = item.complete(api_version, kind).and_then(|object| {
                let of = (object.api_version.clone(), object.kind.clone());
                let namespace = object.namespace.clone();
                self.keep(object, room)?;
                namespaces.entry(of).or_default().insert(namespace);
                Ok(())
            });
            if let Err(error) = kept {
                wrong.get_or_insert(error);
            }
        }
        for ((api_version, kind), found) in namespaces {
            // Items of two namespaces were listed over all. An array, unlike a list, may hold what was asked for one by one.
            let only = match found.first() {
                Some(Some(only)) if found.len() == 1 && !hint.everywhere => Some(only.as_str()),
                _ => None,
            };
            self.namespaces |= kind == "Namespace" && api_version == "v1" && !fields.is_empty();
            self.gather(Gathered::kind(&api_version, &kind, within.or(only)), room)?;
        }
        wrong.map_or(Ok(()), Err)
    }
}

fn of_kind(fields: &Map<String, Value>) -> String {
    fields.get("kind").and_then(Value::as_str).map(|kind| format!(" of kind {kind}")).unwrap_or_default()
}

/// Whether it was meant to be a Kubernetes object, or a list of some.
fn says_what_it_is(document: &Document) -> bool {
    let says = |fields: &Map<String, Value>| ["kind", "apiVersion", "metadata"].iter().any(|key| fields.contains_key(*key));
    match document {
        Document::List(list) => says(&list.fields) || !list.items.is_empty(),
        Document::Map(Value::Object(fields)) => says(fields),
        _ => false,
    }
}

/// The keys of the server's version in the output of kubectl and Troubleshoot.
const VERSIONS: [&str; 2] = ["serverVersion", "info"];

fn is_a_version(value: &Value) -> bool {
    value["gitVersion"].is_string()
}

fn is_version(document: &Document) -> bool {
    matches!(document, Document::Map(value) if is_a_version(value) || VERSIONS.iter().any(|key| is_a_version(&value[*key])))
}

/// The server's version, from the output of those, of sonobuoy or of `kubectl get --raw /version`.
fn version(value: &mut Value) -> Option<Value> {
    match VERSIONS.into_iter().find(|key| is_a_version(&value[*key])) {
        Some(key) => Some(value[key].take()),
        None => is_a_version(value).then(|| value.take()),
    }
}
