//! Each id that a function processes is in that function's own log, with the result.

use std::collections::BTreeMap;
use std::net::TcpListener;

use futures::future::join_all;
use serde_json::{Value, json};
use spillway_tests::oracle::{Books, settled};
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Options, Stack, Template, event, eventually, unique};

const AT_ONCE: usize = 40;

/// The lines of the invocations of a function.
fn invocations(stack: &Stack, function: &str) -> Vec<Value> {
    let printed = stack.printed(function).concat();
    let lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| ["invocation", "subjects"].contains(&line["message"].as_str().unwrap())).collect()
}

/// Everything that the function's lines say about this id.
fn told_of(stack: &Stack, function: &str, id: &str) -> Vec<Value> {
    let lines = invocations(stack, function);
    let subjects = lines.iter().filter_map(|line| line["subjects"].as_array()).flatten();
    subjects.filter(|subject| subject["id"] == id).cloned().collect()
}

/// Waits for a subject in the function's lines for which `is_it` returns true; returns it.
async fn tells(stack: &Stack, function: &str, id: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("{function} tells it of {id}"), Deadline::LATER, async || {
        stack.run_due().await;
        let told = told_of(stack, function, id);
        told.iter().find(|subject| is_it(subject)).cloned().ok_or_else(|| format!("{told:?}"))
    })
    .await
}

fn names(subject: &Value, ids: &[&str]) -> bool {
    let with: Vec<&str> = subject["with"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    ids.iter().all(|id| with.contains(id))
}

#[tokio::test]
async fn each_concurrent_payment_is_found_by_each_of_its_ids() {
    let stack = Stack::start(Options::new().keep_lines().unkilled().fold_at_once()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let endpoint = endpoint["id"].as_str().unwrap();
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let accepted = join_all((0..AT_ONCE).map(|_| async {
        let answer = merchant.client.create_payment(&unique(), &payment).await.expect(202);
        (answer.id().to_owned(), answer.header("request-id").to_owned())
    }));
    let requests: BTreeMap<String, String> = accepted.await.into_iter().collect();
    settled(&stack, &merchant.tenant(), AT_ONCE).await;
    receiver.attempts_at_least(AT_ONCE, Deadline::SOON).await;

    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let missing = || {
        let mut missing = Vec::new();
        for (payment, request) in &requests {
            let [entry] = books.entries_of(payment)[..] else { panic!("{payment}") };
            let [event] = books.events_of(payment)[..] else { panic!("{payment}") };
            let [entry, event] = [entry, event].map(|item| item["sk"].as_str().unwrap());
            let mut look = |function: &str, id: &str, is_it: &dyn Fn(&Value) -> bool| {
                let told = told_of(&stack, function, id);
                if !told.iter().any(is_it) {
                    missing.push(format!("{function} {id}: {told:?}"));
                }
            };
            let begun_by = |subject: &Value| subject["request_id"] == **request;
            look("create-payment", payment, &|_| true);
            look("dispatch-changes", payment, &|_| true);
            look("dispatch-changes", entry, &|_| true);
            look("dispatch-changes", event, &|_| true);
            look("call-processor", payment, &|subject| {
                subject["outcome"] == "succeeded" && names(subject, &[entry, event]) && begun_by(subject)
            });
            look("fold-balance", "test USD", &|subject| names(subject, &[entry]));
            look("deliver-webhook", event, &|subject| {
                subject["outcome"] == "200" && names(subject, &[endpoint, payment]) && begun_by(subject)
            });
        }
        missing
    };
    eventually("every id is in the log", Deadline::LATER, async || {
        stack.run_due().await;
        let missing = missing();
        if missing.is_empty() { Ok(()) } else { Err(format!("{} are missing: {missing:#?}", missing.len())) }
    })
    .await;
}

#[tokio::test]
async fn a_line_names_the_outcome_of_each_payment() {
    let stack = Stack::start(Options::new().keep_lines().unkilled().knob("PROCESSOR_WAITS_SECONDS", "1")).await;
    let client = stack.new_merchant().await.client;
    let declined = client.pay(1250, "USD", "tok_declined").await;
    let unknown = client.pay(1250, "USD", "tok_timeout_unknown").await;
    tells(&stack, "call-processor", &declined, |subject| subject["outcome"] == "declined card_declined").await;
    tells(&stack, "call-processor", &unknown, |subject| subject["outcome"] == "outcome unknown, again in 1 s").await;
    tells(&stack, "call-processor", &unknown, |subject| subject["outcome"] == "succeeded").await;
    // A late copy of its message.
    let late = event::payment_message(stack.developers_merchant(), &unknown);
    stack.invoke("call-processor", &event::sqs(&[late])).await.unwrap();
    tells(&stack, "call-processor", &unknown, |subject| subject["outcome"] == "not found").await;
}

/// Selects the subject of a delivery to this endpoint.
fn to<'a>(endpoint: &'a str, begins: &'a str, ends: &'a str) -> impl Fn(&Value) -> bool {
    move |subject| {
        let outcome = subject["outcome"].as_str().unwrap_or_default();
        names(subject, &[endpoint]) && outcome.starts_with(begins) && outcome.ends_with(ends)
    }
}

#[tokio::test]
async fn a_line_names_the_receivers_answer_and_the_next_attempt() {
    let stack = Stack::start(Options::new().keep_lines().unkilled().knob("WEBHOOK_WAITS_SECONDS", "1")).await;
    let merchant = stack.new_merchant().await;
    let failing = Receiver::scripted([Reply::Status(500), Reply::Status(404)]).await;
    let gone = Receiver::scripted([Reply::Status(410)]).await;
    // Nothing listens there any more.
    let closed = format!("http://{}/hook", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let mut endpoints = Vec::new();
    for url in [failing.url(), gone.url(), &closed] {
        let endpoint = merchant.client.create_webhook_endpoint(url, &["payment.*"]).await;
        endpoints.push(endpoint["id"].as_str().unwrap().to_owned());
    }
    let [failing, gone, closed] = &endpoints[..] else { panic!("{endpoints:?}") };
    let payment = merchant.client.paid(1250, "USD").await;
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let event = books.events_of(payment["id"].as_str().unwrap())[0]["sk"].as_str().unwrap();
    // 0.8 to 1.2 seconds, shown in whole seconds.
    tells(&stack, "deliver-webhook", event, to(failing, "500, attempt 1, again in ", " s")).await;
    tells(&stack, "deliver-webhook", event, to(failing, "404, attempt 2, ", "given up")).await;
    let told =
        tells(&stack, "deliver-webhook", event, to(gone, "410, attempt 1, given up, ", "endpoint disabled")).await;
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let disabled = books.events.iter().find(|event| event["type"] == "webhook_endpoint.disabled").unwrap();
    assert!(names(&told, &[disabled["sk"].as_str().unwrap()]), "{told}");
    tells(&stack, "deliver-webhook", event, to(closed, "no connection, attempt 1, again in ", " s")).await;
}

#[tokio::test]
async fn a_delivery_is_logged_although_its_write_fails() {
    let options = Options::new().keep_lines().unkilled().store_proxy().template(Template::without_triggers());
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let payment = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &payment)])).await.unwrap();
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let id = books.events[0]["sk"].as_str().unwrap();
    // The write that clears the event's due time fails.
    stack.store_proxy().fault(
        usize::MAX,
        Matching::operation("UpdateItem").with(id),
        Fault::Error("ValidationException"),
    );
    stack.invoke("deliver-webhook", &event::sqs(&[event::event_message(&merchant.id, id)])).await.unwrap();
    tells(&stack, "deliver-webhook", id, |subject| subject["outcome"] == "failed").await;
    let lines = stack.printed("deliver-webhook").concat();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = lines.iter().find(|line| line["message"] == "done before it failed").unwrap();
    let with = format!("{} {payment}", endpoint["id"].as_str().unwrap());
    assert_eq!((&told["subject"], &told["outcome"], &told["with"]), (&json!(id), &json!("200"), &json!(with)));
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn operator_lines_name_merchant_and_change() {
    let stack = Stack::start(Options::new().keep_lines().unkilled()).await;
    let created = json!({"reference": unique(), "name": "Jane Roe", "plan": "standard",
        "currencies": {"USD": {"fee_basis_points": 290, "fee_fixed": 30}}});
    let created = stack.invoke("create-merchant", &created).await.unwrap();
    let merchant = created["id"].as_str().unwrap();
    let asked = json!({"merchant": merchant, "mode": "live", "reference": "Jane Roe's",
        "scopes": ["payments:write", "balance:read"], "expires_at": "2099-01-01T00:00:00Z"});
    let issued = stack.invoke("issue-api-key", &asked).await.unwrap();
    let key = issued["id"].as_str().unwrap();
    stack.client(issued["secret"].as_str().unwrap()).get("/balance").await.expect(200);
    stack.invoke("revoke-api-key", &json!({"merchant": merchant, "key": key})).await.unwrap();
    let update = json!({"merchant": merchant, "name": "Jane Roe & Sons", "suspended": true});
    stack.invoke("update-merchant", &update).await.unwrap();
    for (function, id, outcome) in [
        ("create-merchant", merchant, "created: standard plan, USD 290 bp + 30"),
        ("issue-api-key", key, "issued: live mode, payments:write balance:read, until 2099-01-01T00:00:00.000Z"),
        ("authenticate", key, ""),
        ("revoke-api-key", key, "revoked: effective at "),
        ("update-merchant", merchant, "changed: name, suspended true"),
    ] {
        tells(&stack, function, id, |subject| subject["outcome"].as_str().unwrap_or_default().starts_with(outcome))
            .await;
        let lines = invocations(&stack, function);
        let operator = if function == "authenticate" { Value::Null } else { json!("tests") };
        let of_merchant = lines
            .iter()
            .any(|line| line["merchant"] == merchant && line["operator"] == operator && line.to_string().contains(id));
        assert!(of_merchant, "{function}: {lines:?}");
    }
    assert!(!stack.all_printed().contains("Jane"), "{}", stack.all_printed());
}

#[tokio::test]
async fn a_creation_names_what_it_wrote_or_did_not_write() {
    let options = Options::new().keep_lines().unkilled().store_proxy();
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let body = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let payment = merchant.client.create_payment("one", &body).await.expect(202).id().to_owned();
    merchant.client.finished(&payment).await;
    let refund = merchant.client.refund_request(&payment, "two", 400).send().await.expect(202).id().to_owned();
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let created = books.events.iter().find(|event| event["type"] == "refund.created").unwrap();
    let taken = books.entries_of(&refund).into_iter().find(|entry| entry["type"] == "refund").unwrap();
    let told = tells(&stack, "create-refund", &refund, |_| true).await;
    assert!(names(&told, &[created["sk"].as_str().unwrap(), taken["sk"].as_str().unwrap()]), "{told}");

    // The answer does not show these ids.
    let other = json!({"amount": 1300, "currency": "USD", "token": "tok_visa"});
    merchant.client.create_payment("one", &other).await.expect_problem(422, "idempotency_key_reused");
    let too_much = merchant.client.refund_request(&payment, "three", 9_999).send().await;
    too_much.expect_problem(409, "amount_exceeds_refundable");
    stack.store_proxy().fault(usize::MAX, Matching::operation("PutItem"), Fault::Error("InternalServerError"));
    merchant.client.create_payment("four", &body).await.expect_problem(503, "unavailable");
    for (function, outcome, prefix) in [
        ("create-payment", "422 idempotency_key_reused", payment.as_str()),
        ("create-refund", "409 amount_exceeds_refundable", "re_"),
        ("create-payment", "503 unavailable", "pay_"),
    ] {
        eventually(&format!("{outcome} names the object"), Deadline::SOON, async || {
            let lines = invocations(&stack, function);
            let lines = lines.iter().filter(|line| line["outcome"].as_str().unwrap().starts_with(outcome));
            let ids = lines.filter_map(|line| line["subjects"].as_array()).flatten().map(|subject| &subject["id"]);
            let ids: Vec<_> = ids.filter_map(Value::as_str).collect();
            if ids.iter().any(|id| id.starts_with(prefix)) { Ok(()) } else { Err(format!("{ids:?}")) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_line_names_the_mode_of_its_items() {
    let stack = Stack::start(Options::new().keep_lines().unkilled().fold_at_once()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    merchant.client.paid(1250, "USD").await;
    receiver.attempts_at_least(1, Deadline::SOON).await;
    for function in ["create-payment", "dispatch-changes", "call-processor", "fold-balance", "deliver-webhook"] {
        eventually(&format!("{function} names the mode"), Deadline::LATER, async || {
            stack.run_due().await;
            let lines = invocations(&stack, function);
            let of_merchant: Vec<_> = lines.iter().filter(|line| line["merchant"] == merchant.id.as_str()).collect();
            let named = !of_merchant.is_empty() && of_merchant.iter().all(|line| line["mode"] == "test");
            if named { Ok(()) } else { Err(format!("{lines:?}")) }
        })
        .await;
    }
}

#[tokio::test]
async fn an_unknown_payments_id_is_logged() {
    let stack = Stack::start(Options::new().keep_lines().unkilled()).await;
    let id = "pay_00000000000000000000000000";
    let merchant = stack.new_merchant().await;
    merchant.client.get(&format!("/payments/{id}")).await.expect_problem(404, "not_found");
    tells(&stack, "get-payment", id, |_| true).await;
}

#[tokio::test]
async fn the_sweep_logs_the_enqueued_items() {
    let stack = Stack::start(
        Options::new().template(Template::without_triggers()).keep_lines().unkilled().knob("FIRST_DUE_SECONDS", 1),
    )
    .await;
    let id = stack.new_merchant().await.client.pay(1250, "USD", "tok_visa").await;
    tells(&stack, "enqueue-due", &id, |_| true).await;
}
