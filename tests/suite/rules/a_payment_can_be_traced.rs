//! `make trace ID=pay_…` tells what happened to a payment, in the order of time.

use std::path::Path;

use serde_json::{Value, json};
use spillway_tests::clock::in_seconds;
use spillway_tests::make;
use spillway_tests::oracle::{Books, settled};
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::{Deadline, Options, Stack, eventually};

/// What the program behind `make trace` says: its standard output, or the sentence that it refuses with.
async fn trace(data: &Path, id: &[&str]) -> Result<String, String> {
    let mut command = make::command(env!("CARGO_BIN_EXE_trace"));
    command.env("DATA", data).args(id);
    let output = make::output(command).await;
    let silent = if output.succeeded { &output.told } else { &output.shown };
    assert_eq!(silent, "");
    if output.succeeded { Ok(output.shown) } else { Err(output.told) }
}

#[tokio::test]
async fn each_step_of_a_payment_is_shown_in_the_order_of_time() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let accepted = merchant.client.create_payment("order-1001", &payment).await.expect(202);
    let id = accepted.id();
    // Another one's steps are not shown.
    let other = merchant.client.paid(1250, "USD").await;
    settled(&stack, &merchant.tenant(), 2).await;
    eventually("the deliveries are noted", Deadline::SOON, async || {
        let deliveries = Books::read(&stack.table(), &merchant.tenant()).await.deliveries;
        let done = deliveries.iter().filter(|delivery| delivery["status"] == "succeeded").count();
        if done == 2 { Ok(()) } else { Err(format!("{deliveries:?}")) }
    })
    .await;

    let shown = trace(stack.data(), &[id]).await.unwrap();
    let place = |step: &str| shown.find(step).unwrap_or_else(|| panic!("no {step:?} in:\n{shown}"));
    let request = format!("accepted   1250 USD, request {}", accepted.header("request-id"));
    let steps = [request.as_str(), "processor  ", "entry      txn_", "event      evt_", "delivery   to we_"];
    let places: Vec<usize> = steps.into_iter().map(place).collect();
    assert!(places.is_sorted(), "{shown}");
    assert!(shown.lines().any(|line| line.ends_with(": succeeded after 1 attempt, last answer 200")), "{shown}");
    let times: Vec<&str> =
        shown.lines().filter_map(|line| line.get(..24)).filter(|time| !time.trim().is_empty()).collect();
    assert!(times.is_sorted() && times.iter().all(|time| time.ends_with('Z')), "{shown}");
    assert!(!shown.contains(other["id"].as_str().unwrap()), "{shown}");
    assert_eq!(shown.matches("accepted").count() + shown.matches("event  ").count(), 2, "{shown}");
}

#[tokio::test]
async fn a_delivery_that_waits_says_why_and_until_when() {
    let stack = Stack::start(Options::new().knob("WEBHOOK_WAITS_SECONDS", "0,3600,3600")).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted(std::iter::repeat_n(Reply::Status(500), 20)).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let endpoint = endpoint["id"].as_str().unwrap();
    // Traces the payment until the delivery's line has this part; gives the line's end behind the endpoint's name.
    let waits = async |payment: &Value, part: &str| {
        let id = payment["id"].as_str().unwrap();
        eventually(&format!("{part:?} is shown"), Deadline::SOON, async || {
            let shown = trace(stack.data(), &[id]).await.unwrap();
            let line = shown.lines().find_map(|line| line.split_once(&format!("delivery   to {endpoint}: ")));
            let found = line.filter(|(_, end)| end.contains(part)).map(|(_, end)| end.to_owned());
            found.ok_or(shown)
        })
        .await
    };
    let stored = async |payment: &Value| {
        let books = Books::read(&stack.table(), &merchant.tenant()).await;
        let event = books.events_of(payment["id"].as_str().unwrap())[0]["sk"].clone();
        books.deliveries.into_iter().find(|delivery| delivery["event"] == event).unwrap()["next_attempt_at"].clone()
    };
    let failed = merchant.client.paid(1250, "USD").await;
    let line = waits(&failed, "pending after 2 attempts").await;
    let next = stored(&failed).await;
    assert_eq!(line, format!("pending after 2 attempts, answered 500, again at {}", next.as_str().unwrap()));

    stack.fails_since(&merchant, endpoint, 3600).await;
    let partition = format!("{}#webhooks", merchant.tenant());
    let probed = json!({"Key": {"pk": {"S": partition}, "sk": {"S": endpoint}},
        "UpdateExpression": "SET probe_at = :later", "ExpressionAttributeValues": {":later": {"S": in_seconds(3600)}}});
    stack.table().call("UpdateItem", probed).await;
    let since = stack.table().item(&partition, endpoint).await.unwrap()["failing_since"].clone();
    let put_off = merchant.client.paid(1250, "USD").await;
    let line = waits(&put_off, "put off").await;
    let (since, next) = (since.as_str().unwrap().to_owned(), stored(&put_off).await);
    let next = next.as_str().unwrap();
    assert_eq!(line, format!("put off: the endpoint has failed since {since}, to be attempted at {next}"));
}

#[tokio::test]
async fn what_cannot_be_traced_is_one_clear_sentence() {
    let stack = Stack::start(Options::new()).await;
    let (here, elsewhere) = (stack.data(), stack.data().join("elsewhere"));
    let unknown = "pay_00000000000000000000000000";
    for (data, id, clear) in [
        (here, &[unknown][..], unknown),
        (here, &[], "ID=pay_"),
        (here, &["order-1001"], "ID=pay_"),
        (&elsewhere, &[unknown], "No stack runs here"),
    ] {
        let told = trace(data, id).await.unwrap_err();
        assert!(told.contains(clear) && !told.contains("panicked"), "{id:?}: {told}");
        assert_eq!((told.lines().count(), told.trim_end().ends_with('.') || told.contains('…')), (1, true), "{told}");
    }
}
