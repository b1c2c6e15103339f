//! The oracle must find faults: each promise is broken once, in memory, and the violation must be named.

mod books;
mod evidence;
mod good_books;

use serde_json::{Value, json};
use spillway_tests::oracle::Books;
use spillway_tests::table::Item;
use spillway_tests::violation::{Kind, Violation};

use good_books::{TENANT, items};

fn violations(items: Vec<Item>) -> Vec<Violation> {
    Books::of(items, TENANT).violations()
}

/// Fails unless a violation of this kind contains this text.
fn assert_named(name: &str, found: &[Violation], kind: Kind, sentence: &str) {
    let named = found.iter().any(|each| each.kind == kind && each.what.contains(sentence));
    assert!(named, "{name}: no {} {sentence:?} in {found:#?}", kind.name());
}

#[test]
fn correct_books_break_no_promise() {
    assert_eq!(violations(items()), []);
    let books = Books::of(items(), TENANT);
    assert_eq!(books.faults(), ["re_4 is pending"]);
    let balances = [("JPY".to_owned(), (0, 1_000)), ("USD".to_owned(), (475, 0))];
    assert_eq!((books.kept(), books.recomputed()), (balances.clone().into(), balances.into()));
}

fn texts<'item>(item: &'item Item, names: [&str; 3]) -> [&'item str; 3] {
    names.map(|name| item[name].as_str().unwrap())
}

/// The entries that this tenant's objects have posted.
fn posted() -> Vec<(usize, String, String)> {
    places("txn_", |item| item.contains_key("postings") && item["type"] != "settlement")
}

fn places(start: &str, these: impl Fn(&Item) -> bool) -> Vec<(usize, String, String)> {
    let all = items().into_iter().enumerate();
    let these = all.filter(|(_, item)| item["sk"].as_str().unwrap().starts_with(start) && these(item));
    these
        .map(|(place, item)| {
            (place, item["type"].as_str().unwrap().to_owned(), item["source"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn missing_doubled_reversed_and_wrong_entries_are_named() {
    let posted = posted();
    assert_eq!(posted.len(), 23);
    for (place, kind, source) in posted {
        let name = format!("{kind} of {source}");
        let mut missing = items();
        missing.remove(place);
        let found = violations(missing);
        assert_named(&name, &found, Kind::Lost, &format!("and has no entry {kind}"));
        let mut doubled = items();
        let mut second = doubled[place].clone();
        second["sk"] = json!("txn_second");
        doubled.push(second);
        assert_named(&name, &violations(doubled), Kind::Doubled, &format!("{source} has 2 entries {kind}"));
        let mut turned = items();
        for posting in turned[place]["postings"].as_array_mut().unwrap() {
            posting["side"] = json!(if posting["side"] == "debit" { "credit" } else { "debit" });
        }
        let sentence = format!("the entry {kind} of {source}: ");
        assert_named(&name, &violations(turned), Kind::Wrong, &sentence);
        let mut larger = items();
        for posting in larger[place]["postings"].as_array_mut().unwrap() {
            posting["amount"] = json!(posting["amount"].as_i64().unwrap() * 2);
        }
        assert_named(&name, &violations(larger), Kind::Wrong, &sentence);
        let mut elsewhere = items();
        elsewhere[place]["currency"] = json!("EUR");
        let sentence = format!("the entry {kind} of {source}: currency is EUR, not ");
        assert_named(&name, &violations(elsewhere), Kind::Wrong, &sentence);
    }
}

#[test]
fn wrong_value_dates_are_named() {
    let moving =
        |item: &Item| item.get("postings").is_some_and(|postings| postings.to_string().contains("\"merchant\""));
    let moving = places("txn_", moving);
    assert_eq!(moving.len(), 18);
    for (place, kind, source) in moving {
        let mut late = items();
        late[place]["available_on"] = json!("2026-01-31");
        let sentence = format!("the entry {kind} of {source}: available_on is 2026-01-31, not ");
        assert_named(&source, &violations(late), Kind::Wrong, &sentence);
    }
    // The merchant's delay; for a merchant that was changed, the delay of that day is unknown.
    let mut changed = items();
    changed[0]["settlement_delay_days"] = json!(3);
    let found = violations(changed.clone());
    assert_named(
        "delay",
        &found,
        Kind::Wrong,
        "the entry capture of pay_1: available_on is 2026-01-07, not 2026-01-08",
    );
    changed[0]["version"] = json!(2);
    assert_eq!(violations(changed), []);
}

#[test]
fn missing_doubled_and_wrong_events_are_named() {
    let told = places("evt_", |item| item["source"] != "we_1");
    assert_eq!(told.len(), 31);
    for (place, kind, source) in told {
        let name = format!("{kind} of {source}");
        let mut missing = items();
        missing.remove(place);
        assert_named(&name, &violations(missing), Kind::Lost, &format!("and no event {kind} tells of it"));
        let mut doubled = items();
        let mut second = doubled[place].clone();
        second["sk"] = json!("evt_second");
        doubled.push(second);
        let found = violations(doubled);
        assert_named(&name, &found, Kind::Doubled, &format!("2 events {kind} tell of {source}"));
        assert_named(&name, &found, Kind::Doubled, "two events tell of version ");
        let mut another = items();
        another[place]["type"] = json!(format!("{}.exploded", kind.split('.').next().unwrap()));
        assert_named(&name, &violations(another), Kind::Wrong, ".exploded tells of it");
        let untrue = |field: &str, value: Value| {
            let mut items = items();
            let mut data: Value = serde_json::from_str(items[place]["data"].as_str().unwrap()).unwrap();
            data[field] = value.clone();
            items[place]["data"] = json!(data.to_string());
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let sentence = format!("the event {kind} of {source}: ");
            let found = violations(items);
            assert_named(&name, &found, Kind::Wrong, &sentence);
            assert_named(&name, &found, Kind::Wrong, &format!("{field} is {shown}"));
        };
        untrue("amount", json!(1));
        untrue("currency", json!("EUR"));
        untrue("object", json!("webhook_endpoint"));
        untrue("id", json!("pay_9"));
        untrue("updated_at", json!("2026-01-01T00:00:00.000Z"));
        untrue("version", json!(99));
        if !kind.ends_with(".returned") {
            untrue("status", json!("exploded"));
        }
    }
}

#[test]
fn every_emptied_item_is_noticed() {
    for (place, item) in items().into_iter().enumerate() {
        let [pk, sk, _] = texts(&item, ["pk", "sk", "pk"]);
        // The merchant's name, other tenants, endpoints, and calls without effect make no promise.
        if ["mer_1", "mer_2#test#journal#0"].contains(&pk) || pk.ends_with("#we_1") || sk == "evt_we_1" {
            continue;
        }
        let mut emptied = items();
        emptied[place].retain(|name, _| ["pk", "sk"].contains(&name.as_str()));
        let unseen = ["pay_3/undo"].contains(&sk);
        assert_eq!(violations(emptied).is_empty(), unseen, "{pk} {sk}");
    }
}
