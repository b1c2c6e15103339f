//! `enqueue-due` enqueues unfinished work again.

use serde_json::json;
use spillway_tests::clock::in_seconds;
use spillway_tests::oracle::settled;
use spillway_tests::queues::copies;
use spillway_tests::receiver::Receiver;
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Options, Stack, Template, event, eventually};

/// The endpoint of the deliveries.
const ENDPOINT: &str = "we_00000000000000000000000000";

fn eager(template: Template) -> Options {
    Options::new().template(template).knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1).fold_at_once()
}

#[tokio::test]
async fn all_work_finishes_without_the_stream() {
    let stack = Stack::start(eager(Template::without_events(&["DispatchChanges"]))).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    eventually("the payment is delivered", Deadline::SOON, async || {
        stack.run_due().await;
        if receiver.attempts().is_empty() {
            Err(stack.client(merchant.client.secret()).payment(&id).await.to_string())
        } else {
            Ok(())
        }
    })
    .await;
    settled(&stack, &merchant.tenant(), 1).await;
}

#[tokio::test]
async fn a_claim_moves_the_due_time_and_is_counted() {
    let stack = Stack::start(eager(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let (pk, queues) = (format!("{}#{id}", merchant.tenant()), stack.queues());
    let queue = queues.url("ProcessorQueue").await;
    let mut before = stack.table().item(&pk, "payment").await.unwrap()["due_at"].clone();
    for claims in 1..=2 {
        let after = eventually("it is claimed", Deadline::SOON, async || {
            stack.run_due().await;
            let item = stack.table().item(&pk, "payment").await.unwrap();
            if item["due_at"] == before { Err(format!("{item:?}")) } else { Ok(item["due_at"].clone()) }
        })
        .await;
        assert!(after.as_str() > before.as_str(), "{after} is not after {before}");
        assert_eq!(queues.depth(&queue).await, claims * copies());
        before = after;
    }
    assert_eq!(stack.table().item(&pk, "payment").await.unwrap()["version"], 1);
}

#[tokio::test]
async fn finished_work_is_not_claimed() {
    let stack = Stack::start(eager(Template::without_triggers()).store_proxy()).await;
    let merchant = stack.new_merchant().await;
    let claim = stack.store_proxy().hold(usize::MAX, Matching::operation("UpdateItem").with("\"due_claims\""));
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let sweeps = async {
        while claim.count() == 0 {
            // Its answer does not matter: it may have waited too long for the claim.
            let _ = stack.invoke("enqueue-due", &json!({})).await;
        }
    };
    let settling = async {
        claim.reached(1).await;
        stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
        claim.forward();
    };
    futures::future::join(sweeps, settling).await;
    let payment = stack.table().item(&format!("{}#{id}", merchant.tenant()), "payment").await.unwrap();
    assert_eq!(payment["status"], "succeeded");
    let left: Vec<_> = ["due", "due_at", "due_claims"].into_iter().filter(|name| payment.contains_key(*name)).collect();
    assert!(left.is_empty(), "{left:?} of {payment:?}");
    let queues = stack.queues();
    assert_eq!(queues.depth(&queues.url("ProcessorQueue").await).await, 0);
}

/// A sweep of one second: it keeps ten seconds in reserve.
fn of_a_second() -> Template {
    Template::without_triggers().with(&["Resources", "EnqueueDue", "Properties", "Timeout"], "11")
}

/// Stores deliveries of a merchant in one partition of the index, due `seconds` ago; returns their partition keys.
async fn overdue(stack: &Stack, merchant: &str, count: usize, seconds: i64) -> Vec<String> {
    let pk = |number: usize| format!("mer_{merchant:0>26}#test#evt_{number:0>26}");
    let item = |number: usize| {
        json!({"pk": {"S": pk(number)}, "sk": {"S": ENDPOINT}, "due": {"S": "due#deliveries#7"},
            "due_at": {"S": in_seconds(-seconds)}, "due_claims": {"N": "0"}})
    };
    stack.table().put_all(&(0..count).map(item).collect::<Vec<_>>()).await;
    (0..count).map(pk).collect()
}

/// Number of these deliveries that a sweep has claimed.
async fn claimed(stack: &Stack, deliveries: &[String]) -> usize {
    let items = stack.table().items().await;
    let claimed = items.iter().filter(|item| item.get("due_claims").is_some_and(|claims| *claims == 1));
    claimed.filter(|item| deliveries.iter().any(|pk| item["pk"] == pk.as_str())).count()
}

#[tokio::test]
async fn a_sweep_stops_in_time_and_the_next_continues() {
    let stack = Stack::start(Options::new().template(of_a_second()).knob("SWEEP_RATE", 20).unkilled()).await;
    let deliveries = overdue(&stack, "1", 100, 60).await;
    stack.run_due().await;
    let first = claimed(&stack, &deliveries).await;
    assert!((1..100).contains(&first), "{first} of 100 in a second at 20 a second");
    let queues = stack.queues();
    let queue = queues.url("WebhooksQueue").await;
    assert_eq!(queues.depth(&queue).await, first as u64 * copies());
    eventually("all are enqueued", Deadline::SOON, async || {
        stack.run_due().await;
        let claimed = claimed(&stack, &deliveries).await;
        if claimed < 100 { Err(format!("{claimed} of 100")) } else { Ok(()) }
    })
    .await;
    assert_eq!(queues.depth(&queue).await, 100 * copies());
}

#[tokio::test]
async fn one_merchants_backlog_does_not_delay_anothers_retry() {
    let stack = Stack::start(Options::new().template(of_a_second()).knob("SWEEP_RATE", 20).unkilled()).await;
    let dead = overdue(&stack, "1", 1500, 3600).await;
    let other = overdue(&stack, "2", 1, 1).await;
    stack.run_due().await;
    let before = claimed(&stack, &dead).await;
    assert!(before < 1500, "nothing was left of the backlog");
    assert_eq!(claimed(&stack, &other).await, 1, "{before} of the backlog came first");
}

#[tokio::test]
async fn a_long_partition_is_enqueued_in_one_sweep() {
    let options = Options::new().template(Template::without_triggers()).knob("STORE_DEADLINE_MS", 9000).unkilled();
    let stack = Stack::start(options).await;
    // More than the 2,000 items that a sweep reads of a partition at a time.
    let deliveries = overdue(&stack, "1", 2100, 60).await;
    let done = stack.invoke("enqueue-due", &event::tick()).await.unwrap();
    assert_eq!(done, "enqueued 0 money, 0 events, 2100 deliveries");
    assert_eq!(claimed(&stack, &deliveries).await, 2100);
}

/// A stack whose sweep reaches no queue, and whose table may answer slowly beside other tests.
fn without_queues() -> Options {
    let nowhere = vec![("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9".to_owned())];
    let options = Options::new().template(Template::without_triggers()).function_variables("enqueue-due", nowhere);
    options.knob("STORE_DEADLINE_MS", 9000).unkilled()
}

#[tokio::test]
async fn a_sweep_without_queues_claims_little() {
    let stack = Stack::start(without_queues()).await;
    let deliveries = overdue(&stack, "1", 1000, 60).await;
    assert!(stack.invoke("enqueue-due", &event::tick()).await.is_err());
    // 32 tasks, each with ten items.
    let claimed = claimed(&stack, &deliveries).await;
    assert!((1..=320).contains(&claimed), "{claimed} items were delayed for nothing");
}

#[tokio::test]
async fn a_refused_claim_does_not_hide_that_no_queue_takes_messages() {
    let stack = Stack::start(without_queues().store_proxy()).await;
    let deliveries = overdue(&stack, "1", 1000, 60).await;
    // One item in ten: those whose event's id ends in 5.
    let of_tenth = || Matching::operation("UpdateItem").with("5\"}");
    stack.store_proxy().fault(usize::MAX, of_tenth(), Fault::Error("AccessDeniedException"));
    assert!(stack.invoke("enqueue-due", &event::tick()).await.is_err());
    let claimed = claimed(&stack, &deliveries).await;
    assert!((1..=320).contains(&claimed), "{claimed} items were delayed for nothing");
    assert!(stack.store_proxy().count(&of_tenth()) >= 10, "few claims were refused");
}

#[tokio::test]
async fn throttled_claims_are_not_repeated_and_stay_due() {
    let stack = Stack::start(Options::new().template(Template::without_triggers()).store_proxy().unkilled()).await;
    let deliveries = overdue(&stack, "1", 100, 60).await;
    let claims = Matching::operation("UpdateItem").with("\"due_claims\"");
    stack.store_proxy().fault(usize::MAX, claims.clone(), Fault::Error("ThrottlingException"));
    let done = stack.invoke("enqueue-due", &event::tick()).await.unwrap();
    assert_eq!(done, "enqueued 0 money, 0 events, 0 deliveries");
    assert_eq!(stack.store_proxy().count(&claims), 100);
    stack.store_proxy().heal();
    // A table that throttles some claims gets all of them in one sweep, which reads what is still due again.
    stack.store_proxy().fault_after(10, 5, claims, Fault::Error("ThrottlingException"));
    let done = stack.invoke("enqueue-due", &event::tick()).await.unwrap();
    assert_eq!(done, "enqueued 0 money, 0 events, 100 deliveries");
    assert_eq!(claimed(&stack, &deliveries).await, 100);
}
