//! The events of some objects.

use sandbar_tool::kubernetes::View;
use sandbar_tool::kubernetes::events::{EVENTS, Event, FIELDS, grouped};
use sandbar_tool::read::list_many;
use serde_json::Value;

use crate::account::Account;

/// Events of one object that are read.
const EVENTS_MAX: u32 = 200;

/// Adds the events of these objects, by kind (with its group where that is not Kubernetes' own), namespace and name.
pub(crate) fn add(account: &mut Account, objects: &[(&str, &str, &str)]) {
    // Those of a cluster-scoped object are in the namespace `default`.
    let place = |namespace: &str| if namespace.is_empty() { "default".to_owned() } else { namespace.to_owned() };
    let lists = objects.iter().map(|(kind, namespace, name)| {
        let list = EVENTS.list::<Value>().within(place(namespace).as_str()).fields(&FIELDS).limit(Some(EVENTS_MAX));
        let plain = kind.split('.').next().unwrap_or_default();
        list.with_field("involvedObject.kind", plain).with_field("involvedObject.name", name)
    });
    let Some(answers) = account.took("events", list_many(lists.collect())) else { return };
    let mut events = std::mem::take(&mut account.events);
    for ((kind, ..), answer) in objects.iter().zip(answers) {
        let items = account.took("events", answer).map(|page| page.items).unwrap_or_default();
        let of_kind = |event: &Event| event.object.api_version.is_empty() || event.object.qualified_kind() == *kind;
        events.extend(items.iter().map(|event| Event::of(View::of(event))).filter(of_kind));
    }
    account.events = grouped(events);
}
