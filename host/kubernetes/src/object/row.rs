//! A row of a table: cells that a server has made of an object.
//!
//! What a cell shows has no place of its own any more, so what the object's places hide is looked for in it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use sandbar_secrets::masked;

use super::Object;
use super::mask::{Context, Mask};
use super::tree::{Fault, Kind, Tree, ValueRef};
use super::write::{TEXTS_MAX, UNREADABLE, quoted};

/// What is known of the object in a row of which only the metadata was sent.
const METADATA_ALONE: &str = "PartialObjectMetadata";

/// Bytes of a hidden value by which it is recognised in a cell: enough to tell it from others, also where the cell has only its beginning.
const KNOWN_BY: usize = 32;

/// Bytes of the shortest one that is looked for within a cell. A shorter one has to be all of it.
const WITHIN: usize = 4;

/// Hidden values of one object that are looked for. With more of them, all cells are hidden.
const VALUES_MAX: usize = 1024;

/// A row of a table.
pub(crate) struct Row<'t> {
    /// The raw metadata of its object.
    pub(crate) metadata: &'t str,
    object: ValueRef<'t>,
    cells: ValueRef<'t>,
}

impl Object<'_> {
    /// The object as a row; none if it has no cells, or not the metadata of its object.
    pub(crate) fn row(&self) -> Option<Row<'_>> {
        let row = self.tree.root();
        let object = row.get("object")?;
        Some(Row { metadata: object.get("metadata")?.raw(), object, cells: row.get("cells")? })
    }
}

impl<'t> Row<'t> {
    /// Whether its object was sent as a whole.
    pub(crate) fn has_object(&self) -> bool {
        self.object.get("kind").is_none_or(|kind| kind.text() != METADATA_ALONE)
    }

    /// Its raw cells.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &'t str> {
        self.cells.elements().map(ValueRef::raw)
    }

    /// Its cells without what is hidden in its object.
    pub(crate) fn cells_without_secrets(&self, mask: Mask) -> impl Iterator<Item = Cow<'t, str>> {
        let mut hidden = BTreeMap::new();
        if let Some(root) = mask.root() {
            collect(self.object, root, 0, &mut hidden);
        }
        let hidden = Hidden::new(hidden);
        self.cells.elements().map(move |cell| match hidden.in_cell(cell) {
            None => Cow::Borrowed(cell.raw()),
            Some(kind) => Cow::Owned(quoted(&masked(kind))),
        })
    }
}

/// Adds the values that are hidden for their place, each with its kind. One more than are looked for is enough.
fn collect<'t>(value: ValueRef<'t>, place: Context<'t>, texts: u8, hidden: &mut BTreeMap<String, &'static str>) {
    if hidden.len() > VALUES_MAX {
        return;
    }
    match value.kind() {
        Kind::Object => {
            let inside = place.inside(value);
            for (key, value) in value.entries() {
                collect(value, inside.place(key, value), texts, hidden);
            }
        }
        Kind::Array => {
            let mut places = place.elements(value);
            for element in value.elements() {
                let place = places.next(element);
                collect(element, place, texts, hidden);
            }
        }
        Kind::PlainString | Kind::String | Kind::Number | Kind::Literal => match place.hides(value) {
            Some(kind) => hidden.extend(spellings(value).filter(|text| !text.is_empty()).map(|text| (text, kind))),
            None if value.is_string() => collect_in_text(&value.text(), texts, hidden),
            None => {}
        },
    }
}

/// The same for a string that is JSON itself.
fn collect_in_text(text: &str, texts: u8, hidden: &mut BTreeMap<String, &'static str>) {
    if !text.trim_ascii_start().starts_with(['{', '[']) {
        return;
    }
    match Tree::parse(text) {
        Ok(tree) if texts < TEXTS_MAX => collect(tree.root(), Context::default(), texts + 1, hidden),
        Err(Fault::Syntax(_)) => {}
        Ok(_) | Err(Fault::TooDeep | Fault::TooLarge) => _ = hidden.insert(text.to_owned(), UNREADABLE),
    }
}

/// A value as a cell may spell it: of a number that is no integer, also the digits of it in Go, and its integer.
fn spellings(value: ValueRef<'_>) -> impl Iterator<Item = String> {
    let number = (value.kind() == Kind::Number && value.raw().contains(['.', 'e', 'E'])).then(|| value.raw().parse::<f64>().ok());
    let in_go = number.flatten().into_iter().flat_map(|number| {
        let digits = format!("{number:e}").split('e').next().unwrap_or_default().to_owned();
        // A cast to an integer saturates.
        [digits, (number as i64).to_string()]
    });
    [value.text().into_owned()].into_iter().chain(in_go)
}

/// The hidden values of one object, to be found in its cells.
struct Hidden {
    /// Those that are too short to be looked for within a cell.
    short: BTreeMap<String, &'static str>,
    /// The kinds of the others.
    kinds: Vec<&'static str>,
    /// Their beginnings; none: they are too many to be looked for.
    beginnings: Option<AhoCorasick>,
}

impl Hidden {
    fn new(values: BTreeMap<String, &'static str>) -> Self {
        let are_few = values.len() <= VALUES_MAX;
        let (short, long): (BTreeMap<_, _>, BTreeMap<_, _>) = values.into_iter().partition(|(text, _)| text.len() < WITHIN);
        let kinds = long.values().copied().collect();
        let beginning = |text: &String| text.as_bytes()[..text.len().min(KNOWN_BY)].to_vec();
        // Made for each row, so it should be made fast.
        let search =
            || AhoCorasick::builder().kind(Some(AhoCorasickKind::NoncontiguousNFA)).build(long.keys().map(beginning)).ok();
        Self { short, kinds, beginnings: are_few.then(search).flatten() }
    }

    /// The kind of a hidden value that a cell shows.
    fn in_cell(&self, cell: ValueRef<'_>) -> Option<&'static str> {
        if self.short.is_empty() && self.kinds.is_empty() {
            return None;
        }
        match cell.kind() {
            Kind::Object => cell.entries().find_map(|(key, value)| self.in_cell(key).or_else(|| self.in_cell(value))),
            Kind::Array => cell.elements().find_map(|element| self.in_cell(element)),
            Kind::Literal if cell.is_null() => None,
            _ => self.in_text(&cell.text()),
        }
    }

    fn in_text(&self, text: &str) -> Option<&'static str> {
        let Some(beginnings) = &self.beginnings else { return self.kinds.first().copied() };
        let long = || beginnings.find(text).and_then(|hit| self.kinds.get(hit.pattern().as_usize()).copied());
        self.short.get(text).copied().or_else(long)
    }
}
