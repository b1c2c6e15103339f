//! Each function may do what it does, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::iter::repeat_n;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use spillway_tests::make;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::refusal::refusal;
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, clock, eventually, unique};

/// Where a function's role is in the template.
fn role(function: &str) -> [String; 2] {
    ["Resources".to_owned(), format!("{function}Role")]
}

fn without(function: &str, from: &str, to: &str) -> Template {
    let path = role(function);
    Template::read().replacing(&path.each_ref().map(String::as_str), from, to)
}

fn sentences<'a>(function: &'a Value, which: &str) -> BTreeSet<&'a str> {
    function[which].as_array().unwrap().iter().map(|sentence| sentence.as_str().unwrap()).collect()
}

/// What functions were refused, or have a right to and never used, named.
fn faults(roles: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, function) in roles.as_object().unwrap() {
        let (allowed, used) = (sentences(function, "allowed"), sentences(function, "used"));
        faults.extend(allowed.difference(&used).map(|what| format!("{name} never used {what}")));
        faults.extend(sentences(function, "refused").iter().map(|what| format!("{name} was refused {what}")));
    }
    faults
}

#[tokio::test]
async fn every_right_is_used_and_none_is_missing() {
    let waits = [("PROCESSOR_WAITS_SECONDS", "1"), ("WEBHOOK_WAITS_SECONDS", "1,1")];
    let seconds = [
        ("FIRST_DUE_SECONDS", 1),
        ("CLAIM_SECONDS", 1),
        ("REPEATABLE_FOR_SECONDS", 1),
        ("ABSENT_AGAIN_SECONDS", 1),
        ("LAST_LOOK_SECONDS", 1),
        ("FAILED_PAYMENTS_MAX", 1),
        ("STORE_DEADLINE_MS", 9000),
    ];
    let options =
        waits.into_iter().fold(Options::new().fold_at_once(), |options, (name, value)| options.knob(name, value));
    let options = seconds.into_iter().fold(options, |options, (name, value)| options.knob(name, value));
    // A fold whose movements take so long to read has no time left to go on, and sends a message instead.
    let hurried = Template::read().with(&["Resources", "FoldBalance", "Properties", "Timeout"], "6");
    let stack = Stack::start(options.template(hurried).store_proxy()).await;
    let slow = Fault::Delay(Duration::from_millis(1500));
    stack.store_proxy().fault(usize::MAX, Matching::operation("Query").with("move#USD#"), slow);

    let [merchant, other] = operators_work(&stack).await;
    let failing = Receiver::scripted(repeat_n(Reply::Status(500), 2)).await;
    let gone = Receiver::scripted(repeat_n(Reply::Status(410), 20)).await;
    let down = merchant.client.create_webhook_endpoint(failing.url(), &["payment.*"]).await;
    let gone_endpoint = merchant.client.create_webhook_endpoint(gone.url(), &["payment.*"]).await;
    // One event tries it and recovers it in the end, the next one is put off.
    let down = down["id"].as_str().unwrap();
    stack.fails_since(&merchant, down, 3600).await;
    // What was created is told again.
    let request = merchant.client.webhook_endpoint_request("hook-1", gone.url(), &["payment.*"]);
    for _ in 0..2 {
        request.send().await.expect(201);
    }
    // More endpoints than it may have: before that is refused, it is read whether the endpoint is there already.
    for _ in 0..21 {
        other.client.webhook_endpoint_request(&unique(), gone.url(), &["payment.*"]).send().await;
    }
    for token in ["tok_visa", "tok_declined"] {
        merchant.client.pay(1250, "USD", token).await;
    }
    a_customer_is_refused(&merchant).await;
    merchants_refund(&merchant).await;
    merchants_manage_endpoints(&merchant).await;
    operators_redeliver(&stack, &merchant, gone_endpoint["id"].as_str().unwrap()).await;
    let unknown = merchant.client.pay(1250, "USD", "tok_timeout_unknown").await;
    rubbish(&stack, &other).await;
    eventually("a fold sends a message", Deadline::SOON, async || {
        let roles = stack.roles().await;
        let used = sentences(&roles["fold-balance"], "used");
        if used.iter().any(|what| what.starts_with("sqs:SendMessage")) { Ok(()) } else { Err(format!("{used:?}")) }
    })
    .await;
    stack.store_proxy().heal();
    eventually("every right is used", Deadline::LATER, async || {
        stack.run_due().await;
        stack.probes_now(&merchant, down).await;
        merchants_look(&merchant, down).await;
        merchant.client.pay(1250, "USD", "tok_visa").await;
        let roles = stack.roles().await;
        let faults = faults(&roles);
        if faults.is_empty() { Ok(()) } else { Err(format!("{faults:#?}")) }
    })
    .await;
    // The last look at the processor too is allowed.
    eventually("nothing is due of the payment that failed", Deadline::LATER, async || {
        stack.run_due().await;
        let payment = stack.table().item(&format!("{}#{unknown}", merchant.tenant()), "payment").await.unwrap();
        let ended = payment["status"] == "failed" && !payment.contains_key("due");
        if ended { Ok(()) } else { Err(format!("{payment:?}")) }
    })
    .await;
    let roles = stack.roles().await;
    assert_eq!(faults(&roles), Vec::<String>::new());
    let checked: BTreeSet<&str> = roles.as_object().unwrap().keys().map(String::as_str).collect();
    let folders = fs::read_dir(make::root().join("functions")).unwrap();
    let folders: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(checked, folders.iter().map(String::as_str).collect());
    let rightless: Vec<&str> =
        checked.into_iter().filter(|name| sentences(&roles[*name], "allowed").is_empty()).collect();
    assert_eq!(rightless, ["get-health", "get-openapi"]);
}

/// What operators ask for, again too; gives a merchant of each plan.
async fn operators_work(stack: &Stack) -> [Merchant; 2] {
    let other = stack.new_merchant_with(json!({"plan": "standard"})).await;
    let merchant = stack.new_merchant().await;
    for plan in ["standard", "high"] {
        let price = json!({"fee_basis_points": 290, "fee_fixed": 30});
        let request = json!({"reference": unique(), "name": "Acme", "plan": plan, "currencies": {"USD": price}});
        // The second time its key is in the plan.
        for _ in 0..2 {
            stack.invoke("create-merchant", &request).await.unwrap();
        }
    }
    let key = json!({"merchant": merchant.id, "mode": "test", "reference": unique(), "scopes": ["payments:read"],
        "expires_at": null});
    let keys = [stack.invoke("issue-api-key", &key).await, stack.invoke("issue-api-key", &key).await];
    let [id, again] = keys.map(|key| key.unwrap()["id"].clone());
    assert_eq!(id, again);
    stack.invoke("revoke-api-key", &json!({"merchant": merchant.id, "key": id})).await.unwrap();
    stack.invoke("update-merchant", &json!({"merchant": merchant.id, "name": "Acme & Sons"})).await.unwrap();
    for plan in ["standard", "standard", "high"] {
        stack.invoke("update-merchant", &json!({"merchant": merchant.id, "plan": plan})).await.unwrap();
    }
    stack.invoke("list-merchants", &json!({})).await.unwrap();
    for list in ["list-api-keys", "list-operator-actions"] {
        stack.invoke(list, &json!({"merchant": merchant.id})).await.unwrap();
    }
    [merchant, other]
}

/// A payment of a customer fails, so the next one is refused.
async fn a_customer_is_refused(merchant: &Merchant) {
    let declined = json!({"amount": 1250, "currency": "USD", "token": "tok_declined", "customer": "cus_1"});
    let failed = merchant.client.create_payment(&unique(), &declined).await.expect(202);
    merchant.client.finished(failed.id()).await;
    merchant.client.create_payment(&unique(), &declined).await.expect_problem(429, "too_many_failed_payments");
}

/// Refunds of a payment, of which the second is too much: before that is refused, it is read whether it is there already.
async fn merchants_refund(merchant: &Merchant) {
    let payment = merchant.client.paid(1250, "USD").await;
    let id = payment["id"].as_str().unwrap();
    let refund = merchant.client.refund_request(id, &unique(), 1250).send_until_served().await.unwrap().expect(202);
    merchant.client.refund_request(id, &unique(), 1).send_until_served().await.unwrap().expect(409);
    merchant.client.get(&format!("/payments/{id}/refunds")).await.expect(200);
    merchant.client.get(&format!("/refunds/{}", refund.id())).await.expect(200);
}

/// A webhook endpoint's life. What was asked for is asked for again: before that is answered, it is read what became of it.
async fn merchants_manage_endpoints(merchant: &Merchant) {
    let client = &merchant.client;
    let create = client.webhook_endpoint_request(&unique(), "https://example.com/hook", &["refund.failed"]);
    let id = create.send_until_served().await.unwrap().expect(201).id().to_owned();
    client.get("/webhook-endpoints").await.expect(200);
    for (version, status) in [(1, "disabled"), (2, "enabled")] {
        let change = client.webhook_endpoint_change(&id, version, &json!({"status": status}));
        change.send_until_served().await.unwrap().expect(200);
    }
    for (action, status) in [("rotate-secret", 200), ("test", 202)] {
        let request = client.webhook_endpoint_action(&id, action, &unique());
        for _ in 0..2 {
            request.send_until_served().await.unwrap().expect(status);
        }
    }
    for _ in 0..2 {
        client.webhook_endpoint_deletion(&id).send_until_served().await.unwrap().expect(204);
    }
    create.send_until_served().await.unwrap().expect(409);
}

/// Sends what an endpoint that answered 410 did not get again, once its merchant has enabled it.
async fn operators_redeliver(stack: &Stack, merchant: &Merchant, endpoint: &str) {
    eventually("the endpoint is disabled", Deadline::LATER, async || {
        stack.run_due().await;
        let shown = merchant.client.webhook_endpoint(endpoint).await;
        if shown["status"] == "disabled" { Ok(()) } else { Err(shown.to_string()) }
    })
    .await;
    let version = merchant.client.webhook_endpoint(endpoint).await["version"].as_u64().unwrap();
    let change = merchant.client.webhook_endpoint_change(endpoint, version, &json!({"status": "enabled"}));
    change.send_until_served().await.unwrap().expect(200);
    let since = clock::in_seconds(-3600);
    let request = json!({"merchant": merchant.id, "mode": "test", "endpoint": endpoint, "since": since});
    let answer = stack.invoke("redeliver-event", &request).await.unwrap();
    assert!(answer["deliveries"]["redelivered"].as_u64() > Some(0), "{answer}");
}

/// What a merchant asks for.
async fn merchants_look(merchant: &Merchant, endpoint: &str) {
    merchant.client.webhook_endpoint(endpoint).await;
    let paths =
        ["/payments", "/payments?reference=1", "/payments?customer=1", "/balance", "/balance/transactions", "/health"];
    for answer in join_all(paths.map(|path| merchant.client.get(path))).await {
        let id = answer.expect(200).body["data"][0]["id"].as_str().map(str::to_owned);
        if let Some(payment) = id.filter(|id| id.starts_with("pay_")) {
            merchant.client.payment(&payment).await;
        }
    }
}

/// One thing of each kind that is overdue, and that nobody can read: it is claimed and enqueued, and who works on it
/// lets its message wait.
async fn rubbish(stack: &Stack, merchant: &Merchant) {
    let (tenant, id) = (merchant.tenant(), &merchant.id["mer_".len()..]);
    let things = [
        (format!("#pay_{id}"), "payment".to_owned(), "money"),
        (format!("#re_{id}"), "refund".to_owned(), "money"),
        ("#balances".to_owned(), "EUR".to_owned(), "money"),
        ("#events#0".to_owned(), format!("evt_{id}"), "events"),
        (format!("#evt_{id}"), format!("we_{id}"), "deliveries"),
    ];
    for (partition, sk, space) in things {
        let item = json!({"pk": {"S": format!("{tenant}{partition}")}, "sk": {"S": sk},
            "due": {"S": format!("due#{space}#0")}, "due_at": {"S": clock::now()}});
        stack.table().put(item).await;
    }
}

#[tokio::test]
async fn create_payment_needs_its_right_to_put() {
    let template = without("CreatePayment", "dynamodb:PutItem", "dynamodb:GetItem");
    let stack = Stack::start(Options::new().template(template)).await;
    let client = stack.new_merchant().await.client;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    client.create_payment(&unique(), &payment).await.expect_problem(500, "internal_error");
    refused(&stack, "create-payment", "dynamodb:PutItem on ").await;
    let (cause, right) = ("500 internal_error: the store refuses: AccessDeniedException: User: ", "dynamodb:PutItem");
    tells(&stack, "create-payment", &[cause, &format!("is not authorized to perform: {right} on resource: arn:")])
        .await;
}

#[tokio::test]
async fn deliver_webhook_needs_its_right_to_update() {
    let template = without("DeliverWebhook", "dynamodb:UpdateItem", "dynamodb:PutItem");
    let stack = Stack::start(Options::new().template(template)).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    merchant.client.paid(1250, "USD").await;
    refused(&stack, "deliver-webhook", "dynamodb:UpdateItem on ").await;
    let items = stack.table().items().await;
    let due = items.iter().find(|item| item["sk"].as_str().unwrap().starts_with("evt_") && item.contains_key("due"));
    let event = due.unwrap_or_else(|| panic!("{items:?}"))["sk"].as_str().unwrap();
    let right = "is not authorized to perform: dynamodb:UpdateItem on resource: arn:";
    tells(&stack, "deliver-webhook", &["message failed", &format!("subject={event}"), right, "request_id="]).await;
}

#[tokio::test]
async fn dispatch_changes_needs_its_rights_to_send() {
    let template = without("DispatchChanges", "ProcessorQueue.Arn", "ProcessorDeadLetters.Arn");
    let stack = Stack::start(Options::new().template(template)).await;
    let client = stack.new_merchant().await.client;
    let id = client.pay(1250, "USD", "tok_visa").await;
    refused(
        &stack,
        "dispatch-changes",
        "sqs:SendMessage on arn:aws:sqs:us-east-1:000000000000:spillway-ProcessorQueue",
    )
    .await;
    let right = "is not authorized to perform: sqs:sendmessage on resource: arn:";
    tells(&stack, "dispatch-changes", &["change failed", right, "request_id="]).await;
    tells(&stack, "dispatch-changes", &["not sent", &id]).await;
    assert_eq!(client.payment(&id).await["status"], "processing");
    // AWS would not make the trigger, so the runner does not start.
    let template = without("DispatchChanges", "sqs:SendMessage", "sqs:GetQueueAttributes");
    let path = stack.data().join("unsendable.yaml");
    template.write(&path);
    let told = refusal(&stack.data().join("other"), &[("TEMPLATE", path.to_str().unwrap())]).await;
    assert!(told.contains("DispatchChangesRole does not allow sqs:SendMessage"), "{told}");
}

/// Waits until a line of the function has all of these.
async fn tells(stack: &Stack, function: &str, all: &[&str]) {
    eventually(&format!("{function} tells {all:?}"), Deadline::SOON, async || {
        let log = stack.log();
        let told = log.lines().any(|line| line.contains(function) && all.iter().all(|part| line.contains(part)));
        if told { Ok(()) } else { Err(log) }
    })
    .await;
}

/// Waits until the function was refused this, and the log tells it.
async fn refused(stack: &Stack, function: &str, what: &str) {
    let told = format!("does not allow {what}");
    eventually(&format!("{function} is refused"), Deadline::SOON, async || {
        let (roles, log) = (stack.roles().await, stack.log());
        let refused = sentences(&roles[function], "refused").iter().any(|sentence| sentence.starts_with(what));
        let told = log.lines().any(|line| line.contains(function) && line.contains(&told));
        if refused && told { Ok(()) } else { Err(format!("{}\n{log}", roles[function])) }
    })
    .await;
}
