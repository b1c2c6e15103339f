//! `make trace ID=…` shows the history of any item, what it waits for, and the log lines that name it.

use std::path::Path;

use serde_json::{Value, json};
use spillway_tests::make::{self, Output};
use spillway_tests::oracle::{Books, settled};
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::Matching;
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, eventually};

/// The result of the program behind `make trace`.
async fn run(data: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = make::command(Stack::program("trace"));
    command.env("DATA", data).envs(variables.iter().copied());
    make::output(command).await
}

/// Standard output for this id.
async fn trace(stack: &Stack, id: &str) -> String {
    let output = run(stack.data(), &[("ID", id)]).await;
    assert!(output.succeeded && output.stderr.is_empty(), "{output:#?}");
    output.stdout
}

/// The first report for this id as JSON.
async fn report(stack: &Stack, id: &str) -> Value {
    let output = run(stack.data(), &[("ID", id), ("JSON", "1")]).await;
    assert!(output.succeeded, "{output:#?}");
    serde_json::from_str::<Value>(&output.stdout).unwrap()[0].take()
}

/// Waits until `shows` is true of the text for this id; returns the text.
async fn shown(stack: &Stack, id: &str, shows: impl Fn(&str) -> bool) -> String {
    eventually("the trace shows it", Deadline::LATER, async || {
        let text = trace(stack, id).await;
        if shows(&text) { Ok(text) } else { Err(text) }
    })
    .await
}

/// A stack with a paid and partly refunded payment, and its webhooks delivered.
struct Paid {
    stack: Stack,
    merchant: Merchant,
    payment: String,
    refund: String,
    endpoint: String,
    /// The id of the request that created the payment.
    request: String,
    books: Books,
    _receiver: Receiver,
}

async fn paid() -> Paid {
    let options = Options::new().function_log().unkilled().fold_at_once();
    let stack = Stack::start(options).await;
    // The item's owner is found among several merchants.
    for _ in 0..3 {
        stack.new_merchant().await;
    }
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*", "refund.*"]).await;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let accepted = merchant.client.create_payment("order-1001", &payment).await.expect(202);
    merchant.client.finished(accepted.id()).await;
    let refund = merchant.client.refund_request(accepted.id(), "refund-1", 400).send().await.expect(202);
    // Another payment is not shown.
    merchant.client.paid(999, "USD").await;
    settled(&stack, &merchant.tenant(), 2).await;
    // Two payments, and the refund's creation and result.
    let books = eventually("all is delivered and folded", Deadline::LATER, async || {
        stack.run_due().await;
        let books = Books::read(&stack.table(), &merchant.tenant()).await;
        let delivered = books.deliveries.iter().filter(|delivery| delivery["status"] == "succeeded").count();
        if delivered == 4 { Ok(books) } else { Err(format!("{:?}", books.deliveries)) }
    })
    .await;
    let (payment, refund) = (accepted.id().to_owned(), refund.id().to_owned());
    let request = accepted.header("request-id").to_owned();
    let endpoint = endpoint["id"].as_str().unwrap().to_owned();
    Paid { stack, merchant, payment, refund, endpoint, request, books, _receiver: receiver }
}

fn sk(item: &spillway_tests::table::Item) -> &str {
    item["sk"].as_str().unwrap()
}

#[tokio::test]
async fn each_kind_of_id_leads_to_its_history() {
    let paid = paid().await;
    let Paid { stack, merchant, payment, refund, endpoint, request, books, .. } = &paid;
    let whole = shown(stack, payment, |text| text.contains("Nothing waits.") && text.contains("fold-balance")).await;
    let place = |text: &str, part: &str| text.find(part).unwrap_or_else(|| panic!("no {part:?} in:\n{text}"));

    // The payment: each step in its order, then the lines of each function.
    assert!(whole.starts_with(&format!("payment {payment}, {}, test mode\n", merchant.id)), "{whole}");
    // The merchant's price is 2.9 % and 30: 1250 × 0.029 = 36.25, and 30 is 66.25, so the fee is 66.
    let steps = [
        format!("accepted   1250 USD, request {request}"),
        format!("processor  {payment}/authorize asked 1 time"),
        "entry      txn_".to_owned(),
        ": debit processor_receivable 1250, credit merchant 1184, credit fee_income 66; in the balance".to_owned(),
        format!("refund     {refund} 400 USD of {payment}, request "),
        ": debit merchant 400, credit refunds_payable 400; in the balance".to_owned(),
        format!("refund     {refund} succeeded"),
        ": debit refunds_payable 400, credit processor_receivable 400\n".to_owned(),
    ];
    let places: Vec<usize> = steps.iter().map(|step| place(&whole, step)).collect();
    assert!(places.is_sorted(), "{places:?}\n{whole}");
    for event in ["payment.succeeded", "refund.created", "refund.succeeded"] {
        place(&whole, &format!(" {event} about "));
    }
    assert_eq!(
        whole.matches(&format!("delivery   to {endpoint}: succeeded after 1 attempt, last answer 2")).count(),
        3
    );
    let times: Vec<&str> = whole.lines().take_while(|line| !line.is_empty()).skip(1).map(|line| &line[..24]).collect();
    assert!(times.is_sorted() && times.iter().all(|time| time.ends_with('Z')), "{whole}");
    for function in ["create-payment", "dispatch-changes", "call-processor", "fold-balance", "deliver-webhook"] {
        place(&whole, &format!("Z  {function} "));
    }
    assert!(!whole.contains("999"), "{whole}");

    // The refund, without the payment's steps.
    let text = trace(stack, refund).await;
    place(&text, &format!("refund {refund}, {}", merchant.id));
    assert!(!text.contains("accepted"), "{text}");
    place(&text, "create-refund");
    // An entry and an event.
    let entry = sk(books.entries_of(payment)[0]);
    let text = trace(stack, entry).await;
    place(&text, &format!("entry      {entry}: "));
    place(&text, "accepted   1250 USD");
    let event = sk(books.events_of(payment)[0]);
    let text = trace(stack, event).await;
    place(&text, &format!("event      {event} payment.succeeded about {payment}"));
    assert!(!text.contains("refund"), "{text}");
    // A delivery, as the log and the sweep name it.
    for id in [format!("{event} {endpoint}"), format!("{}#{event} {endpoint}", merchant.tenant())] {
        place(&trace(stack, &id).await, &format!("delivery   to {endpoint}: succeeded after 1 attempt"));
    }
    // A webhook endpoint.
    place(&trace(stack, endpoint).await, &format!("created    {endpoint}, events payment.* refund.*, request "));
    // A request.
    let text = trace(stack, request).await;
    place(&text, &format!("request {request}\n"));
    place(&text, &format!("payment {payment}, "));
    // The merchant may be given.
    let given = run(stack.data(), &[("ID", payment.as_str()), ("MERCHANT", merchant.id.as_str()), ("LOGS", "0")]).await;
    assert!(given.stdout.ends_with("Nothing waits.\n"), "{given:#?}");
    let other = stack.new_merchant().await.id;
    let other = run(stack.data(), &[("ID", payment.as_str()), ("MERCHANT", other.as_str())]).await;
    assert!(!other.succeeded && other.stderr.contains("There is no payment"), "{other:#?}");
}

#[tokio::test]
async fn a_keys_history_has_its_end() {
    let stack = Stack::start(Options::new().function_log()).await;
    let merchant = stack.new_merchant().await;
    let asked = json!({"merchant": merchant.id, "mode": "live", "reference": "r", "scopes": ["payments:read"],
        "expires_at": "2099-01-01T00:00:00Z"});
    let key = stack.invoke("issue-api-key", &asked).await.unwrap();
    let (id, secret) = (key["id"].as_str().unwrap(), key["secret"].as_str().unwrap());
    stack.invoke("revoke-api-key", &json!({"merchant": merchant.id, "key": id})).await.unwrap();
    let text = trace(&stack, id).await;
    assert!(text.starts_with(&format!("API key {id}, {}, live mode\n", merchant.id)), "{text}");
    let issued = format!("issued     {id} with payments:read, request ");
    for part in [issued.as_str(), "revoked    effective for every request at ", "2099-01-01T00:00:00.000Z  expires "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    stack.client(secret).expect_refused().await;
    // The refused call names the key, which is no longer valid.
    let text = shown(&stack, id, |text| text.contains("the API key has ended")).await;
    assert!(!text.contains(secret) && text.contains("revoke-api-key"), "{text}");
}

#[tokio::test]
async fn a_waiting_item_names_its_next_attempt() {
    let options = Options::new()
        .function_log()
        .unkilled()
        .knob("PROCESSOR_WAITS_SECONDS", 600)
        .knob("WEBHOOK_WAITS_SECONDS", 900)
        .template(Template::without_events(&["FoldBalance"]));
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let failing = Receiver::scripted([Reply::Status(500)]).await;
    let endpoint = merchant.client.create_webhook_endpoint(failing.url(), &["payment.*"]).await;
    let endpoint = endpoint["id"].as_str().unwrap();
    let paid = merchant.client.paid(1250, "USD").await;
    let paid = paid["id"].as_str().unwrap();
    let unknown = merchant.client.pay(1250, "USD", "tok_timeout_unknown").await;

    // The processor did not answer; it is asked again after 600 s.
    shown(&stack, &unknown, |text| text.contains("1 call without an outcome")).await;
    let item = stack.table().item(&format!("{}#{unknown}", merchant.tenant()), "payment").await.unwrap();
    let expected = json!([{"id": unknown, "for": "the processor sandbox to authorize, 1 call without an outcome",
        "since": item["created_at"], "next_at": item["asking"]["next_at"], "due_at": item["due_at"], "claims": 0}]);
    assert_eq!(report(&stack, &unknown).await["waits"], expected);

    // The receiver answered 500, and nothing folds the movement.
    let is_noted = |text: &str| text.contains("it fails since") && !text.contains("to deliver it to every");
    shown(&stack, paid, is_noted).await;
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let (entry, event) = (sk(books.entries_of(paid)[0]), sk(books.events_of(paid)[0]));
    let delivery = &books.deliveries[0];
    let known = stack.table().item(&format!("{}#webhooks", merchant.tenant()), endpoint).await.unwrap();
    let balance = stack.table().item(&format!("{}#balances", merchant.tenant()), "USD").await.unwrap();
    let fold = json!({"id": entry, "for": "fold-balance to add it to the balance test USD",
        "since": books.entries_of(paid)[0]["created_at"], "next_at": null, "due_at": balance["due_at"], "claims": 0});
    let failing_since = known["failing_since"].as_str().unwrap();
    let answer = json!({"id": format!("{event} {endpoint}"),
        "for": format!("{endpoint} to answer 2xx; it fails since {failing_since}"),
        "since": delivery["updated_at"], "next_at": delivery["next_attempt_at"], "due_at": delivery["due_at"],
        "claims": 0});
    assert_eq!(report(&stack, paid).await["waits"], json!([fold, answer]));
    let text = trace(&stack, endpoint).await;
    let next = delivery["next_attempt_at"].as_str().unwrap();
    assert!(text.contains("fails      every attempt") && text.contains(&format!("Next attempt at {next}.")), "{text}");
}

#[tokio::test]
async fn an_item_is_found_by_two_reads_for_each_merchant() {
    let stack = Stack::start(Options::new().store_proxy()).await;
    let merchant = stack.new_merchant().await;
    for _ in 0..4 {
        stack.new_merchant().await;
    }
    let payment = merchant.client.paid(1250, "USD").await;
    let id = payment["id"].as_str().unwrap();
    let (proxy, table) = (stack.store_proxy(), stack.table());
    let url = proxy.url();
    let variables = [
        ("ID", id),
        ("TABLE_NAME", table.name()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str()),
    ];
    proxy.forget_calls();
    let output = run(stack.data(), &variables).await;
    assert!(output.succeeded && output.stdout.contains("accepted   1250 USD"), "{output:#?}");
    assert_eq!(proxy.count(&Matching::operation("Scan")), 0);
    let batches: Vec<_> = proxy.calls().into_iter().filter(|call| call.operation == "BatchGetItem").collect();
    // The stack's own merchant and five others, in two modes each.
    assert_eq!(batches.len(), 1, "{batches:?}");
    assert_eq!(batches[0].body.matches(&format!("#{id}")).count(), 12, "{batches:?}");
    assert!(!batches[0].body.contains("ConsistentRead\":true"), "{batches:?}");
}

#[tokio::test]
async fn a_failure_is_one_sentence() {
    let stack = Stack::start(Options::new()).await;
    let unknown = "pay_7ccpzn4gffpza71gj3mr6qsffj";
    let request = "b2a9d0b5-8f3f-4a5e-9d5f-0f3a4b6c7d8e";
    let (absent, table) = (stack.data().join("absent"), stack.table());
    let table = table.name();
    for (data, id, sentence) in [
        (
            stack.data(),
            unknown,
            format!("There is no payment {unknown} in the table {table}, in the data of 1 merchant."),
        ),
        (stack.data(), "pay_1", "Name an item: make trace ID=pay_…".to_owned()),
        (stack.data(), request, format!("No log line names the request {request}.")),
        (absent.as_path(), unknown, "No stack runs here: ".to_owned()),
    ] {
        let output = run(data, &[("ID", id)]).await;
        assert!(!output.succeeded && output.stdout.is_empty(), "{output:#?}");
        assert!(output.stderr.starts_with(&sentence) && output.stderr.lines().count() == 1, "{output:#?}");
    }
    let output = run(stack.data(), &[("ID", unknown), ("SINCE", "soon")]).await;
    assert_eq!(output.stderr, "SINCE must be a time such as 30m, 2h or 7d, not \"soon\".\n");
}
