//! Compares each event with its object: `data` is the object at one version.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::rules::RETURNED;
use super::{Books, Kind, Object, Violation, by_source, number, text};
use crate::difference::shown;
use crate::table::Item;

/// Fields of an object that never change.
const FIXED: [&str; 8] =
    ["id", "payment", "amount", "currency", "capture_method", "destination", "reason", "created_at"];

pub(crate) fn check(books: &Books, found: &mut Vec<Violation>) {
    let mut events = by_source(&books.events);
    for object in books.objects() {
        let mut versions = BTreeSet::new();
        for event in events.remove(object.id).unwrap_or_default() {
            let data = data(event);
            if !versions.insert(number(&data, "version")) {
                let version = number(&data, "version");
                found.push(Kind::Doubled.of(format!("two events tell of version {version} of {}", object.id)));
            }
            let wrong = faults(&object, event, &data);
            if !wrong.is_empty() {
                let (id, kind) = (object.id, text(event, "type"));
                found.push(Kind::Wrong.of(format!("the event {kind} of {id}: {}", wrong.join("; "))));
            }
        }
    }
}

/// The object in an event; empty if it can't be read.
pub(crate) fn data(event: &Item) -> Map<String, Value> {
    serde_json::from_str(text(event, "data")).unwrap_or_default()
}

/// Sorted by version.
pub(crate) fn by_version(mut events: Vec<&Item>) -> Vec<&Item> {
    events.sort_by_cached_key(|event| number(&data(event), "version"));
    events
}

fn faults(object: &Object, event: &Item, data: &Item) -> Vec<String> {
    let mut must: Vec<(&str, Value)> = vec![
        ("object", object.resource.name.into()),
        ("id", object.id.into()),
        ("updated_at", event.get("timestamp").cloned().unwrap_or_default()),
    ];
    let statuses_of = object.resource.statuses_of(text(event, "type"));
    // A return does not change the status.
    if let Some(state) = statuses_of.first().filter(|state| **state != RETURNED) {
        must.push(("status", (*state).into()));
    }
    let (version, now) = (number(data, "version"), number(object.item, "version"));
    let same = |name: &str| version == now || FIXED.contains(&name);
    let stored = object.item.iter().filter(|(name, _)| same(name) && data.contains_key(*name));
    must.extend(stored.map(|(name, value)| (name.as_str(), value.clone())));
    let unlike = must.into_iter().filter(|(name, value)| data.get(*name).unwrap_or(&Value::Null) != value);
    let mut faults: Vec<String> = unlike
        .map(|(name, value)| {
            format!("{name} is {}, not {}", shown(data.get(name).unwrap_or(&Value::Null)), shown(&value))
        })
        .collect();
    if version < 1 || version > now {
        faults.push(format!("its version is {version}, and the object's {now}"));
    }
    faults.sort();
    faults.dedup();
    faults
}
