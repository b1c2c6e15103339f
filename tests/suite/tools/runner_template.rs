//! The runner follows the template: what a changed copy lacks is gone, and nothing else.

use std::fs;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::future::join_all;
use serde_json::json;
use spillway_tests::oracle::Books;
use spillway_tests::queues::copies;
use spillway_tests::receiver::Receiver;
use spillway_tests::refusal::refusal;
use spillway_tests::{Deadline, Options, Stack, Template, eventually};

#[tokio::test]
async fn a_removed_route_and_trigger_are_gone() {
    let template = Template::without_events(&["GetBalance", "DeliverWebhook"]);
    // The path is removed with its route: alone it would answer 405.
    let template = template.without(&["Resources", "Api", "Properties", "DefinitionBody", "paths", "/v1/balance"]);
    let stack = Stack::start(Options::new().template(template).fold_at_once()).await;
    let merchant = stack.new_merchant().await;
    let client = &merchant.client;
    client.get("/balance").await.expect_problem(404, "not_found");

    client.get("/health").await.expect(200);
    let receiver = Receiver::start().await;
    client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    client.paid(1250, "USD").await;
    eventually("the balance is folded", Deadline::SOON, async || {
        let books = Books::read(&stack.table(), &merchant.tenant()).await;
        let seq = books.balances.get("USD").map(|balance| balance["seq"].clone());
        if seq.is_some() { Ok(()) } else { Err(format!("{:?}", books.balances)) }
    })
    .await;
    let queues = stack.queues();
    let webhooks = queues.url("WebhooksQueue").await;
    eventually("the event waits in its queue", Deadline::SOON, async || {
        let depth = queues.depth(&webhooks).await;
        if depth == copies() { Ok(()) } else { Err(format!("{depth} messages")) }
    })
    .await;
    assert_eq!(receiver.attempts().len(), 0);
    // The function exists, but nothing invokes it.
    let messages = queues.take(&webhooks, 1).await;
    stack.invoke("deliver-webhook", &spillway_tests::event::sqs(&messages)).await.unwrap();
    assert_eq!(receiver.attempts().len(), 1);
}

#[tokio::test]
async fn bodies_are_compressed_as_the_template_says() {
    let template = Template::read().with(&["Resources", "Api", "Properties", "MinimumCompressionSize"], "300");
    let stack = Stack::start(Options::new().template(template)).await;
    let client = stack.new_merchant().await.client;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa", "description": "x".repeat(100)});
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(payment.to_string().as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let request = client.payment_request("order-1", &payment).header("content-encoding", "gzip");
    let id = request.clone().body(packed).send().await.expect(202).id().to_owned();
    // Unlike the header.
    request.send().await.expect_problem(415, "unsupported_media_type");
    for (path, length_min) in [(format!("/payments/{id}"), 300), ("/health".to_owned(), 0)] {
        let url = format!("{}{path}", stack.base_url());
        let request = reqwest::Client::builder().no_proxy().build().unwrap().get(url);
        let request = request.bearer_auth(client.secret()).header("accept-encoding", "gzip, br;q=0.9");
        let answer = request.send().await.unwrap();
        let coding = answer.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(coding.as_deref(), (length_min > 0).then_some("gzip"), "{path}");
        let bytes = answer.bytes().await.unwrap();
        let mut text = String::new();
        match coding {
            Some(_) => GzDecoder::new(bytes.as_ref()).read_to_string(&mut text).unwrap(),
            None => bytes.as_ref().read_to_string(&mut text).unwrap(),
        };
        assert!(text.len() >= length_min && text.starts_with('{'), "{path} gave {text}");
    }
}

#[tokio::test]
async fn limits_come_from_the_template() {
    let template = Template::read()
        .with(&["Parameters", "StandardPlanBurst", "Default"], "3")
        .with(&["Parameters", "StandardPlanRate", "Default"], "1");
    let stack = Stack::start(Options::new().template(template)).await;
    let client = stack.new_merchant_with(serde_json::json!({"plan": "standard"})).await.client;
    let answers = join_all((0..40).map(|_| client.get("/payments"))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    let (accepted, refused) = (count(200), count(429));
    assert_eq!(accepted + refused, answers.len());
    assert!(accepted >= 3 && refused > 0, "{accepted} accepted, with a burst of 3, and {refused} refused");
}

#[tokio::test]
async fn an_unsupported_template_is_refused_in_one_sentence() {
    let folder = std::env::temp_dir().join(format!("spillway-{}", spillway_tests::unique()));
    fs::create_dir_all(&folder).unwrap();
    let odd = ["Resources", "Table", "Properties", "BillingMode"];
    let unknown = Template::read().with(&odd, json!({"Fn::FindInMap": ["a", "b", "c"]})).text();
    let line = 1 + unknown.lines().position(|line| line.contains("Fn::FindInMap")).unwrap();
    let line = line.to_string();
    let broken = [
        ("an unknown intrinsic", unknown, line.as_str()),
        ("no YAML", "Resources: [".to_owned(), ""),
        ("no file", String::new(), ""),
    ];
    for (what, text, told_line) in broken {
        let path = folder.join("template.yaml");
        let _ = fs::remove_file(&path);
        if !text.is_empty() {
            fs::write(&path, &text).unwrap();
        }
        let message = refusal(&folder.join("data"), &[("TEMPLATE", path.to_str().unwrap())]).await;
        assert!(message.contains(told_line), "{what} in line {told_line}: {message}");
    }
    fs::remove_dir_all(&folder).unwrap();
}
