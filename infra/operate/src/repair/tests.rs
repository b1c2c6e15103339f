//! What may be written back, by items as they are stored.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use spillway_domain::id::{ApiKeyId, EndpointId, EntryId, MerchantId, PaymentId, RefundId};
use spillway_domain::time::Timestamp;
use spillway_store::{ItemKind, StoredItem, TableKey};

use super::books::Books;
use super::difference::{Difference, Verdict};
use super::facts::{Facts, Wanted};
use super::judge::{Decision, Evidence};

pub(super) fn tenant() -> String {
    format!("{}#test", MerchantId::derive(&["m"]))
}

pub(super) fn item(pk: &str, sk: &str, attributes: Value) -> StoredItem {
    let mut whole = json!({"pk": pk, "sk": sk});
    whole.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    StoredItem::of(&whole).unwrap()
}

fn difference(restored: &StoredItem, live: Option<StoredItem>) -> Difference {
    let key = restored.key().unwrap();
    Difference { kind: ItemKind::of(&key), key, restored: restored.clone(), live }
}

pub(super) fn now() -> Timestamp {
    Timestamp::parse("2026-03-01T00:00:00Z").unwrap()
}

/// Decides about one table against another, as [`super::run`] does.
fn decided(restored: &[StoredItem], live: &[StoredItem]) -> (BTreeMap<String, Decision>, BTreeMap<String, String>) {
    let at = |items: &[StoredItem], key: &TableKey| items.iter().find(|item| item.key().as_ref() == Some(key)).cloned();
    let (mut judged, mut balances) = (Vec::new(), Books::default());
    for item in restored {
        let difference = difference(item, at(live, &item.key().unwrap()));
        if difference.kind == Some(ItemKind::Balance) {
            balances.add(&difference.key, ItemKind::Balance, item);
        }
        if difference.live.as_ref().is_none_or(|live| !item.differing(live).is_empty()) {
            let verdict = difference.verdict(now());
            judged.push((difference, verdict));
        }
    }
    let damaged = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Damaged).map(|(difference, _)| difference);
    let wanted = Wanted::of(damaged);
    let mut facts = Facts::default();
    live.iter().for_each(|item| facts.add(&wanted, item));
    let mut evidence = Evidence { restored: balances, ..Evidence::default() };
    for (id, references) in &facts.references {
        let new = references.iter().filter(|key| !wanted.keys.contains(key) && at(restored, key).is_none());
        new.for_each(|key| drop(evidence.later.insert(id.clone(), key.sk.clone())));
    }
    evidence.facts = facts;
    let (decisions, disagreements) = evidence.decide(&judged);
    let named = judged.iter().map(|(difference, _)| format!("{} {}", difference.key.pk, difference.key.sk));
    (named.zip(decisions).collect(), disagreements)
}

/// The only decision.
fn only(restored: &[StoredItem], live: &[StoredItem]) -> Decision {
    let (decisions, _) = decided(restored, live);
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    decisions.into_values().next().unwrap()
}

fn refused(decision: &Decision) -> &str {
    match decision {
        Decision::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

fn moved_on(decision: &Decision) -> bool {
    matches!(decision, Decision::MovedOn(_))
}

/// The id of an entry on shard 0.
pub(super) fn entry_id(name: &str) -> String {
    EntryId::ordered(Timestamp::parse("2026-01-31T12:00:00Z").unwrap(), 0, &[name]).to_string()
}

/// A capture that brings the merchant `net`, and its movement.
pub(super) fn capture(name: &str, net: i64) -> [StoredItem; 2] {
    let (id, source) = (entry_id(name), PaymentId::derive(&[name]).to_string());
    let postings = json!([{"account": "processor_receivable", "side": "debit", "amount": net},
        {"account": "merchant", "side": "credit", "amount": net}]);
    let entry = json!({"id": id, "type": "capture", "currency": "USD", "postings": postings,
        "available_on": "2026-02-02", "source": source, "request_id": "r", "created_at": "2026-01-31T12:00:00.000Z"});
    let movement = json!({"amount": net, "source": source, "request_id": "r"});
    [
        item(&format!("{}#journal#0", tenant()), &id, entry),
        item(&format!("{}#movements#0", tenant()), &format!("move#USD#2026-02-02#{id}"), movement),
    ]
}

pub(super) fn balance(available: i64, seq: u64, folding: &[&str]) -> StoredItem {
    let folding: Vec<String> = folding.iter().map(|name| format!("USD#2026-02-02#{}", entry_id(name))).collect();
    let attributes = json!({"available": available, "pending": {}, "folding": folding, "seq": seq});
    item(&format!("{}#balances", tenant()), "USD", attributes)
}

pub(super) fn payment(name: &str, attributes: Value) -> StoredItem {
    let (id, owner) = (PaymentId::derive(&[name]).to_string(), tenant());
    let mut whole = json!({"id": id, "owner": owner, "shard": 0, "version": 2,
        "fingerprint": "0".repeat(64), "request_id": "r", "created_at": "2026-01-31T12:00:00.000Z",
        "updated_at": "2026-01-31T12:00:01.000Z", "status": "succeeded",
        "asked": {"amount": 1250, "currency": "USD", "token": "tok_visa", "capture_method": "automatic", "metadata": {}},
        "amount_captured": 1250, "amount_refunded": 0, "amount_disputed": 0, "refundable": 1250, "fee": 66,
        "processor": "sandbox"});
    whole.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    item(&format!("{}#{id}", tenant()), "payment", whole)
}

/// A merchant's data without damage: two captures, of which the first is folded and its movement deleted.
pub(super) fn sound() -> Vec<StoredItem> {
    let ([one, _], [two, moved]) = (capture("one", 1184), capture("two", 500));
    vec![one, two, moved, balance(1184, 2, &[]), payment("one", json!({}))]
}

pub(super) fn without(items: &[StoredItem], sk: &str) -> Vec<StoredItem> {
    let left: Vec<StoredItem> = items.iter().filter(|item| !item.key().unwrap().sk.starts_with(sk)).cloned().collect();
    assert!(left.len() < items.len(), "no {sk}");
    left
}

pub(super) fn with(items: &[StoredItem], changed: StoredItem) -> Vec<StoredItem> {
    let mut items: Vec<StoredItem> = items.iter().filter(|item| item.key() != changed.key()).cloned().collect();
    items.push(changed);
    items
}

#[test]
fn equal_tables_do_not_differ() {
    let (decisions, disagreements) = decided(&sound(), &sound());
    assert!(decisions.is_empty() && disagreements.is_empty(), "{decisions:?} {disagreements:?}");
}

#[test]
fn missing_and_changed_entries_are_written_back() {
    let lost: Vec<StoredItem> = without(&sound(), &entry_id("one"));
    assert_eq!(only(&sound(), &lost), Decision::WriteBack);
    let [changed, _] = capture("one", 9999);
    assert_eq!(only(&sound(), &with(&sound(), changed)), Decision::WriteBack);
}

#[test]
fn a_lost_movement_is_written_back_if_no_fold_can_have_added_it() {
    // No fold since the restore, or one fold that names its movements.
    let lost = without(&sound(), "move#");
    assert_eq!(only(&sound(), &lost), Decision::WriteMovementBack(2));
    let [entry, _] = capture("three", 70);
    let once_folded = with(&with(&lost, entry), balance(1254, 3, &["three"]));
    let (decisions, _) = decided(&sound(), &once_folded);
    assert!(decisions.values().any(|decision| *decision == Decision::WriteMovementBack(3)), "{decisions:?}");
}

#[test]
fn a_folded_movement_is_never_written_back() {
    // The last fold names it.
    let folded = with(&without(&sound(), "move#"), balance(1684, 3, &["two"]));
    let (decisions, _) = decided(&sound(), &folded);
    assert!(decisions.values().all(moved_on), "{decisions:?}");
    // Two folds since: the journal agrees with the balance, so it was folded.
    let later = with(&without(&sound(), "move#"), balance(1684, 4, &[]));
    let (decisions, _) = decided(&sound(), &later);
    assert!(decisions.values().all(moved_on), "{decisions:?}");
}

#[test]
fn a_movement_that_may_be_folded_is_refused_if_the_books_disagree() {
    let short = with(&without(&sound(), "move#"), balance(1184, 4, &[]));
    let (decisions, disagreements) = decided(&sound(), &short);
    let movement = decisions.iter().find(|(key, _)| key.contains("move#")).unwrap().1;
    assert!(refused(movement).contains("500 more USD"), "{movement:?}");
    assert_eq!(disagreements.len(), 1);
}

#[test]
fn a_lost_balance_is_written_back_if_the_books_then_agree() {
    assert_eq!(only(&sound(), &without(&sound(), "USD")), Decision::WriteBack);
    // 1,184 of two captures (1,684) are folded, so 1 more in the restored balance is wrong.
    let wrong = with(&sound(), balance(1185, 2, &[]));
    assert!(refused(&only(&wrong, &without(&sound(), "USD"))).contains("the journal has -1 more USD"));
    // A part to which no fold has added anything yet.
    let unfolded = [&capture("two", 500)[..], &[balance(0, 0, &[])]].concat();
    assert_eq!(only(&unfolded, &without(&unfolded, "USD")), Decision::WriteBack);
    // Folded from nothing after it was lost: the restored balance would lose that fold.
    let [entry, _] = capture("three", 70);
    let again = with(&with(&without(&sound(), "USD"), entry), balance(570, 1, &["two", "three"]));
    let (decisions, _) = decided(&sound(), &again);
    let balance = decisions.iter().find(|(key, _)| key.ends_with(" USD")).unwrap().1;
    refused(balance);
}

#[test]
fn a_balance_that_exists_is_never_replaced() {
    // A fold may have read it: with movements in `folding` or without, at the restored count of folds or below.
    for (folding, seq) in [(&[][..], 2), (&["two"][..], 2), (&[][..], 1)] {
        let (decisions, disagreements) = decided(&sound(), &with(&sound(), balance(9999, seq, folding)));
        assert!(refused(&decisions[&format!("{}#balances USD", tenant())]).contains("it exists"), "{decisions:?}");
        // The books are judged with the balance as it stays.
        assert_eq!(disagreements.len(), 1);
    }
}

#[test]
fn an_entry_is_written_back_only_if_the_books_then_agree() {
    // Without the entry the books lack 1,184. With it they have what they had; but the balance is wrong by 1.
    let lost = with(&without(&sound(), &entry_id("one")), balance(1185, 3, &[]));
    let (decisions, _) = decided(&sound(), &lost);
    let entry = decisions.iter().find(|(key, _)| key.contains("#journal")).unwrap().1;
    assert!(refused(entry).contains("the journal has -1 more USD"), "{entry:?}");
}

#[test]
fn only_1_writes() {
    for (value, expected) in [(None, false), (Some(""), false), (Some("0"), false), (Some("1"), true)] {
        assert_eq!(super::asks_to_write(value.map(str::to_owned)).unwrap(), expected);
    }
    for wrong in ["no", "false", "true", "yes", "2", "01", " 1"] {
        let error = super::asks_to_write(Some(wrong.to_owned())).unwrap_err();
        assert_eq!(error.to_string(), format!("WRITE must be 1 to write, or 0 or empty, and not {wrong:?}."));
    }
}

#[test]
fn a_damaged_payment_is_written_back_at_its_own_version_only() {
    let cases = [
        (payment("one", json!({"amount_captured": 1})), Decision::WriteBack),
        (payment("one", json!({"version": 1})), Decision::WriteBack),
    ];
    for (live, expected) in cases {
        assert_eq!(only(&sound(), &with(&sound(), live)), expected);
    }
    assert_eq!(only(&sound(), &without(&sound(), "payment")), Decision::WriteBack);
    for live in [
        json!({"version": 3, "amount_refunded": 5}),
        json!({"asking": {"verb": "authorize"}}),
        json!({"due": "due#money#1"}),
    ] {
        assert!(moved_on(&only(&sound(), &with(&sound(), payment("one", live)))));
    }
    let constant = payment("one", json!({"version": 3, "processor": "other"}));
    assert!(refused(&only(&sound(), &with(&sound(), constant))).contains("processor must never change"));
}

#[test]
fn a_payment_that_was_refunded_since_is_not_written_back() {
    let refund = item(
        &format!("{}#{}", tenant(), RefundId::derive(&["r"])),
        "refund",
        json!({"payment": PaymentId::derive(&["one"]).to_string(), "version": 1}),
    );
    let live = with(&without(&sound(), "payment"), refund);
    assert!(refused(&only(&sound(), &live)).contains("it has changed since"));
}

#[test]
fn a_payment_is_not_written_back_while_the_books_disagree() {
    // The payment was captured after the restore, then payment and entry were lost: asking again would post it twice.
    let restored = [payment("one", json!({"status": "processing", "version": 1}))];
    let live = [balance(1184, 1, &["one"])];
    let (decisions, _) = decided(&restored, &live);
    assert!(refused(decisions.values().next().unwrap()).contains("the books of"), "{decisions:?}");
}

#[test]
fn a_payment_that_is_being_looked_up_is_not_written_back() {
    let asking = json!({"verb": "authorize", "since": "2026-01-31T12:00:00.000Z", "asks": 4,
        "absent_since": "2026-01-31T13:00:00.000Z"});
    let restored = [payment("one", json!({"status": "processing", "version": 1, "asking": asking}))];
    assert!(refused(&only(&restored, &[])).contains("looked up"));
}

#[test]
fn a_merchant_that_an_operator_changed_since_is_not_written_back() {
    let id = MerchantId::derive(&["m"]).to_string();
    let shards = json!([{"count": 4, "from": "2026-01-01T00:00:00.000Z"}]);
    let merchant = item(
        &id,
        "merchant",
        json!({"id": id, "reference": "m", "fingerprint": "f", "name": "M",
        "plan": "high", "plan_key": "0", "currencies": {}, "settlement_delay_days": 2, "shards": shards,
        "suspended": false, "version": 1, "request_id": "r", "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z"}),
    );
    assert_eq!(only(std::slice::from_ref(&merchant), &[]), Decision::WriteBack);
    let action = item(&format!("{id}#actions"), "2026-02-01", json!({}));
    assert!(refused(&only(std::slice::from_ref(&merchant), &[action])).contains("changed since"));
    // With too few shards a reader would miss movements.
    let spread = item(
        &format!("{}#movements#7", tenant()),
        "move#USD#2026-02-02#txn_7ccpzn4gffpza71gj3mr6qsffj",
        json!({"amount": 1}),
    );
    assert!(refused(&only(&[merchant], &[spread])).contains("uses 8 shards"));
}

#[test]
fn a_revoked_key_is_never_taken_back() {
    let (merchant, id) = (MerchantId::derive(&["m"]).to_string(), ApiKeyId::derive(&["k"]).to_string());
    let by_hash = |attributes: Value| {
        let mut whole = json!({"id": id, "tenant": tenant(), "scopes": []});
        whole.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        item("key#00", "key", whole)
    };
    let by_id = |attributes: Value| {
        let mut whole = json!({"id": id, "tenant": tenant(), "scopes": [], "sha256": "00"});
        whole.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        item(&format!("{merchant}#keys"), &id, whole)
    };
    let revoked =
        json!({"revocation": {"revoked_at": "2026-02-01T00:00:00.000Z"}, "revoked_by": "arn:aws:iam::1:user/a"});
    let restored = [by_hash(json!({})), by_id(json!({}))];
    // Revoked since: both items, or only one item is left.
    let (decisions, _) = decided(&restored, &[by_hash(revoked.clone()), by_id(revoked.clone())]);
    assert!(decisions.values().all(moved_on), "{decisions:?}");
    let (decisions, _) = decided(&restored, &[by_id(revoked.clone())]);
    assert!(refused(&decisions["key#00 key"]).contains("may have been revoked"), "{decisions:?}");
    // Revoked since and damaged too: restored, it would be valid again.
    let damaged = json!({"revocation": revoked["revocation"], "revoked_by": "arn:aws:iam::1:user/a", "scopes": ["x"]});
    for other in [by_id(revoked.clone()), by_id(json!({}))] {
        let (decisions, _) = decided(&restored, &[by_hash(damaged.clone()), other]);
        assert!(refused(&decisions["key#00 key"]).contains("issue a new key"), "{decisions:?}");
    }
    // The other item proves that it was not revoked.
    assert_eq!(only(&restored, &[by_id(json!({}))]), Decision::WriteBack);
    assert_eq!(only(&restored, &[by_hash(json!({}))]), Decision::WriteBack);
    // Nothing proves it.
    let (decisions, _) = decided(&restored, &[]);
    decisions.values().for_each(|decision| assert!(!refused(decision).is_empty()));
    // A revocation that was lost is written back.
    let restored = [by_hash(revoked.clone()), by_id(revoked)];
    let (decisions, _) = decided(&restored, &[by_hash(json!({})), restored[1].clone()]);
    assert_eq!(decisions["key#00 key"], Decision::WriteBack);
}

#[test]
fn an_endpoint_is_never_written_back_and_the_count_counts() {
    let (pk, id) = (format!("{}#webhooks", tenant()), EndpointId::derive(&["w"]).to_string());
    let attributes = |url: &str, status: &str| json!({"url": url, "status": status, "version": 1});
    let endpoint = item(&pk, &id, attributes("https://a.test", "enabled"));
    let count = |endpoints: i64| item(&pk, "count", json!({"endpoints": endpoints, "enabled": endpoints}));
    let restored = [endpoint.clone(), count(1)];
    let deleted = [item(&pk, &format!("gone#{id}"), json!({})), count(0)];
    let (decisions, _) = decided(&restored, &deleted);
    assert!(decisions.values().all(moved_on), "{decisions:?}");
    // Without a tombstone: it was lost, or deleted more than 30 days ago.
    assert_eq!(refused(&only(&restored, &[count(1)])), "its merchant creates or changes it again");
    for live in [attributes("https://b.test", "enabled"), attributes("https://a.test", "disabled")] {
        let decision = only(std::slice::from_ref(&endpoint), &[item(&pk, &id, live)]);
        assert_eq!(refused(&decision), "its merchant creates or changes it again");
    }
    let (decisions, _) = decided(&restored, &[]);
    assert!(refused(&decisions[&format!("{pk} count")]).contains("0 endpoints, 0 of them enabled"), "{decisions:?}");
    assert_eq!(only(&restored, &[endpoint.clone(), count(7)]), Decision::WriteBack);
    let second = item(&pk, &EndpointId::derive(&["v"]).to_string(), json!({"status": "disabled"}));
    assert!(refused(&only(&restored, &[endpoint, second, count(7)])).contains("2 endpoints, 1 of them enabled"));
}

#[test]
fn expired_and_unknown_items_are_not_written_back() {
    let expired = item(&format!("{}#events#0", tenant()), "evt_1", json!({"expires_at": 1}));
    assert_eq!(only(&[expired], &[]), Decision::MovedOn("it has expired"));
    let unknown = item(&format!("{}#po_1", tenant()), "payout", json!({}));
    assert!(refused(&only(&[unknown], &[])).contains("knows no item"));
}
