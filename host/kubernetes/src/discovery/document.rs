//! The documents of the discovery API, in a compact form.
//!
//! A document is read as it arrives, one group or resource at a time, and each takes a few bytes. Subresources and invalid names
//! are left out: they cannot be requested. Beyond its bounds, the rest of a document is not read.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use sandbar_policy::{is_label, is_subdomain};
use sandbar_text::size;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::{Code, Error};
use crate::items::{Splitter, malformed};
use crate::response::{Incoming, json};
use crate::types::Verbs;

/// Bytes of one document. The largest group of a cluster with 1,000 CRDs is below 1 MiB.
const DOCUMENT_MAX: usize = 8 * 1024 * 1024;

/// Bytes of one entry of a document. A resource has some 300, a group some 1,000.
const ENTRY_MAX: usize = 64 * 1024;

/// Resources that are kept of one version of a group. The largest known group has some 200.
const RESOURCES_MAX: usize = 5_000;

/// Bytes that are kept of the list of groups: some 10,000 groups.
const GROUPS_BYTES: usize = 2 * 1024 * 1024;

/// Versions that are kept of one group. Kubernetes itself has had five at most.
const VERSIONS_MAX: usize = 16;

/// Bytes of the names of a resource beside its plural: its kind, and the short ones.
const NAMES_MAX: usize = 255;

/// Bytes that a group or a version takes beside its name.
const OVERHEAD: usize = 64;

/// A document in its compact form.
pub(super) trait Document: Sized + Send + 'static {
    /// Reads a document while it arrives.
    fn read(incoming: Incoming<'_>) -> impl Future<Output = Result<Self, Error>> + Send;
}

/// The versions of one API group.
#[derive(Clone, Debug)]
pub(super) struct Versions {
    preferred: Box<str>,
    all: Box<[Box<str>]>,
}

impl Versions {
    /// The core group is not in the list of groups, and has had one version since 2015.
    pub(super) fn core() -> Self {
        let only: Box<str> = "v1".into();
        Self { preferred: only.clone(), all: Box::new([only]) }
    }

    /// Every version, in the server's order.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(AsRef::as_ref)
    }

    /// The version that the server prefers.
    pub(super) fn preferred(&self) -> &str {
        &self.preferred
    }

    /// Every version, the preferred one first.
    pub(super) fn preferred_first(&self) -> Vec<&str> {
        let others = self.all().filter(|&version| version != self.preferred());
        std::iter::once(self.preferred()).chain(others).collect()
    }

    fn bytes(&self) -> usize {
        self.all().chain([self.preferred()]).map(|version| version.len() + OVERHEAD).sum()
    }
}

/// The API groups but the core one (`APIGroupList`).
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<Box<str>, Versions>,
    bytes: usize,
    /// Whether the document lists more groups.
    pub(super) is_cut: bool,
}

impl Document for Groups {
    async fn read(incoming: Incoming<'_>) -> Result<Self, Error> {
        let mut groups = Self::default();
        each_entry(incoming, "groups", |entry| groups.take(json(entry)?)).await?;
        Ok(groups)
    }
}

impl Groups {
    pub(super) fn get(&self, group: &str) -> Option<&Versions> {
        self.groups.get(group)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Versions)> {
        self.groups.iter().map(|(group, versions)| (group.as_ref(), versions))
    }

    fn take(&mut self, entry: GroupEntry<'_>) -> Result<(), Stop> {
        let named = |version: &VersionEntry<'_>| is_label(&version.version);
        let all: Box<[Box<str>]> = entry
            .versions
            .iter()
            .filter(|&entry| named(entry))
            .map(|entry| Box::from(&*entry.version))
            .take(VERSIONS_MAX)
            .collect();
        // The server orders versions by priority, so the first one is preferred by default.
        let preferred =
            entry.preferred_version.filter(named).map(|entry| Box::from(&*entry.version)).or_else(|| all.first().cloned());
        let Some(preferred) = preferred.filter(|_| is_subdomain(&entry.name)) else { return Ok(()) };
        let versions = Versions { preferred, all };
        self.bytes += versions.bytes() + entry.name.len() + OVERHEAD;
        if self.bytes > GROUPS_BYTES {
            self.is_cut = true;
            return Err(Stop::Enough);
        }
        self.groups.insert(Box::from(&*entry.name), versions);
        Ok(())
    }
}

/// The resources of one version of a group (`APIResourceList`), by their plural names.
#[derive(Debug, Default)]
pub(super) struct Resources {
    names: String,
    entries: Vec<Entry>,
    /// Whether the document lists more resources.
    pub(super) is_cut: bool,
}

/// A resource; its plural name is a range of `names`, and behind it follow the others: its kind, and the short ones, with commas before
/// each of these.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    plural: u8,
    others: u8,
    namespaced: bool,
    verbs: Verbs,
}

/// A resource as a document has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Described<'d> {
    /// The plural name.
    pub(super) plural: &'d str,
    /// What one of its objects is called; empty if the document does not say so.
    pub(super) kind: &'d str,
    /// Short names, with a comma before each.
    short_names: &'d str,
    /// Whether its objects live in namespaces.
    pub(super) namespaced: bool,
    pub(super) verbs: Verbs,
}

impl<'d> Described<'d> {
    /// What people write for it.
    pub(super) fn short_names(self) -> impl Iterator<Item = &'d str> {
        self.short_names.split(',').skip(1)
    }
}

impl Document for Resources {
    async fn read(incoming: Incoming<'_>) -> Result<Self, Error> {
        let mut resources = Self::default();
        each_entry(incoming, "resources", |entry| resources.take(&json(entry)?)).await?;
        let Self { names, entries, .. } = &mut resources;
        let all: &str = names;
        entries.sort_by_key(|entry| entry.name(all));
        names.shrink_to_fit();
        entries.shrink_to_fit();
        Ok(resources)
    }
}

impl Resources {
    /// A resource; none if it is not served.
    pub(super) fn get(&self, plural: &str) -> Option<Described<'_>> {
        let at = self.entries.binary_search_by_key(&plural, |entry| entry.name(&self.names)).ok()?;
        Some(self.entries[at].described(&self.names))
    }

    /// The plural name of every resource, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name(&self.names))
    }

    /// Every resource, in the order of the plural names.
    pub(super) fn iter(&self) -> impl Iterator<Item = Described<'_>> {
        self.entries.iter().map(|entry| entry.described(&self.names))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.names.len() + self.entries.len() * size_of::<Entry>()
    }

    fn take(&mut self, entry: &ResourceEntry<'_>) -> Result<(), Stop> {
        // A subresource has a slash in its name, so it is no label.
        let (true, Ok(plural), Ok(start)) =
            (is_label(&entry.name), u8::try_from(entry.name.len()), u32::try_from(self.names.len()))
        else {
            return Ok(());
        };
        if self.entries.len() == RESOURCES_MAX {
            self.is_cut = true;
            return Err(Stop::Enough);
        }
        self.names.push_str(&entry.name);
        let others = self.names.len();
        if is_name(&entry.kind) {
            self.names.push_str(&entry.kind);
        }
        for name in entry.short_names.iter().flatten().filter(|name| is_name(name)) {
            if self.names.len() - others + name.len() < NAMES_MAX {
                self.names.push(',');
                self.names.push_str(name);
            }
        }
        let others = u8::try_from(self.names.len() - others).unwrap_or_default();
        self.entries.push(Entry { start, plural, others, namespaced: entry.namespaced, verbs: entry.verbs });
        Ok(())
    }
}

impl Entry {
    fn name(self, names: &str) -> &str {
        &names[self.start as usize..][..self.plural.into()]
    }

    fn described(self, names: &str) -> Described<'_> {
        let others = &names[self.start as usize + usize::from(self.plural)..][..self.others.into()];
        let (kind, short_names) = others.split_at(others.find(',').unwrap_or(others.len()));
        Described { plural: self.name(names), kind, short_names, namespaced: self.namespaced, verbs: self.verbs }
    }
}

/// Whether this is what a kind, or a short name, looks like.
fn is_name(name: &str) -> bool {
    is_label(&name.to_ascii_lowercase())
}

/// Why the rest of a document is not read.
enum Stop {
    /// A bound is reached.
    Enough,
    /// It cannot be read.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

/// Passes on the entries of a document, from the array of this name, while they arrive.
async fn each_entry(
    mut incoming: Incoming<'_>,
    array: &'static str,
    mut each: impl FnMut(&[u8]) -> Result<(), Stop>,
) -> Result<(), Error> {
    let mut splitter = Splitter::new(array, ENTRY_MAX);
    let mut bytes = 0;
    while let Some(chunk) = incoming.chunk().await? {
        bytes += chunk.len();
        if bytes > DOCUMENT_MAX {
            return Err(Error::new(Code::TooLarge, format!("the document is over {}", size(DOCUMENT_MAX as u64))));
        }
        match splitter.feed(&chunk, &mut each) {
            Ok(()) => {}
            Err(Stop::Enough) => return Ok(()),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    let rest = splitter.finish()?;
    let outline: HashMap<Cow<'_, str>, IgnoredAny> = json(&rest)?;
    if outline.contains_key(array) { Ok(()) } else { Err(malformed(&format!("it has no `{array}`"))) }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupEntry<'e> {
    #[serde(borrow)]
    name: Cow<'e, str>,
    #[serde(borrow)]
    versions: Vec<VersionEntry<'e>>,
    #[serde(borrow)]
    preferred_version: Option<VersionEntry<'e>>,
}

#[derive(Deserialize)]
struct VersionEntry<'e> {
    #[serde(borrow)]
    version: Cow<'e, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceEntry<'e> {
    #[serde(borrow)]
    name: Cow<'e, str>,
    #[serde(borrow, default)]
    kind: Cow<'e, str>,
    short_names: Option<Vec<String>>,
    namespaced: bool,
    verbs: Verbs,
}
