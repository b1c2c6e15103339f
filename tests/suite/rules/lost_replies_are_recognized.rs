//! A write whose reply was lost counts as written. The SDK repeats it, and the store refuses the repeat, because the
//! write's condition no longer holds.

use serde_json::{Value, json};
use spillway_tests::oracle::Books;
use spillway_tests::queues::copies;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, clock, event, eventually};

const DONE: &str = r#"{"batchItemFailures":[]}"#;

async fn start(options: Options) -> (Stack, Merchant) {
    let stack = Stack::start(options.store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    (stack, merchant)
}

async fn work(stack: &Stack, function: &str, message: Value) {
    let answer = stack.invoke(function, &event::sqs(&[message])).await.unwrap();
    assert_eq!(answer.to_string(), DONE, "{function}");
}

/// Loses the reply to the next matching write, which must be repeated before `during` ends.
async fn losing(stack: &Stack, matching: Matching, during: impl Future<Output = ()>) {
    let before = stack.store_proxy().count(&matching);
    stack.store_proxy().fault(1, matching.clone(), Fault::LoseReply);
    during.await;
    assert!(stack.store_proxy().count(&matching) >= before + 2, "no reply to {matching:?} was lost");
}

/// Creates and charges a payment; returns the event's id.
async fn one_event(stack: &Stack, merchant: &Merchant) -> String {
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    work(stack, "call-processor", event::payment_message(&merchant.id, &id)).await;
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    books.events_of(&id)[0]["sk"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_fold_with_a_lost_reply_continues() {
    const MOVEMENTS: i64 = 501;
    let (stack, merchant) = start(Options::new().unkilled()).await;
    // More than two folds of one of four shards.
    let movement = |number: i64| {
        json!({"pk": {"S": format!("{}#movements#0", merchant.tenant())},
            "sk": {"S": format!("move#USD#2026-02-02#txn_01m8f8vhsn00{number:014}")},
            "amount": {"N": "100"}, "source": {"S": "pay_00000000000000000000000000"}, "request_id": {"S": "test"}})
    };
    stack.table().put_all(&(0..MOVEMENTS).map(movement).collect::<Vec<_>>()).await;
    losing(&stack, Matching::all().with("\"folding\"").with("#balances"), async {
        work(&stack, "fold-balance", event::balance_message(&merchant.id, "USD")).await;
    })
    .await;
    let balance = stack.table().item(&format!("{}#balances", merchant.tenant()), "USD").await.unwrap();
    assert_eq!((&balance["available"], &balance["seq"]), (&json!(50_100), &json!(3)), "{balance:?}");
    assert_eq!(merchant.client.balance("USD").await, (50_100, 0));
}

#[tokio::test]
async fn a_sweeps_claim_with_a_lost_reply_sends_its_message() {
    let (stack, merchant) = start(Options::new().knob("FIRST_DUE_SECONDS", 1).unkilled()).await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let payment = stack.table().item(&format!("{}#{id}", merchant.tenant()), "payment").await.unwrap();
    eventually("it is due", Deadline::SOON, async || {
        if payment["due_at"].as_str().unwrap() < clock::now().as_str() { Ok(()) } else { Err(clock::now()) }
    })
    .await;
    let queues = stack.queues();
    let queue = queues.url("ProcessorQueue").await;
    losing(&stack, Matching::operation("UpdateItem").with("\"due_claims\""), stack.run_due()).await;
    assert_eq!(queues.depth(&queue).await, copies());
}

#[tokio::test]
async fn a_deliverys_claim_with_a_lost_reply_makes_its_attempt() {
    let (stack, merchant) = start(Options::new().knob("WEBHOOK_WAITS_SECONDS", 0).unkilled()).await;
    let receiver = Receiver::scripted([Reply::Status(500)]).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let event = one_event(&stack, &merchant).await;
    work(&stack, "deliver-webhook", event::event_message(&merchant.id, &event)).await;
    assert_eq!(receiver.attempts().len(), 1);
    let retry = event::delivery_message(&merchant.id, &event, endpoint["id"].as_str().unwrap());
    losing(
        &stack,
        Matching::operation("UpdateItem").with("\"next_attempt_at\""),
        work(&stack, "deliver-webhook", retry),
    )
    .await;
    assert_eq!(receiver.attempts().len(), 2);
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.deliveries[0]["status"], "succeeded", "{:?}", books.deliveries);
}

/// Whether the endpoint is enabled.
async fn status(stack: &Stack, merchant: &Merchant, endpoint: &Value) -> Value {
    let partition = format!("{}#webhooks", merchant.tenant());
    stack.table().item(&partition, endpoint["id"].as_str().unwrap()).await.unwrap()["status"].clone()
}

#[tokio::test]
async fn a_first_attempt_with_a_lost_reply_is_followed_up() {
    let (stack, merchant) = start(Options::new().unkilled()).await;
    let receiver = Receiver::scripted([Reply::Status(410)]).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let event = one_event(&stack, &merchant).await;
    losing(&stack, Matching::operation("PutItem").with(&event).with("last_answer"), async {
        work(&stack, "deliver-webhook", event::event_message(&merchant.id, &event)).await;
    })
    .await;
    assert_eq!(receiver.attempts().len(), 1);
    assert_eq!(status(&stack, &merchant, &endpoint).await, "disabled");
}

#[tokio::test]
async fn a_later_attempt_with_a_lost_reply_is_followed_up() {
    let (stack, merchant) = start(Options::new().knob("WEBHOOK_WAITS_SECONDS", 0).unkilled()).await;
    let receiver = Receiver::scripted([Reply::Status(500), Reply::Status(410)]).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let event = one_event(&stack, &merchant).await;
    work(&stack, "deliver-webhook", event::event_message(&merchant.id, &event)).await;
    let retry = event::delivery_message(&merchant.id, &event, endpoint["id"].as_str().unwrap());
    // Only the result has the answer's status.
    losing(&stack, Matching::operation("UpdateItem").with("\"next_attempt_at\"").with("\"410\""), async {
        work(&stack, "deliver-webhook", retry).await;
    })
    .await;
    assert_eq!(receiver.attempts().len(), 2);
    assert_eq!(status(&stack, &merchant, &endpoint).await, "disabled");
}

#[tokio::test]
async fn a_next_ask_with_a_lost_reply_sends_its_message() {
    let (stack, merchant) = start(Options::new().unkilled()).await;
    let id = merchant.client.pay(1250, "USD", "tok_unavailable").await;
    losing(&stack, Matching::operation("UpdateItem").with("\"asking\""), async {
        work(&stack, "call-processor", event::payment_message(&merchant.id, &id)).await;
    })
    .await;
    let queues = stack.queues();
    assert_eq!(queues.depth(&queues.url("ProcessorQueue").await).await, copies());
}

#[tokio::test]
async fn a_payment_with_a_lost_reply_is_no_replay() {
    let (stack, merchant) = start(Options::new().unkilled()).await;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    losing(&stack, Matching::operation("PutItem").with("fingerprint"), async {
        let answer = merchant.client.create_payment("order-1", &payment).await.expect(202);
        assert_eq!(answer.header("idempotent-replayed"), "");
    })
    .await;
    let again = merchant.client.create_payment("order-1", &payment).await.expect(202);
    assert_eq!(again.header("idempotent-replayed"), "true");
}

/// The mark of the write is gone if another copy has processed the payment before the repeat.
#[tokio::test]
async fn a_request_that_finds_its_own_write_is_no_replay() {
    let stack = Stack::start(Options::new().template(Template::without_triggers()).unkilled()).await;
    let sample = include_str!("../../../events/create-payment/card.json");
    let event: Value = serde_json::from_str(sample).unwrap();
    let replayed = |answer: &Value| answer["multiValueHeaders"]["idempotent-replayed"].clone();
    for _ in 0..2 {
        let answer = stack.invoke("create-payment", &event).await.unwrap();
        assert_eq!((&answer["statusCode"], replayed(&answer)), (&json!(202), Value::Null));
    }
    let mut another = event.clone();
    another["requestContext"]["requestId"] = json!("00000000-0000-4000-8000-000000000000");
    let answer = stack.invoke("create-payment", &another).await.unwrap();
    assert_eq!(replayed(&answer), json!(["true"]), "{answer}");
}

#[tokio::test]
async fn a_merchants_change_with_a_lost_reply_applies_once() {
    let (stack, merchant) = start(Options::new().unkilled()).await;
    let change = json!({"merchant": merchant.id, "name": "Acme Inc"});
    let reads = Matching::operation("GetItem").with(&merchant.id).with("\"merchant\"");
    stack.store_proxy().forget_calls();
    losing(&stack, Matching::operation("TransactWriteItems").with("Acme Inc"), async {
        let changed = stack.invoke("update-merchant", &change).await.unwrap();
        assert_eq!((&changed["version"], &changed["name"]), (&json!(2), &json!("Acme Inc")));
    })
    .await;
    // Nothing caused a second read of the merchant.
    assert_eq!(stack.store_proxy().count(&reads), 1);
}

#[tokio::test]
async fn another_copys_write_is_not_mistaken_for_ones_own() {
    let (stack, merchant) = start(Options::new().knob("WEBHOOK_WAITS_SECONDS", 0).unkilled()).await;
    let receiver = Receiver::scripted([Reply::Status(500)]).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let event = one_event(&stack, &merchant).await;
    work(&stack, "deliver-webhook", event::event_message(&merchant.id, &event)).await;
    let retry = event::delivery_message(&merchant.id, &event, endpoint["id"].as_str().unwrap());
    // Both copies have read the delivery; one has claimed it before the other may.
    let claims = stack.store_proxy().hold(2, Matching::operation("UpdateItem").with("\"next_attempt_at\""));
    let both = async {
        claims.reached(2).await;
        claims.forward();
    };
    futures::future::join3(
        work(&stack, "deliver-webhook", retry.clone()),
        work(&stack, "deliver-webhook", retry.clone()),
        both,
    )
    .await;
    assert_eq!(receiver.attempts().len(), 2);
}
