//! The table's items of correct books, broken one by one.

use serde_json::{Value, json};
use spillway_tests::table::Item;
use spillway_tests::violation::Kind;

use super::good_books::items;
use super::{assert_named, violations};

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
        "a posting of another amount",
        |items| {
            let capture = items.iter_mut().find(|item| item["sk"] == "txn_capture_pay_1").unwrap();
            capture["postings"][2]["amount"] = json!(1);
        },
        Kind::Unbalanced,
        "the entry capture of pay_1 does not balance: processor_receivable 10000, merchant -9680, fee_income -1",
    ),
    (
        "a posting of nothing",
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
        "the entry settlement of set_1: postings is ",
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
        "an entry that repeats its postings wrongly",
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
