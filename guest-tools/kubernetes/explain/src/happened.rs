//! The events of some objects.

use sandbar_tool::kubernetes::events::{about, grouped};
use sandbar_tool::read::list_many;

use crate::account::Account;

/// Events of one object that are read.
const EVENTS_MAX: u32 = 200;

/// Adds the events of these objects, by kind, namespace and name.
pub(crate) fn add(account: &mut Account, objects: &[(&str, &str, &str)]) {
    // Those of a cluster-scoped object are in the namespace `default`.
    let place = |namespace: &str| if namespace.is_empty() { "default".to_owned() } else { namespace.to_owned() };
    let lists = objects.iter().map(|(kind, namespace, name)| about(kind, &place(namespace), name).limit(Some(EVENTS_MAX)));
    let Some(answers) = account.took("events", list_many(lists.collect())) else { return };
    let mut events = std::mem::take(&mut account.events);
    for answer in answers {
        events.extend(account.took("events", answer).map(|page| page.items).unwrap_or_default());
    }
    account.events = grouped(events);
}
