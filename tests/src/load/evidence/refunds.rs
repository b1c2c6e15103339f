//! Checks the refunds: each was correctly accepted or refused, and ended as its card requires.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Evidence;
use super::answers::{answered, list};
use crate::difference::{differences, shown as plain};
use crate::refunds::Refund;
use crate::violation::{Kind, Violation};

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    let accepted = evidence.accepted_refunds();
    let asked_for = evidence.refunds.iter().filter(|sent| sent.accepted.is_some()).count();
    if accepted.len() != asked_for {
        found.push(Kind::Lost.of(format!("{asked_for} requests became {} refunds", accepted.len())));
    }
    let mut of_payments: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, sent) in &accepted {
        let shown = evidence.shown.get(*id).unwrap_or(&Value::Null);
        found.extend(refund(id, &sent.request, shown));
        of_payments.entry(&sent.request.payment).or_default().push(id);
    }
    for sent in &evidence.refunds {
        answered(sent, found);
        let of_payment = of_payments.get(sent.request.payment.as_str()).into_iter().flatten();
        if sent.refused.is_some() {
            found.extend(refused(&sent.request, of_payment.map(|id| accepted[id].request.amount).sum()));
        }
    }
    let missing = Err("by nothing".to_owned());
    for (payment, ids) in of_payments {
        let shown = |id: &str| (json!(id), evidence.shown.get(id).cloned().unwrap_or_default());
        let listed = evidence.lists.refunds.get(payment).unwrap_or(&missing);
        list(&format!("the list of refunds of {payment}"), listed, ids.into_iter().map(shown).collect(), found);
    }
}

/// Faults of a refund as the API finally shows it.
fn refund(id: &str, request: &Refund, shown: &Value) -> Option<Violation> {
    let token = request.order.card.token;
    if shown["id"] != id {
        // Instead of a missing refund there is the API's answer.
        let answer = if shown.is_object() { &shown["id"] } else { shown };
        return Some(Kind::Lost.of(format!("{id} was accepted, and its GET is answered {}", plain(answer))));
    }
    if shown["status"] == "pending" {
        return Some(Kind::Lost.of(format!("{id} ({token}) is still pending")));
    }
    let (status, code) = if request.fails() { ("failed", json!("refund_refused")) } else { ("succeeded", Value::Null) };
    let expected = json!({"payment": request.payment, "amount": request.amount, "currency": request.order.currency,
        "status": status, "failure.code": code});
    let found = json!({"payment": shown["payment"], "amount": shown["amount"], "currency": shown["currency"],
        "status": shown["status"], "failure.code": shown["failure"]["code"]});
    let differences = differences(&found, &expected);
    (!differences.is_empty()).then(|| Kind::Wrong.of(format!("{id} ({token}): {differences}")))
}

/// A refund may only be refused if it exceeds the rest: `accepted` is the sum of the payment's accepted refunds.
fn refused(request: &Refund, accepted: i64) -> Option<Violation> {
    let paid = request.order.amount;
    let is_too_much = accepted + request.amount > paid;
    (request.order.succeeds() && !is_too_much).then(|| {
        let (key, amount, payment) = (&request.key, request.amount, &request.payment);
        let sentence = format!("{key} was refused {amount} of {payment}: {paid} were paid, {accepted} given back");
        Kind::Wrong.of(sentence)
    })
}
