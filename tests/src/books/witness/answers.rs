//! What the API answered: to each request, for each payment at the end, and in its lists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Evidence, Kind, Violation};
use crate::book::Sent;
use crate::difference::{differences, shown as plain};
use crate::workload::{Order, Outcome};

pub(super) fn check(evidence: &Evidence, accepted: &BTreeMap<&str, &Sent>, found: &mut Vec<Violation>) {
    for sent in &evidence.sent {
        found.extend(sent.oddities.iter().map(|oddity| Kind::Wrong.of(oddity.clone())));
        if sent.accepted.is_none() && sent.oddities.is_empty() {
            let last = sent.gave_up.as_ref().map(|last| format!("; the last answer: {last}")).unwrap_or_default();
            found.push(Kind::Lost.of(format!("{} was not accepted in {} tries{last}", sent.order.key, sent.tries)));
        }
    }
    let asked_for = evidence.sent.iter().filter(|sent| sent.accepted.is_some()).count();
    if accepted.len() != asked_for {
        found.push(Kind::Lost.of(format!("{asked_for} orders became {} payments", accepted.len())));
    }
    for (id, sent) in accepted {
        let shown = evidence.payments.get(*id).unwrap_or(&Value::Null);
        found.extend(payment(id, sent, shown));
    }
    for stranger in evidence.books.payments.keys().filter(|id| !accepted.contains_key(id.as_str())) {
        found.push(Kind::Wrong.of(format!("{stranger} is in the table and no client was told of it")));
    }
    let payments = evidence.payments.iter().map(|(id, payment)| (json!(id), payment.clone())).collect();
    let shape = |payment: &Value| (payment["id"].clone(), payment.clone());
    list("the list of payments", &evidence.lists.payments, shape, payments, found);
    let orders = accepted.iter().map(|(id, sent)| (id, &sent.order)).filter(|(_, order)| order.succeeds());
    let transaction = |order: &Order| {
        json!({"currency": order.currency, "amount": order.amount, "fee": order.fee(), "net": order.net(),
            "type": "capture"})
    };
    let transactions = orders.map(|(id, order)| (json!(id), transaction(order))).collect();
    list("the list of transactions", &evidence.lists.transactions, shape_of_transaction, transactions, found);
}

/// What is wrong with the payment as the API shows it at the end.
fn payment(id: &str, sent: &Sent, shown: &Value) -> Option<Violation> {
    let order = &sent.order;
    if shown["id"] != id {
        // In the place of a payment that the API does not show is what it answered.
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
    for (name, value) in [("status", json!(status)), ("amount_captured", json!(captured)), ("fee", fee)] {
        expected[name] = value;
    }
    let mut told: Value =
        expected.as_object().unwrap().keys().map(|name| (name.clone(), shown[name].clone())).collect();
    told["failure.code"] = shown["failure"]["code"].clone();
    expected["failure.code"] = code;
    let differences = differences(&told, &expected);
    (!differences.is_empty()).then(|| Kind::Wrong.of(format!("{id} ({}): {differences}", order.card.token)))
}

/// A transaction's payment, and what can be known of it beforehand.
fn shape_of_transaction(transaction: &Value) -> (Value, Value) {
    let shape = ["currency", "amount", "fee", "net", "type"].map(|name| (name.to_owned(), transaction[name].clone()));
    (transaction["source"].clone(), Value::Object(shape.into_iter().collect()))
}

/// What is wrong with a list: it holds each of the expected once, as it has to be, the newest first.
fn list(
    name: &str, listed: &Result<Vec<Value>, String>, shape: fn(&Value) -> (Value, Value),
    expected: Vec<(Value, Value)>, found: &mut Vec<Violation>,
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
    for (id, listed) in listed.iter().map(shape) {
        let id = plain(&id);
        if !seen.insert(id.clone()) {
            found.push(Kind::Doubled.of(format!("{id} is in {name} twice")));
            continue;
        }
        match left.remove(&id) {
            // What the API does not show by itself is named already.
            Some(expected) if expected == listed || !expected.is_object() => {}
            Some(expected) => {
                let differences = differences(&listed, &expected);
                found.push(Kind::Wrong.of(format!("{id} is otherwise in {name}: {differences}")));
            }
            None => found.push(Kind::Wrong.of(format!("{id} is in {name} and should not be"))),
        }
    }
    found.extend(left.keys().map(|id| Kind::Lost.of(format!("{id} is not in {name}"))));
}
