//! Each sweep sets the gauges of unfinished work, or none where it has not seen all of it.

use serde_json::{Value, json};
use spillway_tests::oracle::Books;
use spillway_tests::receiver::Reply;
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{clock, event};

use super::metric_lines::{GAUGES, gauges, quiet, sweep};

#[tokio::test]
async fn a_sweep_gauges_payments_in_processing() {
    let (stack, merchant, ..) = quiet(Vec::new()).await;
    let nothing = GAUGES.map(|(name, _)| (name.to_owned(), 0));
    assert_eq!(gauges(&stack).await, nothing.into());
    let payments =
        [merchant.client.pay(1250, "USD", "tok_visa").await, merchant.client.pay(1250, "USD", "tok_visa").await];
    let gauged = async || {
        let gauges = gauges(&stack).await;
        (gauges["OperationsUnfinished"], gauges["OldestOperation"])
    };
    let update = async |payment: &str, expression: &str, values: Value| {
        stack.table().update(&format!("{}#{payment}", merchant.tenant()), "payment", expression, values).await;
    };
    // One has waited for two hours, and its message for the next call is on its way, as the other's for the first.
    let waiting = json!({":since": {"S": clock::in_seconds(-7200)}});
    update(&payments[0], "SET asking.since = :since", waiting).await;
    assert_eq!(gauged().await, (2, 0));
    // The message was lost.
    update(&payments[0], "SET due_at = :past", json!({":past": {"S": clock::in_seconds(-60)}})).await;
    // The sweep sees it before the claim, and each later sweep while it is claimed.
    for _ in 0..2 {
        let (number, oldest) = gauged().await;
        assert!(number == 2 && (7200..10_800).contains(&oldest), "{number} {oldest}");
    }
    // A failed payment that waits for its last look-up waits as planned.
    let undo = json!({":undo": {"S": "undo"}});
    update(&payments[0], "SET asking.verb = :undo", undo).await;
    assert_eq!(gauged().await, (2, 0));
    // The processor gave no answer for three hours: the next call is later than any first due time.
    let put_off = json!({":since": {"S": clock::in_seconds(-10_800)}, ":later": {"S": clock::in_seconds(7300)}});
    update(&payments[1], "SET asking.since = :since, due_at = :later", put_off).await;
    let (number, oldest) = gauged().await;
    assert!(number == 2 && (10_800..14_400).contains(&oldest), "{number} {oldest}");
    // A balance is due each day, and is no operation.
    for payment in &payments {
        update(payment, "REMOVE due, due_at", json!({})).await;
    }
    let balance = json!({"pk": {"S": format!("{}#balances", merchant.tenant())}, "sk": {"S": "USD"},
        "due": {"S": "due#money#0"}, "due_at": {"S": clock::in_seconds(60)}});
    stack.table().put(balance).await;
    assert_eq!(gauged().await, (0, 0));
}

#[tokio::test]
async fn a_sweep_gauges_events_and_deliveries() {
    let (stack, merchant, receiver, endpoint) = quiet(vec![Reply::Status(500)]).await;
    let payment = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &payment)])).await.unwrap();
    let gauged = async || {
        let gauges = gauges(&stack).await;
        let of = |number: &str, oldest: &str| (gauges[number], gauges[oldest]);
        (of("EventsUndelivered", "OldestEvent"), of("DeliveriesWaiting", "OldestDelivery"))
    };
    let ((events, oldest), deliveries) = gauged().await;
    assert!(events == 1 && oldest < 3600 && deliveries == (0, 0), "{events} {oldest} {deliveries:?}");
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let id = books.events[0]["sk"].as_str().unwrap();
    stack.invoke("deliver-webhook", &event::sqs(&[event::event_message(&merchant.id, id)])).await.unwrap();
    assert_eq!(receiver.count(), 1);
    let (events, (deliveries, oldest)) = gauged().await;
    assert!(events == (0, 0) && deliveries == 1 && oldest < 3600, "{events:?} {deliveries} {oldest}");
    // The same delivery of an event from the beginning of 1970, since when 1.7 billion seconds have passed.
    let tenant = merchant.tenant();
    let mut delivery = stack.table().raw_item(&format!("{tenant}#{id}"), &endpoint).await;
    delivery["pk"] = json!({"S": format!("{tenant}#evt_{:026}", 0)});
    stack.table().put(delivery).await;
    let (_, (deliveries, oldest)) = gauged().await;
    assert!(deliveries == 2 && oldest > 1_700_000_000, "{deliveries} {oldest}");
}

#[tokio::test]
async fn a_gauge_without_all_its_partitions_is_not_set() {
    let (stack, ..) = quiet(Vec::new()).await;
    stack.store_proxy().fault(
        usize::MAX,
        Matching::operation("Query").with("due#money#5\""),
        Fault::Error("ValidationException"),
    );
    let (swept, set) = sweep(&stack).await;
    swept.unwrap_err();
    let set: Vec<String> = set.into_keys().collect();
    assert_eq!(set, ["DeliveriesWaiting", "EventsUndelivered", "OldestDelivery", "OldestEvent"]);
}
