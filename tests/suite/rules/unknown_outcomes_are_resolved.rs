//! An unknown outcome is never guessed: the same call is repeated while the processor keeps its key, later only looked
//! up.

use futures::future::join;
use serde_json::json;
use spillway_tests::oracle::{Books, settled, settled_by_due};
use spillway_tests::queues::copies;
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, clock, event, eventually};

async fn ends(stack: &Stack, merchant: &Merchant, id: &str) -> serde_json::Value {
    eventually("the payment is final", Deadline::LATER, async || {
        stack.run_due().await;
        let payment = merchant.client.payment(id).await;
        if payment["status"] == "processing" { Err(payment.to_string()) } else { Ok(payment) }
    })
    .await
}

fn calls(books: &Books, id: &str) -> i64 {
    books.charges[id].iter().map(|item| item["calls"].as_i64().unwrap()).sum()
}

fn quick() -> Options {
    Options::new().knob("PROCESSOR_WAITS_SECONDS", "1").knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1)
}

#[tokio::test]
async fn the_same_call_is_repeated_while_its_key_is_kept() {
    let stack = Stack::start(quick()).await;
    let merchant = stack.new_merchant().await;
    // Charged at the first call and reported at the second; not charged three times, for two tokens.
    let tokens = [("tok_timeout_then_ok", 2), ("tok_timeout_unknown", 4), ("tok_unavailable", 4)];
    for (number, (token, least)) in tokens.into_iter().enumerate() {
        let id = merchant.client.pay(1250, "USD", token).await;
        let payment = ends(&stack, &merchant, &id).await;
        assert_eq!((&payment["status"], &payment["version"]), (&json!("succeeded"), &json!(2)), "{token}: {payment}");
        let books = settled(&stack, &merchant.tenant(), number + 1).await;
        assert!(calls(&books, &id) >= least, "{token}: {:?}", books.charges[&id]);
    }
}

#[tokio::test]
async fn a_charge_found_later_is_adopted() {
    let stack = Stack::start(quick().knob("REPEATABLE_FOR_SECONDS", 1).knob("PROCESSOR_WAITS_SECONDS", "2")).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_timeout_then_ok").await;
    assert_eq!(ends(&stack, &merchant, &id).await["status"], "succeeded");
    let books = settled(&stack, &merchant.tenant(), 1).await;
    assert_eq!(books.charged(&id), 1);
}

/// Two look-ups two seconds apart find no charge, and a last one follows a second later.
fn absent() -> Options {
    let quick = quick().knob("REPEATABLE_FOR_SECONDS", 1).knob("PROCESSOR_WAITS_SECONDS", "2");
    quick.knob("ABSENT_AGAIN_SECONDS", 2).knob("LAST_LOOK_SECONDS", 1)
}

#[tokio::test]
async fn a_charge_absent_twice_fails_the_payment() {
    let stack = Stack::start(absent()).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_timeout_unknown").await;
    let payment = ends(&stack, &merchant, &id).await;
    assert_eq!((&payment["status"], &payment["failure"]["code"]), (&json!("failed"), &json!("processor_unavailable")));
    let books = settled_by_due(&stack, &merchant.tenant(), 1).await;
    assert_eq!((books.charged(&id), books.undone(&id)), (0, false));
    assert_eq!(merchant.client.balance("USD").await, (0, 0));
}

#[tokio::test]
async fn a_charge_after_failure_is_undone_and_raises_an_alarm() {
    let stack = Stack::start(absent().knob("LAST_LOOK_SECONDS", 86_400)).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_timeout_unknown").await;
    let failed = ends(&stack, &merchant, &id).await;
    assert_eq!(failed["status"], "failed");
    // The processor charged after all, without a reply.
    let late = json!({"Key": {"pk": {"S": format!("sandbox#{id}")}, "sk": {"S": format!("{id}/authorize")}},
        "UpdateExpression": "SET charges = :one", "ExpressionAttributeValues": {":one": {"N": "1"}}});
    stack.table().call("UpdateItem", late).await;
    // A day later.
    let now = json!({"Key": {"pk": {"S": format!("{}#{id}", merchant.tenant())}, "sk": {"S": "payment"}},
        "UpdateExpression": "SET asking.next_at = :now, due_at = :now",
        "ConditionExpression": "asking.next_at > :now AND due_at > :now",
        "ExpressionAttributeValues": {":now": {"S": clock::now()}}});
    stack.table().call("UpdateItem", now).await;
    let books = settled_by_due(&stack, &merchant.tenant(), 1).await;
    assert!(books.undone(&id));
    assert_eq!(merchant.client.payment(&id).await, failed);
    assert_eq!(merchant.client.balance("USD").await, (0, 0));
    let log = stack.log();
    let alarm = log.lines().find(|line| line.contains(&id) && line.contains("undone"));
    assert!(alarm.is_some(), "no alarm in the log:\n{log}");
}

#[tokio::test]
async fn a_charge_found_while_a_copy_gives_up_is_undone_at_once() {
    // Look-ups only, without waits, except for the last one: a day.
    let knobs = ["REPEATABLE_FOR_SECONDS", "PROCESSOR_WAITS_SECONDS", "ABSENT_AGAIN_SECONDS"];
    let options = knobs.into_iter().fold(Options::new(), |options, name| options.knob(name, 0));
    let stack = Stack::start(options.store_proxy().template(Template::without_triggers()).unkilled()).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let (pk, message) =
        (format!("{}#{id}", merchant.tenant()), event::sqs(&[event::payment_message(&merchant.id, &id)]));
    // It is absent once.
    stack.invoke("call-processor", &message).await.unwrap();
    let proxy = stack.store_proxy();
    let commits = || Matching::operation("TransactWriteItems").with(&id);
    let gives_up = proxy.hold(1, commits());
    let finding = async {
        gives_up.reached(1).await;
        // The processor charged after all.
        let late = json!({"Key": {"pk": {"S": format!("sandbox#{id}")}, "sk": {"S": format!("{id}/authorize")}},
            "UpdateExpression": "SET charges = :one, calls = :one", "ExpressionAttributeValues": {":one": {"N": "1"}}});
        stack.table().call("UpdateItem", late).await;
        let finds = proxy.hold(usize::MAX, commits());
        let after_the_other = async {
            finds.reached(1).await;
            gives_up.forward();
            eventually("the payment has failed", Deadline::SOON, async || {
                let payment = merchant.client.payment(&id).await;
                if payment["status"] == "failed" { Ok(()) } else { Err(payment.to_string()) }
            })
            .await;
            finds.forward();
        };
        join(stack.invoke("call-processor", &message), after_the_other).await.0.unwrap();
    };
    join(stack.invoke("call-processor", &message), finding).await.0.unwrap();
    let failed = merchant.client.payment(&id).await;
    let waiting = stack.table().item(&pk, "payment").await.unwrap();
    assert_eq!((&waiting["asking"]["verb"], waiting["asking"].get("next_at")), (&json!("undo"), None), "{waiting:?}");
    // Its message is on the queue; this one is equal.
    stack.invoke("call-processor", &message).await.unwrap();
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert!(books.undone(&id), "{:?}", books.charges);
    assert_eq!(merchant.client.payment(&id).await, failed);
    assert_eq!(merchant.client.balance("USD").await, (0, 0));
}

#[tokio::test]
async fn the_next_step_is_due_without_its_message() {
    let stack = Stack::start(quick().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_unavailable").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
    let queues = stack.queues();
    let queue = queues.url("ProcessorQueue").await;
    assert_eq!(queues.depth(&queue).await, copies(), "the message of the next step");
    eventually("the sweep sends another", Deadline::SOON, async || {
        stack.run_due().await;
        let depth = queues.depth(&queue).await;
        if depth == copies() { Err(format!("{depth} messages")) } else { Ok(()) }
    })
    .await;
}

#[tokio::test]
async fn an_unanswered_look_up_is_no_absence() {
    // Look-ups only, without waits.
    let knobs = ["REPEATABLE_FOR_SECONDS", "PROCESSOR_WAITS_SECONDS", "ABSENT_AGAIN_SECONDS", "LAST_LOOK_SECONDS"];
    let options = knobs.into_iter().fold(Options::new(), |options, name| options.knob(name, 0));
    let stack = Stack::start(options.store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let (pk, message) =
        (format!("{}#{id}", merchant.tenant()), event::sqs(&[event::payment_message(&merchant.id, &id)]));
    let asked = async |answered: bool| {
        if !answered {
            stack.store_proxy().fault(usize::MAX, Matching::operation("Query").with("sandbox#"), Fault::Close);
        }
        stack.invoke("call-processor", &message).await.unwrap();
        stack.store_proxy().heal();
        stack.table().item(&pk, "payment").await.unwrap()
    };
    for _ in 0..2 {
        let payment = asked(false).await;
        assert_eq!((&payment["status"], payment["asking"].get("absent_since")), (&json!("processing"), None));
    }
    let absent_once = asked(true).await;
    assert_eq!(
        (&absent_once["status"], absent_once["asking"]["absent_since"].is_string()),
        (&json!("processing"), true)
    );
    let absent_twice = asked(true).await;
    assert_eq!((&absent_twice["status"], absent_twice.contains_key("due")), (&json!("failed"), true));
    // Nor does it end the last look-up.
    assert!(asked(false).await.contains_key("due"));
    assert!(!asked(true).await.contains_key("due"));
}
