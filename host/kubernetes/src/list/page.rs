//! Collects the objects of one page while the list's body arrives.
//!
//! A server that pages sends at most as many objects as it was asked for, and they are kept as they come. One that sends more
//! ignores the limit: then the page is the smallest objects after the cursor, in a bounded heap, so that memory is that of the
//! page however long the list is. Order by (namespace, name) does not move between two requests, the order of such a server may.

use std::borrow::Cow;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::cursor::Key;
use super::filter::Filter;
use crate::error::{Code, Error};
use crate::fields::Keep;
use crate::object::{Mask, Object, ObjectMeta};

/// Bytes of the digest of a name that is masked.
const DIGEST_LEN: usize = 8;

/// What a page may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Objects.
    pub(super) objects: NonZeroU32,
    /// Bytes of pruned JSON.
    pub(super) bytes: usize,
}

/// Which objects of a list are wanted, and what of them.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'q> {
    pub(super) keep: &'q Keep,
    pub(super) mask: Mask,
    pub(super) filter: &'q Filter,
    pub(super) size: Size,
}

/// Why a body is not read on.
#[derive(Debug)]
pub(super) enum Stop {
    /// The page is over its bytes after this many objects, and the rest of the body with its token would be lost.
    Full { fitting: u32 },
    /// It cannot be read.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

/// The page so far.
pub(super) enum PageBuilder<'q> {
    /// In the server's order, from a server that pages as far as is known.
    AsSent(AsSent<'q>),
    /// In our own order, from a server that does not.
    Smallest(Smallest<'q>),
}

impl<'q> PageBuilder<'q> {
    /// A page from a server that may or may not page.
    pub(super) fn as_sent(wanted: Wanted<'q>) -> Self {
        PageBuilder::AsSent(AsSent { wanted, received: 0, json: String::new(), entries: Vec::new() })
    }

    /// A page of a list that is cut on this side.
    pub(super) fn smallest(wanted: Wanted<'q>, after: Option<Key>) -> Self {
        PageBuilder::Smallest(Smallest::new(wanted, after))
    }

    /// Takes the next object of the body.
    pub(super) fn take(&mut self, object: &[u8]) -> Result<(), Stop> {
        let object = Object::read(object)?;
        match self {
            PageBuilder::AsSent(page) if page.received < page.wanted.size.objects.get() => page.take(&object),
            PageBuilder::AsSent(page) => {
                // More than was asked for.
                let mut smallest = page.hand_over();
                smallest.take(&object)?;
                *self = PageBuilder::Smallest(smallest);
                Ok(())
            }
            PageBuilder::Smallest(page) => Ok(page.take(&object)?),
        }
    }
}

/// The objects in the order in which they came.
pub(super) struct AsSent<'q> {
    wanted: Wanted<'q>,
    /// Objects that the server sent, those that the filter dropped included.
    received: u32,
    /// Pruned objects with commas between them.
    json: String,
    entries: Vec<(Key, Range<usize>)>,
}

impl<'q> AsSent<'q> {
    fn take(&mut self, object: &Object<'_>) -> Result<(), Stop> {
        let identity = object.identity()?;
        if !self.wanted.filter.matches(&identity) {
            self.received += 1;
            return Ok(());
        }
        if !self.json.is_empty() {
            self.json.push(',');
        }
        let start = self.json.len();
        object.masked(self.wanted.mask).pick(self.wanted.keep, &mut self.json);
        if self.json.len() > self.wanted.size.bytes {
            return Err(Stop::Full { fitting: self.received });
        }
        self.received += 1;
        self.entries.push((Key::from(&identity), start..self.json.len()));
        Ok(())
    }

    /// Hands the objects over to a page that is cut on this side.
    fn hand_over(&mut self) -> Smallest<'q> {
        let mut smallest = Smallest::new(self.wanted, None);
        for (key, range) in self.entries.drain(..) {
            smallest.insert(Kept { key: key.masked(self.wanted.mask), json: self.json[range].to_owned() });
        }
        smallest
    }

    /// The pruned objects, with commas between them, and how many they are.
    pub(super) fn finish(self) -> (String, usize) {
        (self.json, self.entries.len())
    }
}

/// The smallest objects after the cursor.
pub(super) struct Smallest<'q> {
    wanted: Wanted<'q>,
    after: Option<Key>,
    /// The largest on top.
    heap: BinaryHeap<Kept>,
    bytes: usize,
    /// The smallest key that did not fit. Nothing at or behind it can be on this page.
    bound: Option<Key>,
    left_out: u32,
}

/// An object on the page.
struct Kept {
    key: Key,
    json: String,
}

/// A finished page that was cut on this side.
pub(super) struct FinishedPage {
    /// Pruned objects with commas between them.
    pub(super) json: String,
    /// How many they are.
    pub(super) count: usize,
    /// The last of them and how many follow it, if any does.
    pub(super) rest: Option<(Key, u32)>,
}

impl<'q> Smallest<'q> {
    fn new(wanted: Wanted<'q>, after: Option<Key>) -> Self {
        Self { wanted, after, heap: BinaryHeap::new(), bytes: 0, bound: None, left_out: 0 }
    }

    fn take(&mut self, object: &Object<'_>) -> Result<(), Error> {
        let identity = object.identity()?;
        let key = Key::from(&identity).masked(self.wanted.mask);
        if self.after.as_ref().is_some_and(|after| key <= *after) || !self.wanted.filter.matches(&identity) {
            return Ok(());
        }
        if self.bound.as_ref().is_some_and(|bound| key >= *bound) {
            self.left_out += 1;
            return Ok(());
        }
        let mut json = String::new();
        object.masked(self.wanted.mask).pick(self.wanted.keep, &mut json);
        self.insert(Kept { key, json });
        Ok(())
    }

    fn insert(&mut self, kept: Kept) {
        self.bytes += kept.json.len() + 1;
        self.heap.push(kept);
        let Size { objects, bytes } = self.wanted.size;
        while (self.heap.len() > objects.get() as usize || self.bytes > bytes)
            && self.heap.len() > 1
            && let Some(largest) = self.heap.pop()
        {
            self.bytes -= largest.json.len() + 1;
            self.bound = Some(largest.key);
            self.left_out += 1;
        }
    }

    /// The page, once the body has been read to its end.
    pub(super) fn finish(self) -> Result<FinishedPage, Error> {
        if self.bytes > self.wanted.size.bytes.saturating_add(1) {
            return Err(too_large(self.wanted.size.bytes));
        }
        let kept = self.heap.into_sorted_vec();
        let last = kept.last().map(|kept| kept.key.clone());
        let count = kept.len();
        let json = kept.into_iter().map(|kept| kept.json).collect::<Vec<_>>().join(",");
        Ok(FinishedPage { json, count, rest: last.filter(|_| self.left_out > 0).map(|key| (key, self.left_out)) })
    }

    /// Whether a part of the selectors could not be applied on this side.
    pub(super) fn selectors_are_uncertain(&self) -> bool {
        self.wanted.filter.is_beyond_us()
    }
}

/// The error for an object that no page can hold.
pub(super) fn too_large(page_bytes: usize) -> Error {
    Error::new(
        Code::TooLarge,
        format!("one object of the list is over the {page_bytes} bytes that a page may have; ask for fewer `fields`"),
    )
}

impl From<&ObjectMeta<'_>> for Key {
    fn from(identity: &ObjectMeta<'_>) -> Self {
        Self { namespace: identity.namespace.to_string(), name: identity.name.to_string() }
    }
}

impl Key {
    /// The key as it may travel in a cursor: of a name with a secret it has the mask, and a digest that tells it from others.
    fn masked(self, mask: Mask) -> Self {
        let shown = |name: String| match mask.name(&name) {
            Cow::Borrowed(_) => name,
            Cow::Owned(masked) => format!("{masked} {}", URL_SAFE_NO_PAD.encode(&Sha256::digest(&name)[..DIGEST_LEN])),
        };
        Self { namespace: shown(self.namespace), name: shown(self.name) }
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Kept {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ServedResource;

    const ROOMY: usize = 1 << 20;

    fn object(namespace: &str, name: &str) -> String {
        format!(r#"{{"metadata":{{"namespace":"{namespace}","name":"{name}"}}}}"#)
    }

    fn name_only() -> Keep {
        Keep::parse(Some(&["metadata.name".to_owned()])).expect("valid")
    }

    fn names(json: &str) -> Vec<String> {
        let items: Vec<serde_json::Value> = serde_json::from_str(&format!("[{json}]")).expect("JSON");
        items.iter().map(|item| item["metadata"]["name"].as_str().expect("a name").to_owned()).collect()
    }

    fn wanted<'q>(keep: &'q Keep, filter: &'q Filter, objects: u32, bytes: usize) -> Wanted<'q> {
        Wanted { keep, mask: Mask::nothing(), filter, size: Size { objects: NonZeroU32::new(objects).expect("some"), bytes } }
    }

    #[test]
    fn a_masked_name_is_masked_where_a_list_goes_on_too() {
        let tokens = ["ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "ghp_b1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"];
        let served = ServedResource::new("example.com", "v1", "things", true, &["list"]);
        let masked = Mask::of(&sandbar_policy::Grant::default(), &served);
        let keys = tokens.map(|name| {
            let object = object("team-a", name);
            let object = Object::read(object.as_bytes()).expect("valid");
            let identity = object.identity().expect("valid");
            assert_eq!(Key::from(&identity).masked(Mask::nothing()).name, name);
            Key::from(&identity).masked(masked).name
        });
        assert!(keys.iter().all(|key| key.starts_with("[masked: GitHub token]")), "{keys:?}");
        assert_ne!(keys[0], keys[1], "a list goes on behind one of them");
    }

    /// Reads the list page by page; the list turns by one place for each request.
    fn page_through(list: &[(&str, &str)], objects: u32, bytes: usize) -> Vec<Vec<String>> {
        let (keep, filter) = (name_only(), Filter::default());
        let mut list = list.to_vec();
        let mut pages = Vec::new();
        let mut after = None;
        loop {
            list.rotate_left(1);
            let mut page = PageBuilder::smallest(wanted(&keep, &filter, objects, bytes), after);
            for (namespace, name) in &list {
                page.take(object(namespace, name).as_bytes()).expect("taken");
            }
            let PageBuilder::Smallest(page) = page else { panic!("it was one from the start") };
            let cut = page.finish().expect("a page");
            pages.push(names(&cut.json));
            let so_far: usize = pages.iter().map(Vec::len).sum();
            match cut.rest {
                None => {
                    assert_eq!(so_far, list.len());
                    return pages;
                }
                Some((key, left)) => {
                    assert_eq!(so_far + left as usize, list.len());
                    after = Some(key);
                }
            }
        }
    }

    const LIST: [(&str, &str); 5] = [("b", "one"), ("a", "two"), ("a", "one"), ("c", "zero"), ("b", "four")];

    #[test]
    fn a_list_that_moves_is_read_once_and_whole() {
        let sorted = ["one", "two", "four", "one", "zero"];
        for objects in 1..=6 {
            assert_eq!(page_through(&LIST, objects, ROOMY).concat(), sorted, "{objects} a page");
        }
        assert_eq!(page_through(&LIST, 2, ROOMY).len(), 3);
    }

    #[test]
    fn bytes_cut_a_page_as_objects_do() {
        let one = r#"{"metadata":{"name":"four"}}"#.len() + 1;
        let pages = page_through(&LIST, 100, 2 * one);
        assert_eq!(pages.concat(), ["one", "two", "four", "one", "zero"]);
        assert_eq!(pages.len(), 3);
    }

    #[test]
    fn an_object_that_fits_no_page_is_too_large() {
        let (keep, filter) = (name_only(), Filter::default());
        let mut page = PageBuilder::smallest(wanted(&keep, &filter, 10, 8), None);
        page.take(object("a", "one").as_bytes()).expect("taken");
        let PageBuilder::Smallest(page) = page else { panic!("it was one from the start") };
        assert_eq!(page.finish().err().map(|error| error.code), Some(Code::TooLarge));
    }

    #[test]
    fn more_than_was_asked_for_makes_it_our_page() {
        let (keep, filter) = (name_only(), Filter::default());
        let mut page = PageBuilder::as_sent(wanted(&keep, &filter, 2, ROOMY));
        for (namespace, name) in LIST {
            page.take(object(namespace, name).as_bytes()).expect("taken");
        }
        let PageBuilder::Smallest(page) = page else { panic!("five of two") };
        let cut = page.finish().expect("a page");
        assert_eq!(names(&cut.json), ["one", "two"]);
        assert_eq!(cut.rest, Some((Key { namespace: "a".into(), name: "two".into() }, 3)));
    }

    #[test]
    fn a_page_as_sent_keeps_the_order_and_drops_what_does_not_match() {
        let keep = name_only();
        let filter = Filter::parse(None, Some("metadata.namespace!=a"));
        let mut page = PageBuilder::as_sent(wanted(&keep, &filter, 5, ROOMY));
        for (namespace, name) in LIST {
            page.take(object(namespace, name).as_bytes()).expect("taken");
        }
        let PageBuilder::AsSent(page) = page else { panic!("five of five") };
        let (json, count) = page.finish();
        assert_eq!((names(&json), count), (vec!["one".to_owned(), "zero".to_owned(), "four".to_owned()], 3));
    }

    #[test]
    fn a_full_page_says_how_much_fits() {
        let (keep, filter) = (name_only(), Filter::default());
        let one = r#"{"metadata":{"name":"one"}}"#.len() + 1;
        let mut page = PageBuilder::as_sent(wanted(&keep, &filter, 5, 2 * one));
        page.take(object("b", "one").as_bytes()).expect("fits");
        page.take(object("a", "two").as_bytes()).expect("fits");
        assert!(matches!(page.take(object("a", "one").as_bytes()), Err(Stop::Full { fitting: 2 })));
    }
}
