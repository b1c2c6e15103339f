//! A witness that could not find anything would be worth nothing: here faults are planted one at a time, in the books
//! of a run that was right, and each has to be named.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Response;
use serde_json::{Value, json};
use spillway_tests::inbox::Inbox;
use spillway_tests::server::Server;
use spillway_tests::shop::{Shop, all_quiet, all_told};
use spillway_tests::witness::{Evidence, Kind, Violation, gather, strangers};
use spillway_tests::workload::{USUAL, Workload};
use spillway_tests::{Client, Deadline, Live, Options, Stack};

const PAYMENTS: usize = 40;

/// A run in which nothing went wrong.
struct Run {
    stack: Stack,
    shop: Arc<Shop>,
}

impl Run {
    async fn new() -> Run {
        let knobs = Options::new().knob("FOLD_DELAY_SECONDS", 0).knob("PROCESSOR_WAITS_SECONDS", 1);
        let stack = Stack::start(knobs).await;
        let inbox = Arc::new(Inbox::start(1).await.unwrap());
        let shop = Arc::new(Shop::open(&stack, &inbox, "Acme").await.unwrap());
        for order in Workload::new(1, "order", USUAL).take(PAYMENTS) {
            shop.book.place(&shop.client, order, Deadline::SOON, true).await;
        }
        assert!(all_told(std::slice::from_ref(&shop), Deadline::LATER).await);
        all_quiet(&stack, Deadline::SOON).await;
        let run = Run { stack, shop };
        assert_eq!(run.evidence().await.violations(), []);
        run
    }

    async fn evidence(&self) -> Evidence {
        gather(&self.shop, &self.stack.table(), |_| ()).await
    }

    /// What the witness says now, of this kind.
    async fn says(&self, kind: Kind) -> String {
        let found = self.evidence().await.violations();
        let of_kind: Vec<String> =
            found.iter().filter(|each| each.kind == kind).map(|each| each.what.clone()).collect();
        of_kind.join("\n")
    }

    /// The id of a payment that succeeded at once, for more than its fee.
    async fn paid(&self) -> String {
        let sent = self.shop.book.sent();
        let paid = sent.iter().find(|sent| sent.order.card.token == "tok_visa" && sent.order.net() > 1).unwrap();
        paid.accepted.as_ref().unwrap().id.clone()
    }

    /// The id of a payment that was declined.
    fn declined(&self) -> String {
        let sent = self.shop.book.sent();
        let declined = sent.iter().find(|sent| !sent.order.succeeds()).unwrap();
        declined.accepted.as_ref().unwrap().id.clone()
    }

    /// Changes one attribute of an item, in DynamoDB's JSON, without any condition.
    async fn set(&self, pk: &str, sk: &str, name: &str, value: Value) {
        let request = json!({"Key": {"pk": {"S": pk}, "sk": {"S": sk}}, "UpdateExpression": "SET #name = :value",
            "ExpressionAttributeNames": {"#name": name}, "ExpressionAttributeValues": {":value": value}});
        self.stack.table().call("UpdateItem", request).await;
    }

    /// The whole item as DynamoDB gives it.
    async fn item(&self, pk: &str, sk: &str) -> Value {
        let request = json!({"Key": {"pk": {"S": pk}, "sk": {"S": sk}}, "ConsistentRead": true});
        self.stack.table().call("GetItem", request).await["Item"].clone()
    }

    async fn delete(&self, pk: &str, sk: &str) {
        self.stack.table().call("DeleteItem", json!({"Key": {"pk": {"S": pk}, "sk": {"S": sk}}})).await;
    }

    /// Key of the payment's entry.
    async fn entry(&self, payment: &str) -> (String, String) {
        let evidence = self.evidence().await;
        let entry = evidence.books.entries_of(payment)[0];
        (entry["pk"].as_str().unwrap().to_owned(), entry["sk"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn an_entry_that_does_not_balance_is_named() {
    let run = Run::new().await;
    let payment = run.paid().await;
    let (pk, sk) = run.entry(&payment).await;
    let mut item = run.item(&pk, &sk).await;
    for posting in item["postings"]["L"].as_array_mut().unwrap() {
        if posting["M"]["account"]["S"] == "fee_income" {
            posting["M"]["amount"]["N"] = json!("1");
        }
    }
    run.stack.table().put(item).await;
    let told = run.says(Kind::Unbalanced).await;
    assert!(told.contains(&format!("the entry of {payment} does not balance")), "{told}");
    assert!(told.contains("all accounts together sum to"), "{told}");
}

#[tokio::test]
async fn a_charge_made_twice_and_one_that_nobody_asked_for_are_named() {
    let run = Run::new().await;
    let payment = run.paid().await;
    let pk = format!("sandbox#{payment}");
    let call = run.stack.table().partition(&pk).await[0].clone();
    run.set(&pk, call["sk"].as_str().unwrap(), "charges", json!({"N": "2"})).await;
    assert_eq!(run.says(Kind::Doubled).await, format!("{payment} was charged 2 times, not 1"));
    run.set(&pk, call["sk"].as_str().unwrap(), "charges", json!({"N": "1"})).await;
    // The same under another idempotency key.
    let item = json!({"pk": {"S": pk}, "sk": {"S": "another"}, "charges": {"N": "1"}});
    run.stack.table().put(item).await;
    assert_eq!(run.says(Kind::Doubled).await, format!("{payment} was charged 2 times, not 1"));
    let declined = run.declined();
    let undo = json!({"pk": {"S": format!("sandbox#{declined}")}, "sk": {"S": "x/undo"}, "charges": {"N": "1"}});
    run.stack.table().put(undo).await;
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains(&format!("{declined} has to be declined, and a charge")), "{told}");
    run.stack.table().put(json!({"pk": {"S": "sandbox#pay_x"}, "sk": {"S": "pay_x"}, "charges": {"N": "1"}})).await;
    let found = strangers(&[run.evidence().await]);
    assert!(found.len() == 1 && found[0].what.contains("pay_x"), "{found:?}");
}

#[tokio::test]
async fn an_entry_that_is_there_twice_or_not_at_all_is_named() {
    let run = Run::new().await;
    let payment = run.paid().await;
    let (pk, sk) = run.entry(&payment).await;
    let first = run.item(&pk, &sk).await;
    let mut second = first.clone();
    second["sk"]["S"] = json!(format!("{sk}0"));
    run.stack.table().put(second).await;
    let told = run.says(Kind::Doubled).await;
    assert!(told.contains(&format!("{payment} has 2 entries")), "{told}");
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains("the balance of the journal is") && told.contains("hold what they must not: "), "{told}");
    run.delete(&pk, &format!("{sk}0")).await;
    run.delete(&pk, &sk).await;
    let told = run.says(Kind::Lost).await;
    assert!(told.contains(&format!("{payment} was never posted")), "{told}");
}

#[tokio::test]
async fn an_entry_of_other_accounts_and_a_payment_without_its_event_are_named() {
    let run = Run::new().await;
    let payment = run.paid().await;
    let (pk, sk) = run.entry(&payment).await;
    let right = run.item(&pk, &sk).await;
    let mut wrong = right.clone();
    for posting in wrong["postings"]["L"].as_array_mut().unwrap() {
        if posting["M"]["account"]["S"] == "fee_income" {
            posting["M"]["account"]["S"] = json!("merchant");
        }
    }
    run.stack.table().put(wrong).await;
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains(&format!("the entry of {payment}: legs is merchant")), "{told}");
    run.stack.table().put(right).await;
    let evidence = run.evidence().await;
    let event = evidence.books.events_of(&payment)[0];
    run.delete(event["pk"].as_str().unwrap(), event["sk"].as_str().unwrap()).await;
    assert_eq!(run.says(Kind::Lost).await, format!("{payment} succeeded, and no event tells of it"));
}

#[tokio::test]
async fn what_a_list_leaves_out_repeats_or_has_out_of_order_is_named() {
    let run = Run::new().await;
    for name in ["the list of payments", "the list of transactions"] {
        let spoiled = async |spoil: fn(&mut Vec<Value>)| {
            let mut evidence = run.evidence().await;
            let lists = &mut evidence.lists;
            let list = if name.ends_with("payments") { &mut lists.payments } else { &mut lists.transactions };
            spoil(list.as_mut().unwrap());
            evidence.violations()
        };
        let missing = spoiled(|list| drop(list.remove(3))).await;
        assert!(is_one(&missing, Kind::Lost, &format!("is not in {name}")), "{missing:?}");
        let doubled = spoiled(|list| list.insert(3, list[3].clone())).await;
        assert!(is_one(&doubled, Kind::Doubled, &format!("is in {name} twice")), "{doubled:?}");
        let turned = spoiled(|list| list.reverse()).await;
        assert!(is_one(&turned, Kind::Wrong, &format!("{name} is not in the order of time")), "{turned:?}");
        let changed = spoiled(|list| list[3]["amount"] = json!(1)).await;
        assert!(is_one(&changed, Kind::Wrong, &format!("is otherwise in {name}: amount is 1, not ")), "{changed:?}");
    }
    let mut evidence = run.evidence().await;
    evidence.lists.payments = Err("404 no such route".to_owned());
    let found = evidence.violations();
    assert!(is_one(&found, Kind::Wrong, "the list of payments was answered 404"), "{found:?}");
}

fn is_one(found: &[Violation], kind: Kind, what: &str) -> bool {
    found.len() == 1 && found[0].kind == kind && found[0].what.contains(what)
}

#[tokio::test]
async fn a_balance_that_is_one_unit_off_is_named() {
    let run = Run::new().await;
    let pk = format!("{}#balances", run.shop.tenant());
    let balance = run.stack.table().partition(&pk).await[0].clone();
    let currency = balance["sk"].as_str().unwrap();
    run.set(&pk, currency, "available", json!({"N": "1"})).await;
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains("the balance that the API tells is"), "{told}");
    assert!(told.contains("the balance of balance items and movements is"), "{told}");
    assert!(!told.contains("the balance of the journal is"), "{told}");
}

#[tokio::test]
async fn a_payment_that_never_ends_or_has_another_outcome_or_fee_is_named() {
    let run = Run::new().await;
    let payment = run.paid().await;
    let pk = format!("{}#{payment}", run.shop.tenant());
    run.set(&pk, "payment", "status", json!({"S": "processing"})).await;
    let told = run.says(Kind::Lost).await;
    assert!(told.contains(&format!("{payment} (tok_visa) is still processing")), "{told}");
    run.set(&pk, "payment", "status", json!({"S": "failed"})).await;
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains(&format!("{payment} (tok_visa): status is failed, not succeeded")), "{told}");
    run.set(&pk, "payment", "status", json!({"S": "succeeded"})).await;
    assert_eq!(run.evidence().await.violations(), []);
    run.set(&pk, "payment", "fee", json!({"N": "1"})).await;
    let told = run.says(Kind::Wrong).await;
    assert!(
        told.contains(&format!("{payment} (tok_visa): fee is 1, not ")) && told.contains("unlike the API: fee is "),
        "{told}"
    );
    run.delete(&pk, "payment").await;
    let told = run.says(Kind::Lost).await;
    assert!(told.contains(&format!("{payment} was accepted, and its GET is answered")), "{told}");
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains(&format!("entries or events of {payment:?}, which is no payment")), "{told}");
}

#[tokio::test]
async fn a_webhook_that_is_withheld_forged_or_sent_under_two_ids_is_named() {
    let run = Run::new().await;
    let payment = run.paid().await;
    let webhooks = run.shop.inbox.webhooks(run.shop.number);
    let (id, webhook) = webhooks.iter().find(|(_, told)| told.body()["data"]["id"] == payment).unwrap();
    // Posted by somebody who does not know the secret, under the same id and under another.
    let url = run.shop.inbox.url(run.shop.number);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let forge = |id: &str, body: Value| {
        let request = http.post(&url).header("webhook-id", id).header("webhook-timestamp", "1");
        request.header("webhook-signature", "v1,AAAA").body(body.to_string()).send()
    };
    forge(id, json!({"data": {"id": payment}})).await.unwrap();
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains(&format!("webhook {id}: its signature is wrong")), "{told}");
    assert!(told.contains(&format!("webhook {id}: its body is not always the same: ")), "{told}");
    forge("evt_another", webhook.body()).await.unwrap();
    let told = run.says(Kind::Doubled).await;
    assert!(told.contains(&format!("2 webhooks told of {payment}")), "{told}");
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains(&format!("webhook evt_another: its body has the id {id:?}")), "{told}");
    run.shop.inbox.forget(run.shop.number, "evt_another");
    run.shop.inbox.forget(run.shop.number, id);
    assert_eq!(run.says(Kind::Lost).await, format!("no webhook told of {payment} (tok_visa)"));
}

#[tokio::test]
async fn what_a_client_was_not_told_or_told_wrongly_is_named() {
    let run = Run::new().await;
    // A payment that is in the table, and of which no client has an answer.
    let id = run.shop.client.pay(1250, "USD", "tok_visa").await;
    run.shop.client.finished(&id).await;
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains(&format!("{id} is in the table and no client was told of it")), "{told}");
    let mut evidence = run.evidence().await;
    let sent = &mut evidence.sent[0];
    (sent.accepted, sent.tries) = (None, 3);
    let found = evidence.violations();
    let sentence = format!("{} was not accepted in 3 tries", evidence.sent[0].order.key);
    assert!(found.iter().any(|each| each.kind == Kind::Lost && each.what == sentence), "{found:?}");
    // A client that is refused for good says so, and asks no more.
    let stranger: Client = run.stack.client("sk_test_nobody");
    let order = Workload::new(2, "stranger", USUAL).next().unwrap();
    run.shop.book.place(&stranger, order, Deadline::SOON, false).await;
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains("stranger-1 was answered 401"), "{told}");
}

#[tokio::test]
async fn what_the_api_answers_instead_of_a_payment_is_named_in_words() {
    let run = Run::new().await;
    let payment = run.paid().await;
    let client = run.stack.client("sk_test_nobody");
    let answer = client.get("/balance").await;
    let mut evidence = run.evidence().await;
    evidence.payments.insert(payment.clone(), json!(answer.described()));
    let found = evidence.violations();
    let sentence = format!("{payment} was accepted, and its GET is answered 401 unauthorized: ");
    assert!(found.iter().any(|each| each.kind == Kind::Lost && each.what.starts_with(&sentence)), "{found:?}");
    assert!(found.iter().all(|each| !each.what.contains(['{', '\\'])), "{found:#?}");
}

#[tokio::test]
async fn a_replay_that_differs_from_the_first_answer_is_named() {
    let run = Run::new().await;
    let order = Workload::new(2, "repeated", USUAL).next().unwrap();
    // An API that accepts the same payment twice, as two.
    let answers = Arc::new(AtomicUsize::new(0));
    let (amount, currency) = (order.amount, order.currency);
    let server = Server::start(move |_| {
        let id = format!("pay_{}", answers.fetch_add(1, Ordering::Relaxed));
        let body = json!({"id": id, "amount": amount, "currency": currency, "status": "processing"});
        std::future::ready(Ok(Response::builder().status(202).body(body.to_string().into()).unwrap()))
    });
    let server = server.await.unwrap();
    let liar = Live::of(json!({"base_url": server.url()})).client("sk_test_liar");
    run.shop.book.place(&liar, order, Deadline::SOON, true).await;
    let told = run.says(Kind::Wrong).await;
    assert!(told.contains("repeated-1 was repeated and answered otherwise: id is pay_1, not pay_0"), "{told}");
    assert!(told.contains("repeated-1 was repeated and not answered as a replay"), "{told}");
}
