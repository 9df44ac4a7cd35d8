//! `sandbar test --record`: what the cases have read is read once more, whole and masked, and written as a folder that answers the same.
//!
//! What a case was answered is cut to its fields, its page and its room, so a folder of that would be of no use after the next edit. And the
//! budgets of cases would count what recording takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sandbar_author::{RecordedKind, Recording, Within};
use sandbar_kubernetes::{Cluster, Code, Error, LogSource, NotedRead, Query, Reader, Resource, Scope, ServedKind};
use sandbar_policy::{Budget, Grant, Identity, Namespaces};
use sandbar_secrets::Secrets;
use serde_json::Value;

use super::words;

/// The time of all reads, and how many there may be.
const TIME: Duration = Duration::from_secs(120);
const REQUESTS: u32 = 5_000;

/// Objects of one list. A folder for cases is looked at and committed.
const OBJECTS: usize = 20_000;

/// Lines of a log.
const LINES: u32 = 2_000;

/// Reads again what was noted, by what the components are granted, and with secrets masked.
pub(super) struct Recorder {
    readers: Vec<(Reader, Grant)>,
    kinds: Vec<ServedKind>,
    recording: Recording,
    /// What may not be read. It is not in the folder, which then has no answer to it.
    denied: Vec<String>,
}

impl Recorder {
    pub(super) async fn new(cluster: &Cluster, grants: Vec<Grant>) -> anyhow::Result<Self> {
        let budget = Arc::new(Budget::outside_calls(TIME, REQUESTS));
        let reader = |grant: Grant| {
            let grant = Grant { secrets: Secrets::Masked, caller: false, ..grant };
            Ok((cluster.reader_for(&Identity::Operator, Arc::new(grant.clone()), budget.clone())?, grant))
        };
        let mut readers = grants.into_iter().map(reader).collect::<Result<Vec<_>, Error>>()?;
        // Whoever sees the most first: what others see of a list is in that of theirs.
        readers.sort_by_key(|(_, grant)| match &grant.namespaces {
            Namespaces::All => 0,
            Namespaces::Only(names) => usize::MAX - names.len(),
        });
        let (first, _) = readers.first().context("no component is loaded, so nothing can be recorded")?;
        let version = first.api_server().await.map(|health| health.git_version).unwrap_or_default();
        let mut kinds = Vec::new();
        for (reader, _) in &readers {
            kinds.extend(reader.served_kinds().await?.kinds);
        }
        Ok(Self { readers, kinds, recording: Recording::new(version), denied: Vec::new() })
    }

    /// The recording of these reads, and what may not be read of them. Fails where something cannot be read now.
    pub(super) async fn record(mut self, reads: &BTreeSet<NotedRead>) -> anyhow::Result<(Recording, Vec<String>)> {
        for read in reads {
            let recorded = match read {
                NotedRead::Object(of, within, name) => self.object(of, within, name).await,
                NotedRead::List(of, within, Some(name)) if *within != Scope::EveryNamespace => {
                    self.object(of, within, name).await
                }
                NotedRead::List(of, within, _) => self.list(of, within).await,
                NotedRead::Log { namespace, pod, container, previous } => {
                    self.log(namespace, pod, container.as_deref(), *previous).await
                }
            };
            if let Err(error) = recorded {
                let code = error.downcast_ref::<Error>().map(|error| error.code);
                if !matches!(code, Some(Code::Denied | Code::NotServed)) {
                    return Err(error.context("not everything can be recorded now, and nothing was written"));
                }
                self.denied.push(words(&error));
            }
        }
        Ok((self.recording, self.denied))
    }

    async fn object(&mut self, of: &Resource, within: &Scope, name: &str) -> anyhow::Result<()> {
        let kind = self.kind(of)?;
        let read = self.allowed(async |reader| reader.get_object(of, within, name, None).await).await;
        let objects = match read {
            Ok((text, _)) => vec![serde_json::from_str(&text)?],
            // So that it is not there in the folder either, rather than not gathered.
            Err(error) if error.code == Code::NotFound => Vec::new(),
            Err(error) => return Err(anyhow::Error::new(error).context(format!("{of} {name}"))),
        };
        let within = match within {
            Scope::Namespace(namespace) => Within::Namespace(namespace.clone()),
            Scope::Cluster | Scope::EveryNamespace => Within::Cluster,
        };
        self.recording.add(within, kind, objects);
        Ok(())
    }

    async fn list(&mut self, of: &Resource, within: &Scope) -> anyhow::Result<()> {
        let kind = self.kind(of)?;
        let read = self.allowed(async |reader| all(reader, of, within).await).await;
        let (objects, grant) = read.with_context(|| format!("the list of {of}"))?;
        match (within, &grant.namespaces) {
            (Scope::Cluster, _) => self.recording.add(Within::Cluster, kind, objects),
            (Scope::Namespace(namespace), _) => self.recording.add(Within::Namespace(namespace.clone()), kind, objects),
            (Scope::EveryNamespace, Namespaces::All) => self.recording.add(Within::Everywhere, kind, objects),
            (Scope::EveryNamespace, Namespaces::Only(names)) => {
                for name in names {
                    let here = objects.iter().filter(|object| object["metadata"]["namespace"] == **name).cloned();
                    self.recording.add(Within::Namespace(name.clone()), kind.clone(), here);
                }
            }
        }
        Ok(())
    }

    async fn log(&mut self, namespace: &str, pod: &str, container: Option<&str>, previous: bool) -> anyhow::Result<()> {
        let shown = || format!("the log of {namespace}/{pod}");
        let container = match container {
            Some(container) => container.to_owned(),
            None => self.only_container(namespace, pod).await.with_context(shown)?,
        };
        let source = LogSource {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: Some(container.clone()),
            previous,
            tail_lines: Some(LINES),
            timestamps: true,
            ..LogSource::default()
        };
        let read = self.allowed(async |reader| reader.tail(&source).await).await;
        let (excerpt, _) = read.with_context(shown)?;
        self.recording.add_log(namespace, pod, &container, previous, excerpt.text);
        Ok(())
    }

    /// Which container a log is of where nobody has said it. The pod is recorded, too.
    async fn only_container(&mut self, namespace: &str, pod: &str) -> anyhow::Result<String> {
        let of = Resource { group: String::new(), version: String::new(), plural: "pods".to_owned() };
        let within = Scope::Namespace(namespace.to_owned());
        let fields = ["spec.containers".to_owned()];
        let read = self.allowed(async |reader| reader.get_object(&of, &within, pod, Some(&fields)).await).await;
        let found: Value = serde_json::from_str(&read?.0)?;
        let name = found["spec"]["containers"][0]["name"].as_str();
        Ok(name.context("it has no container")?.to_owned())
    }

    /// What the first component may read that is granted it.
    async fn allowed<T>(&self, read: impl AsyncFn(&Reader) -> Result<T, Error>) -> Result<(T, Grant), Error> {
        let mut denied = None;
        for (reader, grant) in &self.readers {
            match read(reader).await {
                Ok(answer) => return Ok((answer, grant.clone())),
                Err(error) if error.code == Code::Denied => denied = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(denied.unwrap_or_else(|| Error::new(Code::Denied, "no component is granted it")))
    }

    fn kind(&self, of: &Resource) -> anyhow::Result<RecordedKind> {
        let found = self.kinds.iter().find(|known| known.resource.group == of.group && known.resource.plural == of.plural);
        let found = found
            .filter(|known| !known.kind.is_empty())
            .with_context(|| format!("{of}: the cluster does not say what one is called"))?;
        let version = if of.version.is_empty() { &found.resource.version } else { &of.version };
        Ok(RecordedKind {
            group: of.group.clone(),
            version: version.clone(),
            plural: of.plural.clone(),
            kind: found.kind.clone(),
            namespaced: found.resource.namespaced,
        })
    }
}

/// All pages of a list.
async fn all(reader: &Reader, of: &Resource, within: &Scope) -> Result<Vec<Value>, Error> {
    let mut query = Query {
        of: of.clone(),
        within: within.clone(),
        label_selector: None,
        field_selector: None,
        fields: None,
        limit: None,
        continue_: None,
    };
    let mut objects = Vec::new();
    loop {
        let page = reader.list_objects(&query).await?;
        let items: Vec<Value> = serde_json::from_str(&page.items)
            .map_err(|_| Error::new(Code::Unavailable, "the API server's answer is no list of objects"))?;
        objects.extend(items);
        if objects.len() > OBJECTS {
            let words = format!("it has more than {OBJECTS} objects: narrow the cases with `namespaces`");
            return Err(Error::new(Code::TooLarge, words));
        }
        match page.continue_ {
            Some(cursor) => query.continue_ = Some(cursor),
            None => return Ok(objects),
        }
    }
}
