//! One list of one place: the request, its body as a stream, and the second request where the first was too much or too late.

use std::num::NonZeroU32;
use std::time::Duration;

use sandbar_policy::{Access, Place};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::cursor::Position;
use super::filter::Filter;
use super::page::{PageBuilder, Size, Smallest, Stop, Wanted, too_large};
use super::table::Rows;
use crate::context::ReadContext;
use crate::error::{Code, Error};
use crate::exchange::Failure;
use crate::fields::Keep;
use crate::items::Splitter;
use crate::name::Namespace;
use crate::object::{Mask, OBJECT_MAX};
use crate::request::{Form, ListParameters, Read};
use crate::response::{Incoming, json};
use crate::types::{Column, Query, ServedResource};

/// A list that has passed the grant.
#[derive(Clone, Copy)]
pub(super) struct Listing<'q> {
    pub(super) context: &'q ReadContext,
    pub(super) served: &'q ServedResource,
    pub(super) access: &'q Access<'q>,
    pub(super) query: &'q Query,
    pub(super) keep: &'q Keep,
    pub(super) filter: &'q Filter,
    /// What is sent for each object.
    pub(super) form: Form,
    /// Whether it goes on in a further namespace: those of one page count as one request.
    pub(super) is_swept: bool,
}

/// What one place gave to a page.
#[derive(Debug)]
pub(super) struct Part {
    /// Pruned objects with commas between them.
    pub(super) json: String,
    /// How many they are.
    pub(super) count: usize,
    /// Where the list goes on; none: it has ended.
    pub(super) next: Option<Position>,
    /// How many objects follow, where that is known.
    pub(super) remaining: Option<u32>,
    pub(super) warnings: Vec<String>,
    /// The columns of a table.
    pub(super) columns: Vec<Column>,
}

impl Listing<'_> {
    /// Reads on from a position.
    pub(super) async fn part(
        &self,
        namespace: Option<&Namespace>,
        mut position: Position,
        size: Size,
        first_byte: Duration,
    ) -> Result<Part, Failure> {
        let access =
            Access { place: namespace.map_or(self.access.place, |name| Place::Namespace(name.as_str())), ..*self.access };
        let mut size = size;
        let mut warning = None;
        loop {
            let get = self.request(namespace, &position, size.objects);
            let incoming = match self.context.ask(get, &access, first_byte).await {
                Ok(incoming) => incoming,
                Err(Failure::Refused(refusal)) if warning.is_none() && refusal.fresh_token().is_some() => {
                    // The old token's view of the list is gone. The server names the place in the list as it is now.
                    position = Position::Token(refusal.fresh_token().unwrap_or_default().to_owned());
                    warning = Some("the list has changed since its first pages: objects may be missing or come twice".to_owned());
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let said = incoming.warnings.clone();
            match self.body(incoming, namespace, &position, size).await {
                Ok(mut part) => {
                    part.warnings.extend(said);
                    part.warnings.extend(warning);
                    return Ok(part);
                }
                Err(Stop::Failed(error)) => return Err(error.into()),
                // The token may stand behind the items, so it is lost with the rest of the body. Fewer objects each time, so
                // this ends.
                Err(Stop::Full { fitting }) => {
                    size.objects = NonZeroU32::new(fitting).ok_or_else(|| too_large(size.bytes))?;
                }
            }
        }
    }

    /// Whether the server was seen to send this list whole, whatever `limit` it was sent.
    fn comes_whole(&self) -> bool {
        self.context.server.unpaged.has(self.served)
    }

    fn request(&self, namespace: Option<&Namespace>, position: &Position, objects: NonZeroU32) -> Read {
        let token = match position {
            Position::Token(token) => Some(token.as_str()),
            Position::Start | Position::After(_) => None,
        };
        // A limit is sent with an `After` position too: a made-up cursor must not make a server that pages send everything.
        let limit = Some(objects).filter(|_| token.is_some() || !self.comes_whole());
        let parameters = ListParameters {
            label_selector: self.query.label_selector.as_deref().filter(|selector| !selector.is_empty()),
            field_selector: self.query.field_selector.as_deref().filter(|selector| !selector.is_empty()),
            limit,
            token,
            form: self.form,
        };
        let read = Read::list(self.served, namespace, &parameters);
        if self.is_swept { read.swept() } else { read }
    }

    /// Reads a list's body into a page.
    async fn body(
        &self,
        mut incoming: Incoming<'_>,
        namespace: Option<&Namespace>,
        position: &Position,
        size: Size,
    ) -> Result<Part, Stop> {
        let mask = Mask::of(&self.context.grant, self.served);
        let wanted = Wanted { keep: self.keep, mask, filter: self.filter, size };
        let mut page = match position {
            Position::After(key) => PageBuilder::smallest(wanted, Some(key.clone())),
            Position::Start if self.comes_whole() => PageBuilder::smallest(wanted, None),
            Position::Start | Position::Token(_) => PageBuilder::as_sent(wanted),
        };
        let mut rows = Rows::of(self.form, mask);
        let array = if rows.is_some() { "rows" } else { "items" };
        let mut splitter = Splitter::new(array, self.context.share.of_held(OBJECT_MAX));
        let read_before = self.context.budget.read();
        let mut goes_on = matches!(position, Position::Token(_));
        while let Some(chunk) = incoming.chunk().await.map_err(|error| self.too_much(error, &page, read_before))? {
            splitter.feed_with_outline(&chunk, |outline, item| {
                if std::mem::take(&mut goes_on) {
                    self.ask_ahead(namespace, outline, size.objects);
                }
                match &mut rows {
                    Some(rows) => page.take(rows.object(outline, item)?.as_bytes()),
                    None => page.take(item),
                }
            })?;
        }
        let envelope = splitter.finish()?;
        let (metadata, columns) = match rows {
            Some(rows) => rows.end(&envelope)?,
            None => (json::<Envelope>(&envelope)?.metadata, Vec::new()),
        };
        let part = match page {
            PageBuilder::AsSent(page) => {
                let (json, count) = page.finish();
                let next = metadata.continue_.filter(|token| !token.is_empty()).map(Position::Token);
                let remaining = metadata.remaining.filter(|_| next.is_some()).and_then(|count| u32::try_from(count).ok());
                Part { json, count, next, remaining, warnings: Vec::new(), columns: Vec::new() }
            }
            PageBuilder::Smallest(page) => {
                let pages_now = metadata.continue_.is_some_and(|token| !token.is_empty());
                match position {
                    Position::Token(_) => return Err(Stop::Failed(restart("it no longer pages this list"))),
                    Position::After(_) if pages_now => return Err(Stop::Failed(restart("it now pages this list itself"))),
                    Position::Start | Position::After(_) => self.cut(page)?,
                }
            }
        };
        Ok(Part { columns, ..part })
    }

    /// Asks for the page after one whose beginning is known up to its objects: a component that has followed one cursor follows the next.
    fn ask_ahead(&self, namespace: Option<&Namespace>, outline: &[u8], objects: NonZeroU32) {
        // Where the token stands behind the objects, it is known too late to gain anything.
        let token = json::<Envelope>(&[outline, b"]}"].concat()).ok().and_then(|envelope| envelope.metadata.continue_);
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            self.context.ask_ahead(self.request(namespace, &Position::Token(token), objects));
        }
    }

    /// A page of a list that came whole.
    fn cut(&self, page: Smallest<'_>) -> Result<Part, Error> {
        self.context.server.unpaged.remember(self.served);
        let mut warnings = Vec::new();
        if page.selectors_are_uncertain() {
            let of = &self.query.of;
            warnings
                .push(format!("the API behind {of} sends whole lists and may not have applied the selector, check the objects"));
        }
        let cut = page.finish()?;
        let (next, remaining) = cut.rest.map(|(key, left)| (Position::After(key), left)).unzip();
        Ok(Part { json: cut.json, count: cut.count, next, remaining, warnings, columns: Vec::new() })
    }

    /// A list that comes whole and is over the whole budget cannot be read by any call, which is not the same as a spent budget.
    fn too_much(&self, error: Error, page: &PageBuilder<'_>, read_before: u64) -> Error {
        let budget = &self.context.budget;
        let limit = budget.limits().read;
        let comes_whole = matches!(page, PageBuilder::Smallest(_)) && error.code == Code::Exhausted;
        if !comes_whole || budget.read().saturating_sub(read_before) <= limit {
            return error;
        }
        Error::new(
            Code::TooLarge,
            format!(
                "the API behind {} sends its lists whole, and this one is over the {limit} bytes that a call may read (limit `read`); \
                 name a namespace",
                self.query.of
            ),
        )
    }
}

fn restart(reason: &str) -> Error {
    Error::new(Code::Expired, format!("the API server has changed ({reason}): start the list again without `continue`"))
}

/// A list without its items.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    metadata: ListMetadata,
    /// It has to be there, or this is no list: an array, less what the splitter has taken out of it, or null, which is how some
    /// servers write an empty one. Named like this, serde does not take it for optional.
    #[serde(rename = "items", deserialize_with = "Option::deserialize")]
    _items: Option<Vec<IgnoredAny>>,
}

#[derive(Default, Deserialize)]
pub(super) struct ListMetadata {
    #[serde(default, rename = "continue")]
    continue_: Option<String>,
    #[serde(default, rename = "remainingItemCount")]
    remaining: Option<i64>,
}
