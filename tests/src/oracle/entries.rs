//! Checks each entry and movement by itself: postings, amounts, value date.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::rules::{EntryType, Fee, ValueDate};
use super::sums::{fee_of, net_of, postings_of};
use super::{Books, Kind, Violation, day, number, text};
use crate::difference::differences;
use crate::table::Item;
use crate::terms::expected_fee;

pub(crate) fn check(books: &Books, found: &mut Vec<Violation>) {
    for entry in &books.entries {
        found.extend(unbalanced(entry));
        let (kind, source) = (text(entry, "type"), text(entry, "source"));
        let Some(entry_type) = EntryType::named(kind) else {
            found.push(Kind::Wrong.of(format!("{source} has an entry {kind:?}, which is no type of entry")));
            continue;
        };
        found.extend(posted(books, entry, entry_type));
    }
    movements(books, found);
}

/// Every posting is above zero, and debits equal credits.
fn unbalanced(entry: &Item) -> Option<Violation> {
    let postings = entry.get("postings").and_then(Value::as_array).into_iter().flatten();
    let positive = postings.clone().all(|posting| posting["amount"].as_i64().is_some_and(|amount| amount > 0));
    let sum: i64 = postings_of(entry).map(|(_, amount)| amount).sum();
    (sum != 0 || !positive || postings.count() == 0).then(|| {
        let (kind, source) = (text(entry, "type"), text(entry, "source"));
        let sentence = format!("the entry {kind} of {source} does not balance: {}", postings_shown(postings_of(entry)));
        Kind::Unbalanced.of(sentence)
    })
}

/// Differences of an entry from the expected one.
fn posted(books: &Books, entry: &Item, kind: &EntryType) -> Option<Violation> {
    let object = books.object(text(entry, "source"));
    let whole = match (kind.whole, object) {
        (Some(field), Some(object)) => number(object.item, field),
        // Without its object there is nothing to compare with; the missing object is named elsewhere.
        (Some(_), None) => return None,
        (None, _) => postings_of(entry).map(|(_, amount)| amount).filter(|amount| *amount > 0).sum(),
    };
    let fee = match kind.fee {
        Fee::None => 0,
        Fee::Terms => expected_fee(whole),
        Fee::Posted(account) => {
            postings_of(entry).filter(|(of, _)| of == account).map(|(_, amount)| amount.abs()).sum()
        }
    };
    let mut posted: Vec<(String, i64)> = postings_of(entry).collect();
    posted.sort();
    let mut must = json!({"postings": postings_shown(kind.postings(whole, fee))});
    let mut is = json!({"postings": postings_shown(posted)});
    if let Some(object) = object {
        must["currency"] = json!(object.item.get("currency"));
        is["currency"] = json!(entry.get("currency"));
    }
    if net_of(entry) != 0
        && let Some(value_date) = value_date(books, entry, kind)
    {
        must["available_on"] = json!(value_date);
        is["available_on"] = json!(text(entry, "available_on"));
    }
    if let (ValueDate::Delayed, Some(object)) = (&kind.value_date, object) {
        must["the object's available_on"] = json!(text(entry, "available_on"));
        is["the object's available_on"] = json!(object.item.get("available_on"));
    }
    // Fields of an entry that repeat its postings.
    for (name, value) in [("amount", net_of(entry) + fee_of(entry)), ("fee", fee_of(entry)), ("net", net_of(entry))] {
        if let Some(stored) = entry.get(name).filter(|_| kind.is_the_merchants()) {
            must[name] = json!(value);
            is[name] = stored.clone();
        }
    }
    let differences = differences(&is, &must);
    let (kind, source) = (text(entry, "type"), text(entry, "source"));
    (!differences.is_empty()).then(|| Kind::Wrong.of(format!("the entry {kind} of {source}: {differences}")))
}

/// Value date of the merchant's posting; `None` if it is unknown.
fn value_date(books: &Books, entry: &Item, kind: &EntryType) -> Option<String> {
    let today = day(entry, "created_at").to_owned();
    match kind.value_date {
        ValueDate::Today => Some(today),
        ValueDate::Delayed => delayed(books, &today),
        ValueDate::WithPayment => {
            let payment = books.object(text(entry, "source"))?.payment(books)?;
            Some(today.max(text(payment, "available_on").to_owned()))
        }
    }
}

/// The entry's day plus the merchant's delay. A merchant that was changed may have had another delay that day.
fn delayed(books: &Books, day: &str) -> Option<String> {
    let merchant = books.merchant.as_ref().filter(|merchant| number(merchant, "version") == 1)?;
    let mut parts = day.split('-');
    let year = parts.next()?.parse().ok()?;
    let month = time::Month::try_from(parts.next()?.parse::<u8>().ok()?).ok()?;
    let day = time::Date::from_calendar_date(year, month, parts.next()?.parse().ok()?).ok()?;
    Some((day + time::Duration::days(number(merchant, "settlement_delay_days"))).to_string())
}

/// Each remaining movement equals the merchant's posting of its entry, once.
fn movements(books: &Books, found: &mut Vec<Violation>) {
    let mut of_entries: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for movement in &books.movements {
        let id = text(movement, "sk").rsplit('#').next().unwrap_or_default();
        of_entries.entry(id).or_default().push(movement);
    }
    for entry in &books.entries {
        let id = text(entry, "sk");
        let movements = of_entries.remove(id).unwrap_or_default();
        if movements.len() > 1 {
            found.push(Kind::Doubled.of(format!("the entry {id} has {} movements", movements.len())));
        }
        let moves = EntryType::named(text(entry, "type")).is_none_or(|kind| kind.moves);
        let amount = if moves { net_of(entry) } else { 0 };
        let must = json!({"key": format!("move#{}#{}#{id}", text(entry, "currency"), text(entry, "available_on")),
            "amount": amount});
        for movement in movements {
            let is = json!({"key": text(movement, "sk"), "amount": movement.get("amount")});
            let differences = differences(&is, &must);
            if !differences.is_empty() {
                found.push(Kind::Wrong.of(format!("the movement of {}: {differences}", text(entry, "source"))));
            }
        }
    }
    found.extend(of_entries.keys().map(|id| Kind::Wrong.of(format!("a movement belongs to no entry: {id}"))));
}

/// `fee_income -66, merchant -1184, processor_receivable 1250`
fn postings_shown(postings: impl IntoIterator<Item = (String, i64)>) -> String {
    let shown = postings.into_iter().map(|(account, amount)| format!("{account} {amount}"));
    shown.collect::<Vec<String>>().join(", ")
}
