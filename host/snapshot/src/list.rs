//! Lists: selectors, pages and cursors, as an API server with native paging answers.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use sandbar_processor::STEP_BYTES;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::Object;
use super::selector::Selector;
use super::status::Refusal;
use super::steps::Steps;
use super::store::{Collection, Snapshot};
use super::table::Shown;
use super::tail::Body;

/// The cost of visiting an object, beside what is read of it, in bytes that could be parsed meanwhile.
const LOOK_BYTES: usize = 64;

/// The parameters of a list request.
#[derive(Debug, Default)]
pub(super) struct Options {
    labels: Selector,
    fields: Selector,
    limit: Option<usize>,
    cursor: Option<Cursor>,
    /// Bytes of both selectors: each term is checked for each object.
    bytes: usize,
}

/// A position in the snapshot's order of objects. Like a server's own token, it has no scope.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    snapshot: String,
    after: String,
}

impl Cursor {
    fn encode(&self) -> String {
        // Two strings always serialise.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(token: &str) -> Result<Self, Refusal> {
        let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok();
        let cursor = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        cursor.ok_or_else(|| Refusal::bad_request("continue key is not valid: it is none that this snapshot gave out"))
    }
}

impl Options {
    /// Parses a query string. Parameters without effect on a cluster at rest are ignored.
    ///
    /// # Errors
    /// 400, in the API server's words, for an invalid parameter; 405 for a watch.
    pub(super) fn parse(query: &str) -> Result<Self, Refusal> {
        let mut options = Self { bytes: query.len(), ..Self::default() };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "labelSelector" => options.labels = Selector::parse_labels(&value).map_err(Refusal::bad_request)?,
                "fieldSelector" => options.fields = Selector::parse_fields(&value).map_err(Refusal::bad_request)?,
                "limit" if !value.is_empty() => options.limit = limit(&value)?,
                "continue" if !value.is_empty() => options.cursor = Some(Cursor::decode(&value)?),
                "watch" if ["1", "true"].contains(&&*value) => return Err(Refusal::method_not_allowed()),
                _ => {}
            }
        }
        Ok(options)
    }

    /// Whether an object is selected. Visits it once, however many terms the selectors have.
    fn select(&self, object: &Object) -> bool {
        let labels = OnceCell::new();
        let label = |key: &str| labels.get_or_init(|| object.labels()).get(key).and_then(Value::as_str);
        if !self.labels.matches(label) {
            return false;
        }
        let parsed = OnceCell::new();
        self.fields.matches(|path| match path {
            "metadata.name" => Some(Cow::Borrowed(object.name.as_str())),
            "metadata.namespace" => object.namespace.as_deref().map(Cow::Borrowed),
            path => field(parsed.get_or_init(|| object.value()), path),
        })
    }

    /// The cost of [`select`](Self::select), in bytes that could be parsed meanwhile.
    fn look_bytes(&self, object: &Object) -> usize {
        let labels = if self.labels.is_empty() { 0 } else { object.label_bytes() };
        let fields = if self.fields.is_empty() { 0 } else { object.json.len() };
        let terms = if self.labels.is_empty() && self.fields.is_empty() { 0 } else { self.bytes };
        LOOK_BYTES + terms + labels + fields
    }
}

/// 0 and less: no limit.
fn limit(text: &str) -> Result<Option<usize>, Refusal> {
    let number: i64 = number(text)?;
    Ok(usize::try_from(number).ok().filter(|limit| *limit > 0))
}

/// A whole number in a query string.
///
/// # Errors
/// 400 in the API server's words.
pub(super) fn number(text: &str) -> Result<i64, Refusal> {
    text.parse().map_err(|_| Refusal::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
}

/// A scalar at a dotted path, as text.
fn field<'o>(object: &'o Value, path: &str) -> Option<Cow<'o, str>> {
    match path.split('.').try_fold(object, |value, key| value.get(key))? {
        Value::String(text) => Some(text.into()),
        scalar @ (Value::Bool(_) | Value::Number(_)) => Some(scalar.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// One page of a list.
pub(super) struct ListChunk {
    /// The list's JSON up to the first item.
    head: String,
    items: Vec<Arc<Object>>,
    shown: Shown,
    /// What the list lacks.
    pub(super) warning: Option<String>,
}

/// One page of `collection`, in `namespace` or everywhere.
///
/// # Errors
/// 410 for a cursor of another snapshot, 404 if it was not gathered.
pub(super) async fn list(
    snapshot: &Snapshot,
    collection: &Collection,
    namespace: Option<&str>,
    options: &Options,
    shown: Shown,
    steps: &mut Steps,
) -> Result<ListChunk, Refusal> {
    if options.cursor.as_ref().is_some_and(|cursor| cursor.snapshot != snapshot.id()) {
        return Err(Refusal::expired());
    }
    let kind = &collection.kind;
    let is_of_namespaces = kind.group.is_empty() && kind.kind == "Namespace";
    let lacks = match (is_of_namespaces, namespace) {
        (true, _) => snapshot.coverage().namespaces_are_those_of_objects(),
        (false, namespace) => {
            snapshot.coverage().check(kind, namespace).map_err(Refusal::not_held)?;
            snapshot.coverage().gaps(kind).filter(|_| namespace.is_none())
        }
    };
    let after = options.cursor.as_ref().map(|cursor| cursor.after.as_str());
    // Like a server, it does not count with a selector.
    let counted = options.labels.is_empty() && options.fields.is_empty();
    let (mut items, mut last, mut remaining) = (Vec::new(), None, 0_i64);
    for (key, object) in collection.after(namespace, after) {
        steps.take(options.look_bytes(object)).await;
        if !options.select(object) {
            continue;
        }
        if items.len() < options.limit.unwrap_or(usize::MAX) {
            steps.take(shown.bytes(object)).await;
            items.push(Arc::clone(object));
            last = Some(key);
        } else {
            remaining += 1;
            if !counted {
                break;
            }
        }
    }

    let api_version = if kind.group.is_empty() { kind.version.clone() } else { format!("{}/{}", kind.group, kind.version) };
    let mut metadata = ListMeta { resource_version: Some(snapshot.revision().to_string()), ..ListMeta::default() };
    if let (Some(last), true) = (last, remaining > 0) {
        metadata.continue_ = Some(Cursor { snapshot: snapshot.id().to_owned(), after: last.to_owned() }.encode());
        metadata.remaining_item_count = counted.then_some(remaining);
    }
    // Texts and a number always serialise.
    let metadata = serde_json::to_string(&metadata).unwrap_or_default();
    let head = shown.head(&format!("{}List", kind.kind), &api_version, &metadata);
    // Only on the first page.
    Ok(ListChunk { head, items, shown, warning: lacks.filter(|_| after.is_none()) })
}

impl ListChunk {
    /// The list as JSON, written while it is read: a long list is never in memory twice, and the reader can stop early.
    pub(super) fn into_body(self) -> Body {
        let Self { head, items, shown, .. } = self;
        let pieces = stream::unfold(
            (Some(head.into_bytes()), items.into_iter(), true),
            move |(piece, mut items, mut is_first)| async move {
                let mut piece = piece?;
                // An item may be much to look at and little to show.
                let mut looked_at = 0;
                while piece.len().max(looked_at) < STEP_BYTES {
                    let Some(item) = items.next() else {
                        piece.extend_from_slice(b"]}");
                        return Some((Ok(Frame::data(piece.into())), (None, items, false)));
                    };
                    if !std::mem::take(&mut is_first) {
                        piece.push(b',');
                    }
                    looked_at += shown.bytes(&item);
                    piece.extend_from_slice(shown.item(&item).as_bytes());
                }
                Some((Ok(Frame::data(piece.into())), (Some(Vec::new()), items, is_first)))
            },
        );
        StreamBody::new(pieces).boxed_unsync()
    }
}
