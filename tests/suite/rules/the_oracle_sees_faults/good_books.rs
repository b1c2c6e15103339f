//! Correct books, made by hand: every resource in every state at rest, and every type of entry.
//!
//! Fees are 290 basis points + 30, the delay is two days. In USD the merchant has 9,680 − 4,000 of pay_1 (re_2 and re_3
//! took and gave back), 2,883 − 4,500 + 3,000 of pay_2, 1,912 − 3,500 of pay_4, and − 5,000 for po_1 (po_2 and po_3 took
//! and gave back): 475. In JPY it has 1,184 − 184, from 2100 on.

use serde_json::{Value, json};
use spillway_tests::table::Item;

pub const TENANT: &str = "mer_1#test";

/// All items.
pub fn items() -> Vec<Item> {
    let mut items = vec![
        json!({"pk": "mer_1", "sk": "merchant", "settlement_delay_days": 2, "version": 1}),
        json!({"pk": "mer_2#test#journal#0", "sk": "txn_other", "type": "capture"}),
        json!({"pk": key("we_1"), "sk": "endpoint", "status": "disabled"}),
        json!({"pk": key("events#0"), "sk": "evt_we_1", "type": "webhook_endpoint.disabled", "source": "we_1",
            "data": "{}"}),
    ];
    items.extend(payments());
    items.extend(takings());
    items.extend(payouts());
    items.extend(platform());
    items.extend(balances());
    items.into_iter().map(|item| item.as_object().unwrap().clone()).collect()
}

fn key(rest: &str) -> String {
    format!("{TENANT}#{rest}")
}

fn object(id: &str, kind: &str, status: &str, amount: i64, version: i64, at: &str, more: Value) -> Value {
    let mut item = json!({"pk": key(id), "sk": kind, "id": id, "status": status, "amount": amount, "currency": "USD",
        "version": version, "created_at": "2026-01-05T10:00:00.000Z", "updated_at": at});
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    item
}

/// The event of a change to `status`, with the object at that version.
fn event(of: &Value, kind: &str, status: &str, version: i64, at: &str) -> Value {
    let mut data = of.clone();
    let fields = data.as_object_mut().unwrap();
    for stored in
        ["pk", "sk", "due", "refundable", "amount_captured", "amount_refunded", "amount_disputed", "returned_at"]
    {
        fields.remove(stored);
    }
    let now = json!({"object": of["sk"], "mode": "test", "status": status, "version": version, "updated_at": at});
    fields.extend(now.as_object().unwrap().clone());
    let id = of["id"].as_str().unwrap();
    json!({"pk": key("events#0"), "sk": format!("evt_{id}_{version}"), "type": kind, "source": id, "timestamp": at,
        "data": data.to_string()})
}

/// `postings`: account and minor units, debits above zero. The id is `txn_<type>_<source>`.
fn entry(kind: &str, source: &str, currency: &str, at: &str, available_on: &str, postings: &[(&str, i64)]) -> Value {
    let posting = |(account, amount): &(&str, i64)| json!({"account": account, "side": if *amount > 0 { "debit" } else { "credit" }, "amount": amount.abs()});
    let id = format!("txn_{kind}_{source}");
    json!({"pk": key("journal#0"), "sk": id, "id": id, "type": kind, "source": source, "currency": currency,
        "postings": postings.iter().map(posting).collect::<Vec<Value>>(), "available_on": available_on,
        "created_at": format!("{at}T10:00:00.000Z")})
}

fn movement(key_of: &str, amount: i64) -> Value {
    json!({"pk": key("movements#0"), "sk": format!("move#{key_of}"), "amount": amount})
}

fn charge(reference: &str, sk: &str, counter: &str) -> Value {
    json!({"pk": format!("sandbox#{reference}"), "sk": sk, "calls": 1, counter: 1})
}

fn paid(captured: i64, refunded: i64, disputed: i64, fee: i64, available_on: &str, method: &str) -> Value {
    json!({"amount_captured": captured, "amount_refunded": refunded, "amount_disputed": disputed, "fee": fee,
        "refundable": captured - refunded - disputed, "available_on": available_on, "capture_method": method})
}

fn unpaid(method: &str) -> Value {
    json!({"amount_captured": 0, "amount_refunded": 0, "amount_disputed": 0, "fee": null, "refundable": 0,
        "available_on": null, "capture_method": method})
}

fn payments() -> Vec<Value> {
    let (t5, t6) = ("2026-01-05T10:00:00.000Z", "2026-01-06T10:00:00.000Z");
    let (last, late) = ("2026-01-21T10:00:00.000Z", "2099-12-30T10:00:00.000Z");
    let one = object(
        "pay_1",
        "payment",
        "succeeded",
        10_000,
        7,
        last,
        paid(10_000, 4_000, 0, 320, "2026-01-07", "automatic"),
    );
    let two = object("pay_2", "payment", "succeeded", 5_000, 6, last, paid(3_000, 0, 0, 117, "2026-01-08", "manual"));
    let three = object("pay_3", "payment", "failed", 100, 2, t5, unpaid("automatic"));
    let four =
        object("pay_4", "payment", "succeeded", 2_000, 3, last, paid(2_000, 0, 2_000, 88, "2026-01-07", "automatic"));
    let mut held = unpaid("manual");
    held["due"] = json!("due#money#1");
    let five = object("pay_5", "payment", "requires_capture", 100, 2, t5, held);
    let six = object("pay_6", "payment", "canceled", 100, 4, t6, unpaid("manual"));
    let mut seven =
        object("pay_7", "payment", "succeeded", 1_250, 3, late, paid(1_250, 184, 0, 66, "2100-01-01", "automatic"));
    seven["currency"] = json!("JPY");
    vec![
        event(&one, "payment.succeeded", "succeeded", 2, t5),
        event(&two, "payment.requires_capture", "requires_capture", 2, t5),
        event(&two, "payment.succeeded", "succeeded", 4, t6),
        event(&three, "payment.failed", "failed", 2, t5),
        event(&four, "payment.succeeded", "succeeded", 2, t5),
        event(&five, "payment.requires_capture", "requires_capture", 2, t5),
        event(&six, "payment.requires_capture", "requires_capture", 2, t5),
        event(&six, "payment.canceled", "canceled", 4, t6),
        event(&seven, "payment.succeeded", "succeeded", 2, late),
        capture("pay_1", "USD", "2026-01-05", "2026-01-07", [10_000, 9_680, 320]),
        capture("pay_2", "USD", "2026-01-06", "2026-01-08", [3_000, 2_883, 117]),
        capture("pay_4", "USD", "2026-01-05", "2026-01-07", [2_000, 1_912, 88]),
        capture("pay_7", "JPY", "2099-12-30", "2100-01-01", [1_250, 1_184, 66]),
        charge("pay_1", "pay_1", "charges"),
        charge("pay_2", "pay_2/capture", "charges"),
        charge("pay_3", "pay_3", "charges"),
        json!({"pk": "sandbox#pay_3", "sk": "pay_3/undo", "calls": 1}),
        charge("pay_4", "pay_4", "charges"),
        charge("pay_7", "pay_7", "charges"),
        one,
        two,
        three,
        four,
        five,
        six,
        seven,
    ]
}

fn capture(source: &str, currency: &str, at: &str, available_on: &str, [amount, net, fee]: [i64; 3]) -> Value {
    let postings = [("processor_receivable", amount), ("merchant", -net), ("fee_income", -fee)];
    let mut entry = entry("capture", source, currency, at, available_on, &postings);
    entry["amount"] = json!(amount);
    entry["fee"] = json!(fee);
    entry["net"] = json!(net);
    entry
}

/// Refunds and disputes.
fn takings() -> Vec<Value> {
    let at = |day: u32| format!("2026-01-{day:02}T10:00:00.000Z");
    let of = |payment: &str| json!({"payment": payment});
    let one = object("re_1", "refund", "succeeded", 4_000, 2, &at(5), of("pay_1"));
    let two = object("re_2", "refund", "failed", 1_000, 2, &at(9), of("pay_1"));
    let back = json!({"payment": "pay_1", "returned_at": at(10)});
    let three = object("re_3", "refund", "succeeded", 500, 3, &at(10), back);
    let late = "2099-12-31T10:00:00.000Z";
    let waiting = json!({"payment": "pay_7", "currency": "JPY", "due": "due#money#1"});
    let four = object("re_4", "refund", "pending", 184, 1, late, waiting);
    let won = object("dp_1", "dispute", "won", 3_000, 2, &at(20), of("pay_2"));
    let lost = object("dp_2", "dispute", "lost", 2_000, 3, &at(21), of("pay_4"));
    let plain = |kind: &str, source: &str, day: u32, available_on: &str, debit: &str, credit: &str, amount: i64| {
        entry(kind, source, "USD", &at(day)[..10], available_on, &[(debit, amount), (credit, -amount)])
    };
    let opened = |source: &str, day: u32, amount: i64| {
        let postings = [("merchant", amount + 1_500), ("disputes_held", -amount), ("dispute_fee_income", -1_500)];
        entry("dispute", source, "USD", &at(day)[..10], "2026-01-08", &postings)
    };
    vec![
        event(&one, "refund.created", "pending", 1, &at(5)),
        event(&one, "refund.succeeded", "succeeded", 2, &at(5)),
        event(&two, "refund.created", "pending", 1, &at(6)),
        event(&two, "refund.failed", "failed", 2, &at(9)),
        event(&three, "refund.created", "pending", 1, &at(8)),
        event(&three, "refund.succeeded", "succeeded", 2, &at(8)),
        event(&three, "refund.returned", "succeeded", 3, &at(10)),
        event(&four, "refund.created", "pending", 1, late),
        event(&won, "dispute.created", "needs_response", 1, &at(7)),
        event(&won, "dispute.won", "won", 2, &at(20)),
        event(&lost, "dispute.created", "needs_response", 1, &at(8)),
        event(&lost, "dispute.updated", "under_review", 2, &at(9)),
        event(&lost, "dispute.lost", "lost", 3, &at(21)),
        plain("refund", "re_1", 5, "2026-01-07", "merchant", "refunds_payable", 4_000),
        plain("refund_sent", "re_1", 5, "2026-01-05", "refunds_payable", "processor_receivable", 4_000),
        plain("refund", "re_2", 6, "2026-01-07", "merchant", "refunds_payable", 1_000),
        plain("refund_failed", "re_2", 9, "2026-01-09", "refunds_payable", "merchant", 1_000),
        plain("refund", "re_3", 8, "2026-01-08", "merchant", "refunds_payable", 500),
        plain("refund_sent", "re_3", 8, "2026-01-08", "refunds_payable", "processor_receivable", 500),
        plain("refund_returned", "re_3", 10, "2026-01-10", "processor_receivable", "merchant", 500),
        entry("refund", "re_4", "JPY", "2099-12-31", "2100-01-01", &[("merchant", 184), ("refunds_payable", -184)]),
        opened("dp_1", 7, 3_000),
        plain("dispute_won", "dp_1", 20, "2026-01-20", "disputes_held", "merchant", 3_000),
        opened("dp_2", 8, 2_000),
        plain("dispute_lost", "dp_2", 21, "2026-01-21", "disputes_held", "processor_receivable", 2_000),
        charge("pay_1", "re_1", "refunds"),
        charge("re_3", "re_3", "refunds"),
        one,
        two,
        three,
        four,
        won,
        lost,
    ]
}

fn payouts() -> Vec<Value> {
    let at = |day: u32| format!("2026-01-{day:02}T10:00:00.000Z");
    let one = object("po_1", "payout", "paid", 5_000, 3, &at(16), json!({}));
    let two = object("po_2", "payout", "failed", 700, 2, &at(16), json!({}));
    let three = object("po_3", "payout", "paid", 300, 4, &at(19), json!({"returned_at": at(19)}));
    let plain = |kind: &str, source: &str, day: u32, debit: &str, credit: &str, amount: i64| {
        let day = &at(day)[..10];
        entry(kind, source, "USD", day, day, &[(debit, amount), (credit, -amount)])
    };
    vec![
        event(&one, "payout.created", "pending", 1, &at(15)),
        event(&one, "payout.in_transit", "in_transit", 2, &at(15)),
        event(&one, "payout.paid", "paid", 3, &at(16)),
        event(&two, "payout.created", "pending", 1, &at(16)),
        event(&two, "payout.failed", "failed", 2, &at(16)),
        event(&three, "payout.created", "pending", 1, &at(17)),
        event(&three, "payout.in_transit", "in_transit", 2, &at(17)),
        event(&three, "payout.paid", "paid", 3, &at(18)),
        event(&three, "payout.returned", "paid", 4, &at(19)),
        plain("payout", "po_1", 15, "merchant", "payouts_in_transit", 5_000),
        plain("payout_paid", "po_1", 16, "payouts_in_transit", "bank", 5_000),
        plain("payout", "po_2", 16, "merchant", "payouts_in_transit", 700),
        plain("payout_failed", "po_2", 16, "payouts_in_transit", "merchant", 700),
        plain("payout", "po_3", 17, "merchant", "payouts_in_transit", 300),
        plain("payout_paid", "po_3", 18, "payouts_in_transit", "bank", 300),
        plain("payout_returned", "po_3", 19, "bank", "merchant", 300),
        charge("po_1", "po_1", "payouts"),
        charge("po_3", "po_3", "payouts"),
        one,
        two,
        three,
    ]
}

fn platform() -> Vec<Value> {
    let postings = [("bank", 9_000), ("processor_costs", 1_000), ("processor_receivable", -10_000)];
    vec![entry("settlement", "set_1", "USD", "2026-01-20", "2026-01-20", &postings)]
}

/// In USD all but 300 is folded; the last folded movement is not deleted yet. 5 were moved to the first part.
fn balances() -> Vec<Value> {
    let folded = "USD#2026-01-16#txn_payout_failed_po_2";
    vec![
        json!({"pk": key("balances"), "sk": "USD", "available": 160, "pending": {}, "moved_in": 5, "moved_out": 0,
            "folding": [folded], "seq": 9}),
        json!({"pk": key("balances#1"), "sk": "USD", "available": 15, "pending": {}, "moved_in": 0, "moved_out": 5,
            "folding": [], "seq": 2}),
        json!({"pk": key("balances"), "sk": "JPY", "available": 0, "pending": {"2100-01-01": 1_184}, "folding": []}),
        movement(folded, 700),
        movement("USD#2026-01-19#txn_payout_returned_po_3", 300),
        movement("JPY#2100-01-01#txn_refund_re_4", -184),
    ]
}
