//! Evidence of one correct run, read once and broken in memory.

use std::sync::Arc;

use serde_json::{Value, json};
use spillway_tests::deliveries::Deliveries;
use spillway_tests::evidence::{Evidence, gather, strangers};
use spillway_tests::load_merchant::{LoadMerchant, all_delivered, queues_empty};
use spillway_tests::refunds::Refund;
use spillway_tests::request_log::{Repeat, Sent};
use spillway_tests::violation::Kind;
use spillway_tests::workload::{USUAL, Workload};
use spillway_tests::{Deadline, Options, Stack};

use super::assert_named;

const PAYMENTS: usize = 40;

/// Evidence of a correct run.
async fn good_evidence() -> Evidence {
    let knobs = Options::new().fold_at_once().knob("PROCESSOR_WAITS_SECONDS", 1);
    let stack = Stack::start(knobs).await;
    let deliveries = Arc::new(Deliveries::start(1).await.unwrap());
    let merchant = Arc::new(LoadMerchant::create(&stack, &deliveries, "Acme").await.unwrap());
    for order in Workload::new(1, "order", USUAL).take(PAYMENTS) {
        let payment =
            merchant.requests.pay(&merchant.client, order.clone(), Deadline::SOON, Repeat::After).await.unwrap();
        merchant.refund(&order, &payment, Deadline::SOON).await;
    }
    assert!(all_delivered(std::slice::from_ref(&merchant), Deadline::LATER).await);
    queues_empty(&stack, Deadline::SOON).await;
    gather(&merchant, &stack.table(), |_| ()).await
}

/// The id of a payment that succeeded at once, for more than its fee, without refunds.
fn paid(evidence: &Evidence) -> String {
    let paid = evidence.sent.iter().map(|sent| (&sent.request, sent));
    let mut paid = paid.filter(|(order, _)| order.card.token == "tok_visa" && order.net() > 1);
    paid.find(|(order, _)| order.refunds.amounts.is_empty()).unwrap().1.accepted.as_ref().unwrap().id.clone()
}

/// The id of a payment that was declined.
fn declined(evidence: &Evidence) -> String {
    let declined = evidence.sent.iter().find(|sent| !sent.request.succeeds());
    declined.unwrap().accepted.as_ref().unwrap().id.clone()
}

/// A refund that succeeded.
fn refund(evidence: &mut Evidence) -> &mut Sent<Refund> {
    let given = evidence.refunds.iter_mut().find(|sent| sent.accepted.is_some() && !sent.request.fails());
    given.unwrap()
}

/// Id of that refund.
fn refund_id(evidence: &Evidence) -> String {
    refund(&mut evidence.clone()).accepted.as_ref().unwrap().id.clone()
}

/// The id of this payment's webhook.
fn webhook_of(evidence: &Evidence, payment: &str) -> String {
    let webhook = evidence.webhooks.iter().find(|(_, webhook)| webhook.body()["data"]["id"] == payment);
    webhook.unwrap().0.clone()
}

/// Name, change, kind, and the expected text, with `PAID`, `DECLINED`, `REFUND` and `EVENT` for ids.
type Spoil = (&'static str, fn(&mut Evidence), Kind, &'static str);

const SPOILS: &[Spoil] = &[
    (
        "a webhook that never came",
        |evidence| {
            let id = webhook_of(evidence, &paid(evidence));
            evidence.webhooks.remove(&id);
        },
        Kind::Lost,
        "no webhook of payment.succeeded for PAID",
    ),
    (
        "a webhook that was given up",
        |evidence| {
            let id = webhook_of(evidence, &paid(evidence));
            evidence.webhooks.get_mut(&id).unwrap().acknowledged = false;
        },
        Kind::Lost,
        "webhook EVENT, payment.succeeded of PAID at version 2, was given up",
    ),
    (
        "one event under two ids",
        |evidence| {
            let webhook = evidence.webhooks[&webhook_of(evidence, &paid(evidence))].clone();
            evidence.webhooks.insert("evt_another".to_owned(), webhook);
        },
        Kind::Doubled,
        "2 webhooks for payment.succeeded of PAID at version 2: ",
    ),
    (
        "a webhook of no event",
        |evidence| {
            let webhook = evidence.webhooks[&webhook_of(evidence, &paid(evidence))].clone();
            evidence.webhooks.insert("evt_another".to_owned(), webhook);
        },
        Kind::Wrong,
        "webhook evt_another reports payment.succeeded of PAID at version 2, and no such event was written",
    ),
    (
        "a webhook that is unlike its event and the API",
        |evidence| {
            let id = webhook_of(evidence, &paid(evidence));
            let mut body = evidence.webhooks[&id].body();
            body["data"]["amount_refunded"] = json!(7);
            let forged = evidence.webhooks[&id].with_body(&body);
            evidence.webhooks.insert(id, forged);
        },
        Kind::Wrong,
        "unlike its event: data.amount_refunded is 7, not 0",
    ),
    (
        "what the deliveries noticed",
        |evidence| {
            let id = webhook_of(evidence, &paid(evidence));
            evidence.webhooks.get_mut(&id).unwrap().faults.push("its signature is wrong".to_owned());
        },
        Kind::Wrong,
        "webhook EVENT: its signature is wrong",
    ),
    (
        "a payment that no client created",
        |evidence| {
            let id = paid(evidence);
            evidence.sent.retain(|sent| sent.accepted.as_ref().unwrap().id != id);
        },
        Kind::Wrong,
        "PAID is in the table and no client created it",
    ),
    (
        "an order that was never accepted",
        |evidence| {
            evidence.sent[0].accepted = None;
            evidence.sent[0].tries = 3;
        },
        Kind::Lost,
        "order-1 was not accepted in 3 tries",
    ),
    (
        "two orders that became one payment",
        |evidence| evidence.sent[1].accepted = evidence.sent[0].accepted.clone(),
        Kind::Lost,
        "40 orders became 39 payments",
    ),
    (
        "a payment that the API does not show",
        |evidence| {
            let id = paid(evidence);
            evidence.shown.insert(id, json!("401 unauthorized: no key"));
        },
        Kind::Lost,
        "PAID was accepted, and its GET is answered 401 unauthorized: no key",
    ),
    (
        "a payment that never ends",
        |evidence| show(evidence, "status", json!("processing")),
        Kind::Lost,
        "PAID (tok_visa) is still processing",
    ),
    (
        "a payment with another outcome",
        |evidence| show(evidence, "status", json!("failed")),
        Kind::Wrong,
        "PAID (tok_visa): status is failed, not succeeded",
    ),
    (
        "a payment with another fee",
        |evidence| show(evidence, "fee", json!(1)),
        Kind::Wrong,
        "PAID (tok_visa): fee is 1, not ",
    ),
    (
        "a payment that is shown unlike its webhook",
        |evidence| show(evidence, "customer", json!("cus_1")),
        Kind::Wrong,
        "unlike the API: customer is nothing, not cus_1",
    ),
    (
        "a payment that is shown unlike it is stored",
        |evidence| show(evidence, "amount_refunded", json!(7)),
        Kind::Wrong,
        "PAID is shown otherwise than stored: amount_refunded is 7, not 0",
    ),
    (
        "a balance that is one unit off",
        |evidence| evidence.balance.as_mut().unwrap().get_mut("USD").unwrap().1 += 1,
        Kind::Wrong,
        "the balance that the API tells is ",
    ),
    (
        "a balance that the API does not tell",
        |evidence| evidence.balance = Err("503 unavailable".to_owned()),
        Kind::Wrong,
        "the balance was answered 503 unavailable",
    ),
    (
        "a charge that was declined, and undone",
        |evidence| {
            let id = declined(evidence);
            let undo = json!({"pk": format!("sandbox#{id}"), "sk": format!("{id}/undo"), "charges": 1});
            evidence.books.charges.entry(id).or_default().push(undo.as_object().unwrap().clone());
        },
        Kind::Wrong,
        "DECLINED has to be declined, and a charge of it was undone",
    ),
    (
        "an entry that was never written",
        |evidence| {
            let id = paid(evidence);
            evidence.books.entries.retain(|entry| entry["source"] != id.as_str());
        },
        Kind::Wrong,
        "hold what they must not: ",
    ),
    (
        "a journal with another balance than was asked for",
        |evidence| {
            let id = paid(evidence);
            evidence.books.entries.retain(|entry| entry["source"] != id.as_str());
        },
        Kind::Wrong,
        "the balance of the journal is ",
    ),
    (
        "an event that was never written",
        |evidence| {
            let id = paid(evidence);
            evidence.books.events.retain(|event| event["source"] != id.as_str());
        },
        Kind::Lost,
        "PAID is succeeded, and no event payment.succeeded tells of it",
    ),
    (
        "a refund without a webhook",
        |evidence| {
            let id = refund_id(evidence);
            let is_it = |body: &Value| body["data"]["id"] == id.as_str() && body["type"] == "refund.succeeded";
            evidence.webhooks.retain(|_, webhook| !is_it(&webhook.body()));
        },
        Kind::Lost,
        "no webhook of refund.succeeded for REFUND",
    ),
    (
        "a refund that no client created",
        |evidence| {
            let id = refund_id(evidence);
            evidence.refunds.retain(|sent| sent.accepted.as_ref().is_none_or(|accepted| accepted.id != id));
        },
        Kind::Wrong,
        "REFUND is in the table and no client created it",
    ),
    (
        "a refund that was never answered",
        |evidence| {
            let refund = refund(evidence);
            (refund.accepted, refund.tries) = (None, 3);
        },
        Kind::Lost,
        " was not accepted in 3 tries",
    ),
    (
        "a refund that was refused and not too much",
        |evidence| {
            let refund = refund(evidence);
            (refund.accepted, refund.refused) = (None, Some("amount_exceeds_refundable".to_owned()));
        },
        Kind::Wrong,
        "-refund-1 was refused ",
    ),
    (
        "two requests that became one refund",
        |evidence| {
            let first = refund(evidence).clone();
            evidence.refunds.push(first);
        },
        Kind::Lost,
        " requests became ",
    ),
    (
        "a refund that the API does not show",
        |evidence| drop(evidence.shown.insert(refund_id(evidence), json!("404 not_found: no such refund"))),
        Kind::Lost,
        "REFUND was accepted, and its GET is answered 404 not_found: no such refund",
    ),
    (
        "a refund that never ends",
        |evidence| evidence.shown.get_mut(&refund_id(evidence)).unwrap()["status"] = json!("pending"),
        Kind::Lost,
        "REFUND (TOKEN) is still pending",
    ),
    (
        "a refund with another outcome",
        |evidence| evidence.shown.get_mut(&refund_id(evidence)).unwrap()["status"] = json!("failed"),
        Kind::Wrong,
        "REFUND (TOKEN): status is failed, not succeeded",
    ),
    (
        "a refunded payment that does not say so",
        |evidence| {
            let payment = refund(evidence).request.payment.clone();
            evidence.shown.get_mut(&payment).unwrap()["amount_refunded"] = json!(7);
        },
        Kind::Wrong,
        "): amount_refunded is 7, not ",
    ),
    (
        "a list of refunds that misses one",
        |evidence| {
            let payment = refund(evidence).request.payment.clone();
            evidence.lists.refunds.insert(payment, Ok(Vec::new()));
        },
        Kind::Lost,
        "REFUND is not in the list of refunds of pay_",
    ),
    (
        "a list of refunds that the API does not show",
        |evidence| {
            let payment = refund(evidence).request.payment.clone();
            evidence.lists.refunds.insert(payment, Err("503 unavailable".to_owned()));
        },
        Kind::Wrong,
        " was answered 503 unavailable",
    ),
    (
        "an event that was neither written nor delivered",
        |evidence| {
            let id = refund_id(evidence);
            evidence.webhooks.retain(|_, webhook| webhook.body()["data"]["id"] != id.as_str());
            evidence.books.events.retain(|event| event["source"] != id.as_str());
        },
        Kind::Lost,
        "no webhook of refund.created for REFUND",
    ),
    (
        "what the client noticed of a refund",
        |evidence| refund(evidence).oddities.push("order-1-refund-1 was answered 401".to_owned()),
        Kind::Wrong,
        "order-1-refund-1 was answered 401",
    ),
    (
        "what the client noticed",
        |evidence| evidence.sent[0].oddities.push("order-1 was answered 401".to_owned()),
        Kind::Wrong,
        "order-1 was answered 401",
    ),
    (
        "a list that the API does not show",
        |evidence| evidence.lists.payments = Err("404 no such route".to_owned()),
        Kind::Wrong,
        "the list of payments was answered 404 no such route",
    ),
];

/// Changes a payment as the API shows it.
fn show(evidence: &mut Evidence, field: &str, value: Value) {
    let id = paid(evidence);
    evidence.shown.get_mut(&id).unwrap()[field] = value;
}

#[tokio::test]
async fn each_fault_of_the_evidence_is_named() {
    let good = good_evidence().await;
    assert_eq!(good.violations(), []);
    let mut asked = good.clone();
    let (paid, declined, id) = (paid(&good), declined(&good), refund_id(&good));
    let token = refund(&mut asked).request.order.card.token;
    let event = webhook_of(&good, &paid);
    for (name, spoil, kind, sentence) in SPOILS {
        let mut spoiled = good.clone();
        spoil(&mut spoiled);
        let sentence = sentence.replace("PAID", &paid).replace("DECLINED", &declined).replace("EVENT", &event);
        let sentence = sentence.replace("REFUND", &id).replace("TOKEN", token);
        let found = spoiled.violations();
        assert_named(name, &found, *kind, &sentence);
        assert!(found.iter().all(|each| !each.what.contains(['{', '\\'])), "in words: {found:#?}");
    }
    lists(&good);
    assert_eq!(strangers(std::slice::from_ref(&good)), []);
    for stranger in ["pay_x", "re_x"] {
        asked.books.charges.insert(stranger.to_owned(), Vec::new());
        let found = strangers(std::slice::from_ref(&asked));
        let sentence = format!("the processor was asked for {stranger}, which no client sent");
        assert_named("a stranger", &found, Kind::Wrong, &sentence);
    }
}

/// Each list with a missing, repeated, reversed or changed item: exactly this is named.
fn lists(good: &Evidence) {
    for name in ["the list of payments", "the list of transactions"] {
        let is_one = |spoil: fn(&mut Vec<Value>), kind: Kind, sentence: String| {
            let mut evidence = good.clone();
            let lists = &mut evidence.lists;
            let list = if name.ends_with("payments") { &mut lists.payments } else { &mut lists.transactions };
            spoil(list.as_mut().unwrap());
            let found = evidence.violations();
            assert_eq!(found.len(), 1, "{found:#?}");
            assert_named(name, &found, kind, &sentence);
        };
        is_one(|list| drop(list.remove(3)), Kind::Lost, format!("is not in {name}"));
        is_one(|list| list.insert(3, list[3].clone()), Kind::Doubled, format!("is in {name} twice"));
        is_one(|list| list.reverse(), Kind::Wrong, format!("{name} is not in the order of time"));
        let sentence = format!("is otherwise in {name}: amount is 1, not ");
        is_one(|list| list[3]["amount"] = json!(1), Kind::Wrong, sentence);
    }
}
