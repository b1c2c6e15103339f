//! One charge, one entry, one movement, one event: wherever a process is killed, and however often a message arrives.

use std::collections::BTreeSet;

use futures::future::join;
use serde_json::{Value, json};
use spillway_tests::oracle::{Books, settled};
use spillway_tests::receiver::Receiver;
use spillway_tests::store_proxy::{Fault, Held, Hold, Matching};
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, event, eventually};

/// More store calls than any consumer makes for one message.
const CALLS_MAX: usize = 40;

fn commit() -> Matching {
    Matching::operation("TransactWriteItems")
}

/// A stack without triggers: only the test invokes functions.
async fn stack_without_triggers() -> (Stack, Merchant) {
    let options = Options::new().store_proxy().template(Template::without_triggers());
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    (stack, merchant)
}

async fn call_processor(stack: &Stack, merchant: &Merchant, payment: &str) -> Result<Value, Value> {
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, payment)])).await
}

/// Lets `function` work until its store call number `skip` is held, and kills it there; returns whether it came that
/// far.
async fn killed_at(stack: &Stack, function: &str, payload: &Value, at: Held, skip: usize) -> bool {
    let hold: Hold = stack.store_proxy().hold_at(at, skip, 1, Matching::all());
    let caught =
        eventually(
            "a call is held",
            Deadline::SOON,
            async || if hold.count() > 0 { Ok(()) } else { Err("none".to_owned()) },
        );
    let killed = tokio::select! {
        () = caught => true,
        _ = stack.invoke(function, payload) => false,
    };
    if killed {
        assert!(stack.kill_function(function).await > 0);
        hold.close();
    }
    stack.store_proxy().heal();
    killed
}

#[tokio::test]
async fn a_kill_between_charge_and_commit_charges_once() {
    let options = Options::new().store_proxy().knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1);
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let hold = stack.store_proxy().hold(1, commit());
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    hold.reached(1).await;
    assert_eq!(Books::read(&stack.table(), &merchant.tenant()).await.charged(&id), 1);
    assert!(stack.kill_function("call-processor").await > 0);
    hold.close();
    assert_eq!(merchant.client.payment(&id).await["status"], "processing");
    eventually("the payment is final", Deadline::SOON, async || {
        stack.run_due().await;
        let payment = merchant.client.payment(&id).await;
        if payment["status"] == "succeeded" { Ok(()) } else { Err(payment.to_string()) }
    })
    .await;
    let books = settled(&stack, &merchant.tenant(), 1).await;
    let calls: i64 = books.charges[&id].iter().map(|item| item["calls"].as_i64().unwrap()).sum();
    assert!(calls >= 2, "the call was repeated: {:?}", books.charges[&id]);
}

#[tokio::test]
async fn call_processor_may_be_killed_at_any_store_call() {
    let (stack, merchant) = stack_without_triggers().await;
    let mut kills = 0;
    for at in [Held::Before, Held::After] {
        for skip in 0..CALLS_MAX {
            let id = merchant.client.pay(1250, "USD", "tok_visa").await;
            let message = event::sqs(&[event::payment_message(&merchant.id, &id)]);
            let killed = killed_at(&stack, "call-processor", &message, at, skip).await;
            call_processor(&stack, &merchant, &id).await.unwrap();
            assert_eq!(merchant.client.payment(&id).await["status"], "succeeded", "killed {at:?} call {skip}");
            if !killed {
                break;
            }
            kills += 1;
            assert!(skip + 1 < CALLS_MAX);
        }
    }
    assert!(kills > 4, "it was killed at {kills} calls");
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.faults(), Vec::<String>::new());
    let expected = 1184 * i64::try_from(books.payments.len()).unwrap();
    assert_eq!(merchant.client.balance("USD").await, (0, expected));
}

#[tokio::test]
async fn fold_balance_may_be_killed_at_any_store_call() {
    let (stack, merchant) = stack_without_triggers().await;
    let message = event::sqs(&[event::balance_message(&merchant.id, "USD")]);
    let (mut expected, mut kills) = (0, 0);
    for at in [Held::Before, Held::After] {
        for skip in 0..CALLS_MAX {
            for _ in 0..3 {
                let id = merchant.client.pay(1250, "USD", "tok_visa").await;
                call_processor(&stack, &merchant, &id).await.unwrap();
                expected += 1184;
            }
            let killed = killed_at(&stack, "fold-balance", &message, at, skip).await;
            assert_eq!(merchant.client.balance("USD").await, (0, expected), "killed {at:?} call {skip}");
            stack.invoke("fold-balance", &message).await.unwrap();
            assert_eq!(merchant.client.balance("USD").await, (0, expected), "folded after {at:?} call {skip}");
            if !killed {
                break;
            }
            kills += 1;
            assert!(skip + 1 < CALLS_MAX);
        }
    }
    assert!(kills > 4, "it was killed at {kills} calls");
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn deliver_webhook_may_be_killed_at_any_store_call() {
    // Of the functions with triggers only deliver-webhook runs by itself. The test invokes the others and the sweep.
    let template = Template::without_events(&["DispatchChanges", "CallProcessor", "FoldBalance", "EnqueueDue"]);
    let options = Options::new().store_proxy().template(template).knob("WEBHOOK_WAITS_SECONDS", "1,1,1");
    let stack = Stack::start(options.knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1)).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let (mut events, mut kills) = (Vec::new(), 0);
    for at in [Held::Before, Held::After] {
        for skip in 0..CALLS_MAX {
            let id = merchant.client.pay(1250, "USD", "tok_visa").await;
            call_processor(&stack, &merchant, &id).await.unwrap();
            let books = Books::read(&stack.table(), &merchant.tenant()).await;
            let event = books.events_of(&id)[0]["sk"].as_str().unwrap().to_owned();
            let message = event::sqs(&[event::event_message(&merchant.id, &event)]);
            events.push(event);
            if !killed_at(&stack, "deliver-webhook", &message, at, skip).await {
                break;
            }
            kills += 1;
            assert!(skip + 1 < CALLS_MAX);
        }
    }
    assert!(kills > 4, "it was killed at {kills} calls");
    eventually("every event is delivered and nothing waits", Deadline::LATER, async || {
        stack.run_due().await;
        let books = Books::read(&stack.table(), &merchant.tenant()).await;
        let waiting = books.events.iter().chain(&books.deliveries).filter(|item| item.contains_key("due")).count();
        let told: BTreeSet<String> = receiver.attempts().iter().map(|attempt| attempt.id().to_owned()).collect();
        if waiting == 0 && told.len() == events.len() {
            Ok(())
        } else {
            Err(format!("{waiting} wait, {} told", told.len()))
        }
    })
    .await;
    for event in events {
        let attempts: Vec<_> = receiver.attempts().into_iter().filter(|attempt| attempt.id() == event).collect();
        // A kill after the POST repeats it once.
        assert!((1..=2).contains(&attempts.len()), "{event}: {} attempts", attempts.len());
        for attempt in attempts {
            attempt.verify(endpoint["secret"].as_str().unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn repeated_and_concurrent_messages_charge_once() {
    let (stack, merchant) = stack_without_triggers().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    // Both copies have the processor's answer before either may commit.
    let hold = stack.store_proxy().hold(2, commit());
    let both = join(call_processor(&stack, &merchant, &id), call_processor(&stack, &merchant, &id));
    let (first, second) = tokio::select! {
        answers = both => answers,
        () = async { hold.reached(2).await; hold.forward(); std::future::pending().await } => unreachable!(),
    };
    assert_eq!((first.unwrap(), second.unwrap()), (json!({"batchItemFailures": []}), json!({"batchItemFailures": []})));
    // In one batch, and once more.
    let message = event::payment_message(&merchant.id, &id);
    stack.invoke("call-processor", &event::sqs(&[message.clone(), message])).await.unwrap();
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.faults(), Vec::<String>::new());
    assert_eq!((books.payments.len(), books.entries.len(), books.events.len(), books.movements.len()), (1, 1, 1, 1));
    assert_eq!(merchant.client.balance("USD").await, (0, 1184));
}

#[tokio::test]
async fn a_commit_with_a_lost_reply_posts_once() {
    let (stack, merchant) = stack_without_triggers().await;
    for times in [1, 50] {
        let id = merchant.client.pay(1250, "USD", "tok_visa").await;
        stack.store_proxy().fault(times, commit(), Fault::LoseReply);
        // With all replies lost it may report a failure; then the message is repeated.
        let _ = call_processor(&stack, &merchant, &id).await;
        stack.store_proxy().heal();
        call_processor(&stack, &merchant, &id).await.unwrap();
        assert_eq!(merchant.client.payment(&id).await["status"], "succeeded");
    }
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn a_repeated_stream_batch_changes_nothing() {
    let stack = Stack::start(Options::new().fold_at_once()).await;
    let merchant = stack.new_merchant().await;
    let payment = merchant.client.paid(1250, "USD").await;
    let id = payment["id"].as_str().unwrap();
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let books = settled(&stack, &merchant.tenant(), 1).await;
    let event_id = books.events[0]["sk"].as_str().unwrap();
    let pk = |item: &spillway_tests::table::Item| item["pk"].as_str().unwrap().to_owned();
    let batch =
        [(format!("{}#{id}", merchant.tenant()), "payment".to_owned()), (pk(&books.events[0]), event_id.to_owned())];
    for _ in 0..3 {
        stack.invoke("dispatch-changes", &event::stream(&batch)).await.unwrap();
    }
    let marker = merchant.client.paid(99, "USD").await;
    receiver.attempts_at_least(1, Deadline::SOON).await;
    let after = settled(&stack, &merchant.tenant(), 2).await;
    assert_eq!(after.payments[id], books.payments[id]);
    assert_eq!(after.events_of(marker["id"].as_str().unwrap()).len(), 1);
    let net = 1184 + 99 - spillway_tests::terms::expected_fee(99);
    assert_eq!(merchant.client.balance("USD").await, (0, net));
}
