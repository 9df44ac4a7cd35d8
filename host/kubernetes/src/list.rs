//! One page of a list.
//!
//! Three ways lead to it: the server's own pages, lists that are cut here because the server sends them whole (`single` tells them
//! apart as the body arrives), and the allowed namespaces one after the other (`fanout`).

mod cursor;
mod fanout;
mod filter;
mod page;
mod single;
mod table;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use http::StatusCode;
use sandbar_policy::{Access, Limits, Namespaces, Verb};
use sandbar_secrets::Secrets;

use self::cursor::{Binding, Cursor, Position};
use self::page::Size;
use self::single::{Listing, Part};
use super::context::ReadContext;
use super::error::{Code, Error};
use super::exchange::{FIRST_BYTE, Failure};
use super::fields::Keep;
use super::name::check_resource;
use super::place::{Asked, Target};
use super::request::Form;
use super::rights::Selectors;
use super::types::{Column, Page, Query, ServedResource, TablePage};
use filter::Filter;
pub(super) use filter::single_name;

/// Objects on a page, where nobody says how many: as many as a model reads at once, and one event page of the server that Sandbar
/// replaces.
const DEFAULT_LIMIT: u32 = 200;

/// Bytes of pruned JSON on a page: 40 KiB for each of 200 objects.
const PAGE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The share of the component's memory that a page may take: it is copied in, parsed and turned into a result there.
const PAGE_SHARE_OF_MEMORY: u64 = 8;

/// Bytes of a selector: it has to fit a URL, and no person writes a longer one.
const SELECTOR_MAX: usize = 8 * 1024;

/// Reads one page.
pub(super) async fn read(context: &ReadContext, query: &Query) -> Result<Page, Error> {
    let keep = Keep::parse(query.fields.as_deref())?;
    let (page, _) = page(context, query, &keep, |_| keep.form()).await?;
    Ok(page)
}

/// Reads one page of a table.
pub(super) async fn table(context: &ReadContext, query: &Query) -> Result<TablePage, Error> {
    let keep = table::kept(query.fields.as_deref())?;
    let (page, columns) = page(context, query, &keep, |served| table::form(context, served)).await?;
    Ok(TablePage { columns, page })
}

async fn page(
    context: &ReadContext,
    query: &Query,
    keep: &Keep,
    form: impl FnOnce(&ServedResource) -> Form,
) -> Result<(Page, Vec<Column>), Error> {
    check_resource(&query.of)?;
    for (selector, what) in [(&query.label_selector, "label-selector"), (&query.field_selector, "field-selector")] {
        let length = selector.as_ref().map_or(0, String::len);
        if length > SELECTOR_MAX {
            return Err(Error::new(Code::Invalid, format!("`{what}` has {length} bytes, {SELECTOR_MAX} at most are possible")));
        }
    }
    let filter = Filter::parse(query.label_selector.as_deref(), query.field_selector.as_deref());
    let asked = Asked::parse(&query.within)?;

    let served = context.wait_for(context.server.discovery.find(&query.of)).await?;
    if !served.verbs.has(Verb::List) {
        return Err(Error::new(
            Code::NotServed,
            format!("the cluster cannot list {}: it only offers {}", query.of, served.verbs),
        ));
    }
    let target = asked.target(&served)?;
    if target == Target::EveryNamespace && is_events(&served.group, &served.plural) {
        return Err(Error::new(Code::Invalid, "events can only be listed in one namespace, name it"));
    }
    let name = single_name(query.field_selector.as_deref());
    let access = Access {
        verb: Verb::List,
        group: &served.group,
        version: &served.version,
        resource: &served.plural,
        place: target.place(),
        name: name.as_ref().map(|name| name.as_str()),
    };
    context.grant.check(&access)?;

    if let Some(words) = filter.unfit_for_masks().filter(|_| context.grant.secrets == Secrets::Masked) {
        return Err(Error::new(Code::Invalid, words));
    }

    let selectors = Selectors { label: query.label_selector.as_deref(), field: query.field_selector.as_deref() };
    let (allowed, left_out) = match target {
        Target::EveryNamespace => context.visible(&access, selectors).await?,
        Target::Cluster | Target::Namespace(_) => {
            context.authorize(&access, selectors).await?;
            (Namespaces::All, None)
        }
    };
    // Not to those that are visible now: a namespace may come or go between two pages.
    let binding = Binding::new(query, &context.grant.namespaces, &context.cluster);
    let cursor = query.continue_.as_deref().filter(|text| !text.is_empty()).map(|text| binding.open(text)).transpose()?;
    let limits = context.budget.limits();
    let form = form(&served);
    let listing = Listing { context, served: &served, access: &access, query, keep, filter: &filter, form, is_swept: false };
    let size = Size { objects: page_objects(query.limit, limits), bytes: context.share.of_answer(page_bytes(limits)) };

    let mut gathered = match allowed {
        Namespaces::Only(names) if cursor.as_ref().is_none_or(|cursor| cursor.namespace.is_some()) => {
            fanout::read(&listing, &names, cursor, size).await?
        }
        Namespaces::Only(_) => return Err(rights_have_changed()),
        Namespaces::All => whole(&listing, &target, cursor, size).await?,
    };
    gathered.warnings.extend(left_out);
    let columns = std::mem::take(&mut gathered.columns);
    Ok((gathered.seal(&binding)?, columns))
}

/// Reads a page of a list as one list, or, in the name of a caller who may not list in every namespace, of those in which they may.
async fn whole(listing: &Listing<'_>, target: &Target, cursor: Option<Cursor>, size: Size) -> Result<Gathered, Error> {
    let in_their_name = listing.context.rights.impersonated()?.is_some() && *target == Target::EveryNamespace;
    let has_begun = cursor.is_some();
    let position = match cursor {
        Some(cursor) if cursor.namespace.is_some() => {
            // It goes on as it began: what the caller may list by now, the API server decides anew in each namespace.
            return if in_their_name {
                of_namespaces(listing, rights_have_changed(), Some(cursor), size).await
            } else {
                Err(rights_have_changed())
            };
        }
        cursor => cursor.map_or(Position::Start, |cursor| cursor.position),
    };
    match listing.part(target.namespace(), position, size, FIRST_BYTE).await {
        Ok(part) => Ok(part.into()),
        Err(Failure::Forbidden(_)) if in_their_name && has_begun => Err(rights_have_changed()),
        Err(Failure::Forbidden(error)) if in_their_name => of_namespaces(listing, error, None, size).await,
        Err(Failure::Refused(refusal)) if listing.form.is_row() && refusal.status == StatusCode::NOT_ACCEPTABLE => {
            Err(table::no_table())
        }
        Err(failure) => Err(with_advice(failure.into(), target)),
    }
}

/// Reads a page of all namespaces that the caller may see, one after the other; `error` is why not of all at once.
async fn of_namespaces(listing: &Listing<'_>, error: Error, cursor: Option<Cursor>, size: Size) -> Result<Gathered, Error> {
    let (names, are_all) = listing.context.namespaces(error).await?;
    let mut gathered = fanout::read(listing, &names, cursor, size).await?;
    if !are_all {
        gathered.warnings.push(format!("the cluster has more namespaces than the {} that are looked into", names.len()));
    }
    Ok(gathered)
}

fn rights_have_changed() -> Error {
    let words = "the caller's rights have changed since the last page: start the list again without `continue`";
    Error::new(Code::Expired, words)
}

/// A page whose cursor is not written yet.
struct Gathered {
    /// Pruned objects with commas between them.
    json: String,
    count: usize,
    next: Option<Cursor>,
    remaining: Option<u32>,
    warnings: Vec<String>,
    /// The columns of a table.
    columns: Vec<Column>,
}

impl Gathered {
    fn empty() -> Self {
        Self { json: String::new(), count: 0, next: None, remaining: None, warnings: Vec::new(), columns: Vec::new() }
    }

    fn seal(self, binding: &Binding) -> Result<Page, Error> {
        Ok(Page {
            items: format!("[{}]", self.json),
            continue_: self.next.map(|cursor| binding.seal(cursor)).transpose()?,
            remaining: self.remaining,
            warnings: self.warnings,
        })
    }
}

impl From<Part> for Gathered {
    fn from(part: Part) -> Self {
        let Part { json, count, next, remaining, warnings, columns } = part;
        let next = next.map(|position| Cursor { namespace: None, position, answered: true });
        Self { json, count, next, remaining, warnings, columns }
    }
}

/// A limit above the operator's is lowered without a word: the cursor says that there is more.
fn page_objects(limit: Option<u32>, limits: &Limits) -> NonZeroU32 {
    let wanted = limit.filter(|&limit| limit > 0).unwrap_or(DEFAULT_LIMIT);
    NonZeroU32::new(wanted.min(limits.page)).unwrap_or(NonZeroU32::MIN)
}

/// Bytes of JSON that are handed over at once.
pub(super) fn page_bytes(limits: &Limits) -> usize {
    usize::try_from(PAGE_BYTES_MAX.min(limits.memory / PAGE_SHARE_OF_MEMORY)).unwrap_or(usize::MAX)
}

/// Both APIs read the same objects.
fn is_events(group: &str, plural: &str) -> bool {
    plural == "events" && matches!(group, "" | "events.k8s.io")
}

/// What to do where the server's RBAC grants single namespaces only.
fn with_advice(error: Error, target: &Target) -> Error {
    if error.code != Code::Denied || *target != Target::EveryNamespace {
        return error;
    }
    let advice = "name a namespace, or let the operator set `namespaces`, so that each of them is asked by itself";
    Error { message: format!("{}; {advice}", error.message), ..error }
}
