//! Checks each object's history: its status was reached by allowed transitions, and each of these has its event and
//! entry once.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::rules::{EntryType, History, Resource};
use super::{Books, Kind, Object, Violation, by_source, events, number, text};

pub(crate) fn check(books: &Books, found: &mut Vec<Violation>) {
    let (mut all_entries, mut all_events) = (by_source(&books.entries), by_source(&books.events));
    for object in books.objects() {
        let entries: Vec<&str> =
            all_entries.remove(object.id).unwrap_or_default().into_iter().map(|entry| text(entry, "type")).collect();
        let events = events::by_version(all_events.remove(object.id).unwrap_or_default());
        let events: Vec<&str> = events.into_iter().map(|event| text(event, "type")).collect();
        let (resource, state, version) = (object.resource, object.state(), number(object.item, "version"));
        let (fitting, others): (Vec<History>, Vec<History>) = resource
            .histories(state, text(object.item, "capture_method"))
            .into_iter()
            .partition(|history| resource.fits(history, version));
        if others.is_empty() && fitting.is_empty() {
            found.push(Kind::Wrong.of(format!("{} is {state:?}, which no {} can be", object.id, resource.name)));
        } else if fitting.is_empty() {
            found.push(Kind::Wrong.of(format!("{} is {state}, which its version {version} does not allow", object.id)));
        }
        let histories = if fitting.is_empty() { others } else { fitting };
        if let Some(history) = histories.iter().min_by_key(|history| unlike(history, &entries, &events)) {
            followed(&object, history, &entries, &events, found);
        }
        if object.resource.ends_in(object.state()) && object.item.contains_key("due") {
            found.push(Kind::Wrong.of(format!("{} is final, and has a due time", object.id)));
        }
    }
    // An unknown entry type is named elsewhere.
    let posted = books
        .entries
        .iter()
        .filter(|entry| EntryType::named(text(entry, "type")).is_some_and(|kind| kind.whole.is_some()));
    let told = books.events.iter().filter(|event| {
        text(event, "type").split_once('.').is_some_and(|(resource, _)| Resource::named(resource).is_some())
    });
    let sources: BTreeSet<&str> = posted.chain(told).map(|item| text(item, "source")).collect();
    for source in sources.into_iter().filter(|source| books.object(source).is_none()) {
        found.push(Kind::Wrong.of(format!("there are entries or events of {source:?}, which is not there")));
    }
}

/// How far the found entries and events are from those of this history.
fn unlike(history: &History, entries: &[&str], events: &[&str]) -> usize {
    let (entries, events) = (counts(&history.entries, entries), counts(&history.events, events));
    entries.into_values().chain(events.into_values()).map(|(must, is)| must.abs_diff(is)).sum()
}

/// Names missing, repeated and misplaced entries and events.
fn followed(object: &Object, history: &History, entries: &[&str], events: &[&str], found: &mut Vec<Violation>) {
    let (id, state) = (object.id, object.state());
    for (kind, (must, is)) in counts(&history.entries, entries) {
        found.extend(match (must.cmp(&is), must) {
            (Ordering::Equal, _) => None,
            (Ordering::Greater, _) => Some(Kind::Lost.of(format!("{id} is {state}, and has no entry {kind}"))),
            (Ordering::Less, 0) => Some(Kind::Wrong.of(format!("{id} is {state}, and has an entry {kind}"))),
            (Ordering::Less, _) => Some(Kind::Doubled.of(format!("{id} has {is} entries {kind}"))),
        });
    }
    let of_events = counts(&history.events, events);
    for (kind, (must, is)) in &of_events {
        found.extend(match (must.cmp(is), must) {
            (Ordering::Equal, _) => None,
            (Ordering::Greater, _) => Some(Kind::Lost.of(format!("{id} is {state}, and no event {kind} tells of it"))),
            (Ordering::Less, 0) => Some(Kind::Wrong.of(format!("{id} is {state}, and an event {kind} tells of it"))),
            (Ordering::Less, _) => Some(Kind::Doubled.of(format!("{is} events {kind} tell of {id}"))),
        });
    }
    if of_events.values().all(|(must, is)| must == is) && events != history.events {
        found.push(Kind::Wrong.of(format!("by their versions the events of {id} are {}", events.join(", "))));
    }
}

/// Expected and found number of each.
fn counts<'all>(must: &'all [impl AsRef<str>], is: &[&'all str]) -> BTreeMap<&'all str, (usize, usize)> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    must.iter().for_each(|kind| counts.entry(kind.as_ref()).or_default().0 += 1);
    is.iter().for_each(|kind| counts.entry(kind).or_default().1 += 1);
    counts
}
