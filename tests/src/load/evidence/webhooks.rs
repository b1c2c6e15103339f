//! Checks the webhooks: each subscribed event has one id and one body, is signed, and is true.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Evidence;
use crate::deliveries::{EventRef, ReceivedEvent, event_ref};
use crate::difference::{differences, shown as plain};
use crate::oracle::{events, text};
use crate::table::Item;
use crate::violation::{Kind, Violation};

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    let events: BTreeMap<&str, &Item> = evidence.books.events.iter().map(|event| (text(event, "sk"), event)).collect();
    let mut by_change: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (id, webhook) in &evidence.webhooks {
        found.extend(webhook.faults.iter().map(|fault| Kind::Wrong.of(format!("webhook {id}: {fault}"))));
        let body = webhook.body();
        by_change.entry(change(&body)).or_default().insert(id);
        found.extend(one(evidence, events.get(id.as_str()).copied(), id, webhook, &body));
    }
    for (change, ids) in by_change.iter().filter(|(_, ids)| ids.len() > 1) {
        let ids: Vec<&str> = ids.iter().copied().collect();
        found.push(Kind::Doubled.of(format!("{} webhooks for {change}: {}", ids.len(), ids.join(", "))));
    }
    undelivered(evidence, found);
    let missing = events.iter().filter(|(id, event)| takes(evidence, event) && !evidence.webhooks.contains_key(**id));
    found.extend(missing.map(|(_, event)| {
        let (kind, source) = (text(event, "type"), text(event, "source"));
        Kind::Lost.of(format!("no webhook of {kind} for {source}"))
    }));
}

/// Names each expected event that was not delivered.
fn undelivered(evidence: &Evidence, found: &mut Vec<Violation>) {
    let came: BTreeSet<EventRef> = evidence.webhooks.values().map(|webhook| event_ref(&webhook.body())).collect();
    for (id, request) in evidence.all_accepted() {
        let must = request.events().into_iter().map(|event| (id.to_owned(), event.to_owned()));
        found.extend(
            must.filter(|event| !came.contains(event))
                .map(|(id, event)| Kind::Lost.of(format!("no webhook of {event} for {id}"))),
        );
    }
}

/// The change that a body reports: two bodies of one change are the same event.
fn change(body: &Value) -> String {
    let data = &body["data"];
    format!("{} of {} at version {}", plain(&body["type"]), plain(&data["id"]), plain(&data["version"]))
}

fn takes(evidence: &Evidence, event: &Item) -> bool {
    let kind = text(event, "type");
    evidence.subscribed.iter().any(|filter| match filter.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => *filter == kind,
    })
}

/// Faults of one webhook.
fn one(evidence: &Evidence, event: Option<&Item>, id: &str, webhook: &ReceivedEvent, body: &Value) -> Vec<Violation> {
    let reported = change(body);
    let Some(event) = event else {
        return vec![Kind::Wrong.of(format!("webhook {id} reports {reported}, and no such event was written"))];
    };
    let mut found = Vec::new();
    let must = json!({"id": id, "type": event.get("type"), "timestamp": event.get("timestamp"),
        "data": events::data(event)});
    if *body != must {
        let differences = differences(body, &must);
        found.push(Kind::Wrong.of(format!("webhook {id} reports {reported}, unlike its event: {differences}")));
    }
    // A missing object is already named; a newer version has changed since.
    let shown = body["data"]["id"].as_str().and_then(|object| evidence.shown.get(object));
    if let Some(shown) = shown.filter(|shown| shown.is_object() && shown["version"] == body["data"]["version"])
        && *shown != body["data"]
    {
        let differences = differences(&body["data"], shown);
        found.push(Kind::Wrong.of(format!("webhook {id} reports {reported}, unlike the API: {differences}")));
    }
    if !webhook.acknowledged {
        found.push(Kind::Lost.of(format!("webhook {id}, {reported}, was given up")));
    }
    found
}
