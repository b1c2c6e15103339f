//! Checks the amounts of each payment: captured, refunded and disputed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::rules::RESOURCES;
use super::{Books, Kind, Violation, number, text};
use crate::difference::differences;
use crate::table::Item;
use crate::terms::expected_fee;

pub(crate) fn check(books: &Books, found: &mut Vec<Violation>) {
    let taken = taken(books);
    let taken = |payment: &str, field: &str| taken.get(&(payment, field)).copied().unwrap_or_default();
    for (id, payment) in &books.payments {
        let captured = captured(payment);
        let mut must = json!({"amount_captured": captured, "fee": (captured > 0).then(|| expected_fee(captured))});
        let mut left = captured;
        for sum in RESOURCES.iter().filter_map(|resource| resource.amount_of_payment.as_ref()) {
            let amount = taken(id, sum.field);
            left -= amount;
            must[sum.field] = json!(amount);
        }
        if payment.contains_key("refundable") {
            must["refundable"] = json!(left);
        }
        let is: Value =
            must.as_object().into_iter().flatten().map(|(name, _)| (name.clone(), json!(payment.get(name)))).collect();
        let differences = differences(&is, &must);
        if !differences.is_empty() {
            found.push(Kind::Wrong.of(format!("{id}: {differences}")));
        }
        let refunded = taken(id, "amount_refunded");
        if refunded > captured {
            found.push(Kind::Doubled.of(format!("{refunded} of {id} were refunded, and {captured} captured")));
        }
    }
    for object in books.objects().filter(|object| object.resource.amount_of_payment.is_some()) {
        let payment = object.payment(books);
        if payment.is_none_or(|payment| text(payment, "currency") != text(object.item, "currency")) {
            let of = text(object.item, "payment");
            let sentence = format!("{} is of the payment {of:?}, which is not there in its currency", object.id);
            found.push(Kind::Wrong.of(sentence));
        }
    }
}

/// Expected captured amount: the whole, or the requested part of a hold.
fn captured(payment: &Item) -> i64 {
    match (text(payment, "status"), text(payment, "capture_method")) {
        ("succeeded", "automatic") => number(payment, "amount"),
        ("succeeded", _) => number(payment, "amount_captured").clamp(1, number(payment, "amount").max(1)),
        _ => 0,
    }
}

/// Sum taken and not given back, by payment and field.
fn taken(books: &Books) -> BTreeMap<(&str, &'static str), i64> {
    let mut sums = BTreeMap::new();
    for object in books.objects() {
        let sum = object.resource.amount_of_payment.as_ref().filter(|sum| !sum.given_back_in.contains(&object.state()));
        if let Some(sum) = sum {
            *sums.entry((text(object.item, "payment"), sum.field)).or_default() += number(object.item, "amount");
        }
    }
    sums
}
