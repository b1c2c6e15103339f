//! Checks the API's answers: to each request, to the final GET of each object, and in lists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Evidence;
use crate::difference::{differences, shown as plain};
use crate::money_request::MoneyRequest;
use crate::oracle::rules::EntryType;
use crate::oracle::sums::{fee_of, net_of};
use crate::oracle::text;
use crate::request_log::Sent;
use crate::table::Item;
use crate::violation::{Kind, Violation};
use crate::workload::{Order, Outcome};

pub(super) fn check(evidence: &Evidence, accepted: &BTreeMap<&str, &Sent<Order>>, found: &mut Vec<Violation>) {
    evidence.sent.iter().for_each(|sent| answered(sent, found));
    let asked_for = evidence.sent.iter().filter(|sent| sent.accepted.is_some()).count();
    if accepted.len() != asked_for {
        found.push(Kind::Lost.of(format!("{asked_for} orders became {} payments", accepted.len())));
    }
    for (id, sent) in accepted {
        let shown = evidence.shown.get(*id).unwrap_or(&Value::Null);
        found.extend(payment(id, &sent.request, refunded(evidence, id), shown));
    }
    for object in evidence.books.objects() {
        found.extend(as_stored(object.id, object.item, evidence.shown.get(object.id)));
    }
    let known = evidence.all_accepted();
    for stranger in evidence.books.objects().map(|object| object.id).filter(|id| !known.contains_key(id)) {
        found.push(Kind::Wrong.of(format!("{stranger} is in the table and no client created it")));
    }
    let payments =
        accepted.keys().map(|id| (json!(id), evidence.shown.get(*id).cloned().unwrap_or_default())).collect();
    list("the list of payments", &evidence.lists.payments, payments, found);
    let entries = evidence.books.entries.iter();
    let listed = entries.filter(|entry| EntryType::named(text(entry, "type")).is_none_or(EntryType::is_the_merchants));
    let transactions = listed.map(|entry| (json!(text(entry, "sk")), transaction(entry))).collect();
    list("the list of transactions", &evidence.lists.transactions, transactions, found);
}

/// Faults in the answers to a request, and missing answers.
pub(super) fn answered<Of: MoneyRequest>(sent: &Sent<Of>, found: &mut Vec<Violation>) {
    found.extend(sent.oddities.iter().map(|oddity| Kind::Wrong.of(oddity.clone())));
    if sent.accepted.is_none() && sent.refused.is_none() && sent.oddities.is_empty() {
        let last = sent.gave_up.as_ref().map(|last| format!("; the last answer: {last}")).unwrap_or_default();
        let sentence = format!("{} was not accepted in {} tries{last}", sent.request.key(), sent.tries);
        found.push(Kind::Lost.of(sentence));
    }
}

/// Expected refunded amount of a payment in minor units.
fn refunded(evidence: &Evidence, payment: &str) -> i64 {
    let accepted = evidence.accepted_refunds();
    accepted.values().filter(|sent| sent.request.payment == payment).map(|sent| sent.request.given()).sum()
}

/// A journal entry as the API must list it.
fn transaction(entry: &Item) -> Value {
    let mut listed = json!({"id": text(entry, "sk"), "object": "balance_transaction",
        "amount": net_of(entry) + fee_of(entry), "fee": fee_of(entry), "net": net_of(entry)});
    for name in ["type", "currency", "source", "available_on", "created_at"] {
        listed[name] = json!(entry.get(name));
    }
    listed
}

/// Differences between the API's object and the stored one, in their common fields. A missing object is named
/// elsewhere.
fn as_stored(id: &str, item: &Item, shown: Option<&Value>) -> Option<Violation> {
    let shown = shown?.as_object()?;
    let both = |from: &Item| -> Value {
        let both = from.iter().filter(|(name, _)| item.contains_key(*name) && shown.contains_key(*name));
        both.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let differences = differences(&both(shown), &both(item));
    (!differences.is_empty()).then(|| Kind::Wrong.of(format!("{id} is shown otherwise than stored: {differences}")))
}

/// Faults of the payment as the API finally shows it.
fn payment(id: &str, order: &Order, refunded: i64, shown: &Value) -> Option<Violation> {
    if shown["id"] != id {
        // Instead of a missing payment there is the API's answer.
        let answer = if shown.is_object() { &shown["id"] } else { shown };
        return Some(Kind::Lost.of(format!("{id} was accepted, and its GET is answered {}", plain(answer))));
    }
    if shown["status"] == "processing" {
        return Some(Kind::Lost.of(format!("{id} ({}) is still processing", order.card.token)));
    }
    let (status, code, captured, fee) = match order.card.outcome {
        Outcome::Succeeded => ("succeeded", Value::Null, order.amount, json!(order.fee())),
        Outcome::Failed(code) => ("failed", json!(code), 0, Value::Null),
    };
    let mut expected = order.body();
    expected.as_object_mut().unwrap().remove("token");
    for (name, value) in [("amount_captured", captured), ("amount_refunded", refunded)] {
        expected[name] = json!(value);
    }
    for (name, value) in [("status", json!(status)), ("fee", fee)] {
        expected[name] = value;
    }
    let mut found_fields: Value =
        expected.as_object().unwrap().keys().map(|name| (name.clone(), shown[name].clone())).collect();
    found_fields["failure.code"] = shown["failure"]["code"].clone();
    expected["failure.code"] = code;
    let differences = differences(&found_fields, &expected);
    (!differences.is_empty()).then(|| Kind::Wrong.of(format!("{id} ({}): {differences}", order.card.token)))
}

/// Faults of a list: it must have each expected item once, correct, newest first.
pub(super) fn list(
    name: &str, listed: &Result<Vec<Value>, String>, expected: Vec<(Value, Value)>, found: &mut Vec<Violation>,
) {
    let listed = match listed {
        Ok(listed) => listed,
        Err(answer) => return found.push(Kind::Wrong.of(format!("{name} was answered {answer}"))),
    };
    let times: Vec<&str> = listed.iter().filter_map(|each| each["created_at"].as_str()).collect();
    if times.len() != listed.len() || !times.is_sorted_by(|earlier, later| earlier >= later) {
        found.push(Kind::Wrong.of(format!("{name} is not in the order of time")));
    }
    let mut left: BTreeMap<String, Value> = expected.into_iter().map(|(id, shape)| (plain(&id), shape)).collect();
    let mut seen = BTreeSet::new();
    for listed in listed {
        let id = plain(&listed["id"]);
        if !seen.insert(id.clone()) {
            found.push(Kind::Doubled.of(format!("{id} is in {name} twice")));
            continue;
        }
        match left.remove(&id) {
            // A missing object is already named.
            Some(expected) if expected == *listed || !expected.is_object() => {}
            Some(expected) => {
                let differences = differences(listed, &expected);
                found.push(Kind::Wrong.of(format!("{id} is otherwise in {name}: {differences}")));
            }
            None => found.push(Kind::Wrong.of(format!("{id} is in {name} and should not be"))),
        }
    }
    found.extend(left.keys().map(|id| Kind::Lost.of(format!("{id} is not in {name}"))));
}
