//! A list over every namespace that the operator allows: one namespace after the other, under one cursor.
//!
//! So a list works where RBAC grants single namespaces only. A namespace that does not answer is a warning, because it must not
//! hide the others; only if none answers it is an error.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::Bound;
use std::time::Duration;

use super::Gathered;
use super::cursor::{Cursor, Position};
use super::page::Size;
use super::single::{Listing, Part};
use crate::kubernetes::error::{Code, Error};
use crate::kubernetes::exchange::FIRST_BYTE;
use crate::kubernetes::name::Namespace;
use crate::policy::Budget;

/// The part of the call's time that is kept for handing the page out: with less than this left, no further namespace is asked.
const TIME_KEPT: u32 = 8;

/// Reads one page across the namespaces.
pub(super) async fn read(
    listing: &Listing<'_>,
    allowed: &BTreeSet<String>,
    cursor: Option<Cursor>,
    size: Size,
) -> Result<Gathered, Error> {
    if allowed.is_empty() {
        return Err(Error::new(
            Code::Denied,
            "this server may not look into any namespace; the operator can allow some with `namespaces`",
        ));
    }
    let cursor = cursor.unwrap_or(Cursor { namespace: None, position: Position::Start, answered: false });
    let from = cursor.namespace.as_deref().map_or(Bound::Unbounded, Bound::Included);
    let last = allowed.last().map(String::as_str);
    let mut page = Fanout { gathered: Gathered::empty(), size, answered: cursor.answered, asked: 0, first_error: None };
    let mut position = cursor.position;

    for name in allowed.range::<str, _>((from, Bound::Unbounded)) {
        // Only the namespace that the cursor names is entered in its middle.
        let position = match cursor.namespace.as_deref() == Some(name) {
            true => std::mem::replace(&mut position, Position::Start),
            false => Position::Start,
        };
        let resumed = position != Position::Start;
        let Some(room) = page.room(listing.reader.budget()) else {
            return page.stop_at(name, position);
        };
        match page.ask(listing, name, position.clone(), room).await {
            Ok(part) => {
                let next = part.next.clone();
                let remaining = part.remaining.filter(|_| last == Some(name));
                page.add(part);
                if let Some(next) = next {
                    page.gathered.remaining = remaining;
                    return page.stop_at(name, next);
                }
            }
            Err(error) if page.asked > 0 && can_wait(error.code) => return page.stop_at(name, position),
            // In the middle of a list nothing is skipped: the same cursor can be tried again.
            Err(error) if resumed || concerns_the_call(error.code) => return Err(error),
            Err(error) => page.skip(name, error),
        }
        page.asked += 1;
    }
    page.end()
}

/// Failures that a next call may not see, so the page ends before the namespace instead of leaving it out.
fn can_wait(code: Code) -> bool {
    matches!(code, Code::Exhausted | Code::Throttled)
}

/// Failures that every other namespace would repeat.
fn concerns_the_call(code: Code) -> bool {
    matches!(code, Code::Exhausted | Code::Throttled | Code::Invalid)
}

/// The page while it is filled.
struct Fanout {
    gathered: Gathered,
    size: Size,
    /// A namespace has answered, here or on an earlier page.
    answered: bool,
    /// Namespaces that this page has dealt with.
    asked: u32,
    first_error: Option<Error>,
}

impl Fanout {
    /// What may still come onto the page; none: the page ends here. The first namespace is always asked, so every page gets on.
    fn room(&self, budget: &Budget) -> Option<Size> {
        let taken = u32::try_from(self.gathered.count).unwrap_or(u32::MAX);
        let objects = NonZeroU32::new(self.size.objects.get().saturating_sub(taken))?;
        let bytes = self.size.bytes.saturating_sub(self.gathered.json.len() + 1);
        let spent = bytes == 0 || !budget.has_request() || budget.remaining() < budget.limits().time / TIME_KEPT;
        (self.asked == 0 || !spent).then_some(Size { objects, bytes })
    }

    async fn ask(&self, listing: &Listing<'_>, name: &str, position: Position, room: Size) -> Result<Part, Error> {
        let namespace = Namespace::parse(name)?;
        // A namespace whose API hangs leaves time for the others.
        let first_byte: Duration = FIRST_BYTE.min(listing.reader.budget().remaining() / 2);
        let answer = listing.part(Some(&namespace), position, room, first_byte).await;
        match answer {
            // It is not the object that is too large, but the room that is left.
            Err(error) if error.code == Code::TooLarge && self.gathered.count > 0 => {
                Err(Error { code: Code::Exhausted, ..error })
            }
            answer => answer,
        }
    }

    fn add(&mut self, part: Part) {
        self.answered = true;
        if !part.json.is_empty() {
            if !self.gathered.json.is_empty() {
                self.gathered.json.push(',');
            }
            self.gathered.json.push_str(&part.json);
        }
        self.gathered.count += part.count;
        for warning in part.warnings {
            if !self.gathered.warnings.contains(&warning) {
                self.gathered.warnings.push(warning);
            }
        }
    }

    fn skip(&mut self, name: &str, error: Error) {
        self.gathered.warnings.push(format!("namespace {name} is missing here: {}", error.message));
        self.first_error.get_or_insert(error);
    }

    /// The page, to be continued.
    fn stop_at(mut self, name: &str, position: Position) -> Result<Gathered, Error> {
        if let Some(error) = self.first_error.take_if(|error| !self.answered && error.code == Code::Unavailable) {
            // Nobody has answered so far: that is an outage, and a cursor would only lead through the rest of it.
            return Err(error);
        }
        self.gathered.next = Some(Cursor { namespace: Some(name.to_owned()), position, answered: self.answered });
        Ok(self.gathered)
    }

    /// The last page.
    fn end(self) -> Result<Gathered, Error> {
        match self.first_error {
            Some(error) if !self.answered => Err(error),
            _ => Ok(self.gathered),
        }
    }
}
