//! The oracle must find faults: each promise is broken once, in memory, and the violation must be named.

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
    let moving = |item: &Item| item.get("postings").is_some_and(|legs| legs.to_string().contains("\"merchant\""));
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

/// Changes one attribute of the item with these keys; `null` removes it.
fn set(items: &mut [Item], pk: &str, sk: &str, name: &str, value: Value) {
    let key = |item: &&mut Item| item["pk"].as_str().unwrap().ends_with(pk) && item["sk"] == sk;
    let item = items.iter_mut().find(key).unwrap_or_else(|| panic!("no item {pk} {sk}"));
    if value.is_null() { drop(item.remove(name)) } else { drop(item.insert(name.to_owned(), value)) }
}

fn add(items: &mut Vec<Item>, item: Value) {
    items.push(item.as_object().unwrap().clone());
}

type Spoil = (&'static str, fn(&mut Vec<Item>), Kind, &'static str);

const SPOILS: &[Spoil] = &[
    (
        "a leg of another amount",
        |items| {
            let capture = items.iter_mut().find(|item| item["sk"] == "txn_capture_pay_1").unwrap();
            capture["postings"][2]["amount"] = json!(1);
        },
        Kind::Unbalanced,
        "the entry capture of pay_1 does not balance: processor_receivable 10000, merchant -9680, fee_income -1",
    ),
    (
        "a leg of nothing",
        |items| {
            let capture = items.iter_mut().find(|item| item["sk"] == "txn_refund_re_1").unwrap();
            capture["postings"][0]["amount"] = json!(0);
            capture["postings"][1]["amount"] = json!(0);
        },
        Kind::Unbalanced,
        "the entry refund of re_1 does not balance",
    ),
    (
        "an account that gained something from nowhere",
        |items| {
            let settled = items.iter_mut().find(|item| item["sk"] == "txn_settlement_set_1").unwrap();
            settled["postings"][0]["amount"] = json!(9_001);
        },
        Kind::Unbalanced,
        "all accounts together sum to 1 in USD",
    ),
    (
        "a settlement to another account",
        |items| {
            let settled = items.iter_mut().find(|item| item["sk"] == "txn_settlement_set_1").unwrap();
            settled["postings"][0]["account"] = json!("merchant");
        },
        Kind::Wrong,
        "the entry settlement of set_1: legs is ",
    ),
    (
        "an entry of no type",
        |items| set(items, "#journal#0", "txn_refund_re_1", "type", json!("gift")),
        Kind::Wrong,
        "re_1 has an entry \"gift\", which is no type of entry",
    ),
    (
        "an entry of nothing",
        |items| set(items, "#journal#0", "txn_refund_re_1", "source", json!("re_9")),
        Kind::Wrong,
        "there are entries or events of \"re_9\", which is not there",
    ),
    (
        "an event of nothing",
        |items| set(items, "#events#0", "evt_re_1_1", "source", json!("re_9")),
        Kind::Wrong,
        "there are entries or events of \"re_9\", which is not there",
    ),
    (
        "an entry that repeats its legs wrongly",
        |items| set(items, "#journal#0", "txn_capture_pay_1", "net", json!(1)),
        Kind::Wrong,
        "the entry capture of pay_1: net is 1, not 9680",
    ),
    (
        "a payment with another value date than its entry",
        |items| set(items, "#pay_2", "payment", "available_on", json!("2026-01-07")),
        Kind::Wrong,
        "the object's available_on is 2026-01-07, not 2026-01-08",
    ),
    (
        "a place that there is not",
        |items| set(items, "#po_1", "payout", "status", json!("succeeded")),
        Kind::Wrong,
        "po_1 is \"succeeded\", which no payout can be",
    ),
    (
        "a payment that is under way, and was posted",
        |items| set(items, "#pay_1", "payment", "status", json!("processing")),
        Kind::Wrong,
        "pay_1 is processing, and has an entry capture",
    ),
    (
        "a payment that failed, and was posted",
        |items| set(items, "#pay_1", "payment", "status", json!("failed")),
        Kind::Wrong,
        "pay_1 is failed, and an event payment.succeeded tells of it",
    ),
    (
        "a payment that left its last state",
        |items| {
            set(items, "#pay_3", "payment", "status", json!("succeeded"));
            set(items, "#pay_3", "payment", "amount_captured", json!(100));
        },
        Kind::Lost,
        "pay_3 is succeeded, and has no entry capture",
    ),
    (
        "a refund that gave the money back, and is said to have gone out",
        |items| set(items, "#re_2", "refund", "status", json!("succeeded")),
        Kind::Wrong,
        "re_2 is succeeded, and has an entry refund_failed",
    ),
    (
        "a refund that was returned, and does not say so",
        |items| set(items, "#re_3", "refund", "returned_at", Value::Null),
        Kind::Wrong,
        "re_3 is succeeded, and has an entry refund_returned",
    ),
    (
        "a version that its transitions do not lead to",
        |items| set(items, "#re_1", "refund", "version", json!(3)),
        Kind::Wrong,
        "re_1 is succeeded, which its version 3 does not allow",
    ),
    (
        "a hold that was taken at once",
        |items| set(items, "#pay_2", "payment", "capture_method", json!("automatic")),
        Kind::Wrong,
        "pay_2 is succeeded, and an event payment.requires_capture tells of it",
    ),
    (
        "a final object that is due",
        |items| set(items, "#re_1", "refund", "due", json!("due#money#1")),
        Kind::Wrong,
        "re_1 is final, and has a due time",
    ),
    (
        "events whose versions are in another order than the transitions",
        |items| {
            for (sk, version) in [("evt_pay_2_2", 4), ("evt_pay_2_4", 2)] {
                let event = items.iter_mut().find(|item| item["sk"] == sk).unwrap();
                let mut data: Value = serde_json::from_str(event["data"].as_str().unwrap()).unwrap();
                data["version"] = json!(version);
                event["data"] = json!(data.to_string());
            }
        },
        Kind::Wrong,
        "by their versions the events of pay_2 are payment.succeeded, payment.requires_capture",
    ),
    (
        "an event unlike its object at the object's last version",
        |items| set(items, "#pay_3", "payment", "fee", json!(7)),
        Kind::Wrong,
        "the event payment.failed of pay_3: fee is nothing, not 7",
    ),
    (
        "another fee on the payment",
        |items| set(items, "#pay_1", "payment", "fee", json!(319)),
        Kind::Wrong,
        "pay_1: fee is 319, not 320",
    ),
    (
        "a capture of less than all at once",
        |items| set(items, "#pay_1", "payment", "amount_captured", json!(9_999)),
        Kind::Wrong,
        "pay_1: amount_captured is 9999, not 10000",
    ),
    (
        "a capture of more than was held",
        |items| set(items, "#pay_2", "payment", "amount_captured", json!(5_001)),
        Kind::Wrong,
        "pay_2: amount_captured is 5001, not 5000",
    ),
    (
        "a refund that the payment does not know",
        |items| set(items, "#pay_1", "payment", "amount_refunded", json!(0)),
        Kind::Wrong,
        "pay_1: amount_refunded is 0, not 4000",
    ),
    (
        "a failed refund that still counts",
        |items| set(items, "#pay_1", "payment", "amount_refunded", json!(5_000)),
        Kind::Wrong,
        "pay_1: amount_refunded is 5000, not 4000",
    ),
    (
        "a pending refund that does not count",
        |items| set(items, "#pay_7", "payment", "amount_refunded", json!(0)),
        Kind::Wrong,
        "pay_7: amount_refunded is 0, not 184",
    ),
    (
        "a right to refund that was not given back",
        |items| set(items, "#pay_1", "payment", "refundable", json!(5_000)),
        Kind::Wrong,
        "pay_1: refundable is 5000, not 6000",
    ),
    (
        "a lost dispute that does not count",
        |items| set(items, "#pay_4", "payment", "amount_disputed", json!(0)),
        Kind::Wrong,
        "pay_4: amount_disputed is 0, not 2000",
    ),
    (
        "more refunded than captured",
        |items| set(items, "#re_1", "refund", "amount", json!(10_001)),
        Kind::Doubled,
        "10001 of pay_1 were refunded, and 10000 captured",
    ),
    (
        "a refund of a payment that is not there",
        |items| set(items, "#re_1", "refund", "payment", json!("pay_9")),
        Kind::Wrong,
        "re_1 is of the payment \"pay_9\", which is not there in its currency",
    ),
    (
        "a refund in another currency",
        |items| set(items, "#re_1", "refund", "currency", json!("EUR")),
        Kind::Wrong,
        "re_1 is of the payment \"pay_1\", which is not there in its currency",
    ),
    (
        "a movement of another amount",
        |items| {
            set(items, "#movements#0", "move#USD#2026-01-19#txn_payout_returned_po_3", "amount", json!(299));
        },
        Kind::Wrong,
        "the movement of po_3: amount is 299, not 300",
    ),
    (
        "a movement of another day",
        |items| {
            let key = "move#USD#2026-01-19#txn_payout_returned_po_3";
            set(items, "#movements#0", key, "sk", json!("move#USD#2026-01-20#txn_payout_returned_po_3"));
        },
        Kind::Wrong,
        "the movement of po_3: key is move#USD#2026-01-20#txn_payout_returned_po_3, not move#USD#2026-01-19#",
    ),
    (
        "a movement of nothing",
        |items| {
            let key = "move#USD#2026-01-19#txn_payout_returned_po_3";
            set(items, "#movements#0", key, "sk", json!("move#USD#2026-01-19#txn_9"));
        },
        Kind::Wrong,
        "a movement belongs to no entry: txn_9",
    ),
    (
        "two movements of one entry",
        |items| {
            add(
                items,
                json!({"pk": "mer_1#test#movements#0", "sk": "move#USD#2026-01-20#txn_payout_returned_po_3",
                "amount": 300}),
            );
        },
        Kind::Doubled,
        "the entry txn_payout_returned_po_3 has 2 movements",
    ),
    (
        "a movement of a payout's debit, which its guard has taken already",
        |items| {
            add(
                items,
                json!({"pk": "mer_1#test#movements#0", "sk": "move#USD#2026-01-15#txn_payout_po_1",
                "amount": -5_000}),
            );
        },
        Kind::Wrong,
        "the movement of po_1: amount is -5000, not 0",
    ),
    (
        "a balance that is one unit off",
        |items| set(items, "#balances", "USD", "available", json!(161)),
        Kind::Wrong,
        "476 available and 0 pending USD, the journal's 0 available and 1000 pending JPY, 475 available",
    ),
    (
        "a pending amount that is gone",
        |items| set(items, "#balances", "JPY", "pending", json!({})),
        Kind::Wrong,
        "the journal's 0 available and 1000 pending JPY, 475 available and 0 pending USD",
    ),
    (
        "a movement that is counted twice, because the balance forgot that it has it",
        |items| set(items, "#balances", "USD", "folding", json!([])),
        Kind::Wrong,
        "1175 available and 0 pending USD, the journal's",
    ),
    (
        "a part of the balance that is left out",
        |items| items.retain(|item| item["pk"] != "mer_1#test#balances#1"),
        Kind::Wrong,
        "455 available and 0 pending USD, the journal's",
    ),
    (
        "a charge that was made twice",
        |items| set(items, "sandbox#pay_1", "pay_1", "charges", json!(2)),
        Kind::Doubled,
        "the processor counts 2 charges for pay_1, not 1",
    ),
    (
        "a charge that was made again under another key",
        |items| add(items, json!({"pk": "sandbox#pay_1", "sk": "another", "charges": 1})),
        Kind::Doubled,
        "the processor counts 2 charges for pay_1, not 1",
    ),
    (
        "a charge that was never made",
        |items| items.retain(|item| item["pk"] != "sandbox#pay_4"),
        Kind::Lost,
        "the processor counts 0 charges for pay_4, not 1",
    ),
    (
        "a charge that was never undone",
        |items| items.retain(|item| item["sk"] != "pay_3/undo"),
        Kind::Doubled,
        "the processor counts 1 charges for pay_3, not 0",
    ),
    (
        "a charge that was undone, and should not have been",
        |items| add(items, json!({"pk": "sandbox#pay_1", "sk": "pay_1/undo", "calls": 1})),
        Kind::Wrong,
        "pay_1 is succeeded, and the processor has undone it",
    ),
    (
        "a refund that went out twice",
        |items| set(items, "sandbox#pay_1", "re_1", "refunds", json!(2)),
        Kind::Doubled,
        "the processor counts 2 refunds for re_1, not 1",
    ),
    (
        "a refund that failed, and went out",
        |items| add(items, json!({"pk": "sandbox#pay_1", "sk": "re_2", "refunds": 1})),
        Kind::Doubled,
        "the processor counts 1 refunds for re_2, not 0",
    ),
];

#[test]
fn each_fault_of_the_books_is_named() {
    for (name, spoil, kind, sentence) in SPOILS {
        let mut spoiled = items();
        spoil(&mut spoiled);
        assert_named(name, &violations(spoiled), *kind, sentence);
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
