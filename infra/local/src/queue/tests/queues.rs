use axum::response::IntoResponse as _;

use super::*;

#[tokio::test]
async fn queues_are_found_and_described() {
    let bench = Bench::new();
    let all = bench.ok("ListQueues", json!({})).await;
    let urls = ["work", "dead"].map(|name| format!("http://127.0.0.1:9324/000000000000/{name}"));
    assert_eq!(all["QueueUrls"], json!(urls));
    let some = bench.ok("ListQueues", json!({"QueueNamePrefix": "de"})).await;
    assert_eq!(some["QueueUrls"], json!([bench.api.url("dead")]));
    bench.send("m").await;
    let attributes = bench.ok("GetQueueAttributes", json!({"AttributeNames": ["All"]})).await;
    let attributes = &attributes["Attributes"];
    assert_eq!(attributes["ApproximateNumberOfMessages"], "1");
    assert_eq!(attributes["VisibilityTimeout"], "30");
    assert_eq!(attributes["QueueArn"], "arn:aws:sqs:eu-north-1:000000000000:work");
    let policy: Value = serde_json::from_str(attributes["RedrivePolicy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["maxReceiveCount"], 2);
    let request = json!({"AttributeNames": ["Nonsense"]});
    let refused = bench.refused("GetQueueAttributes", request).await;
    assert_eq!(refused, Kind::InvalidAttributeName);
}

#[tokio::test]
async fn errors_have_the_names_of_aws() {
    let bench = Bench::new();
    let request = json!({"QueueUrl": "http://x/0/none", "MessageBody": "m"});
    let refusal = bench.call("SendMessage", request).await.unwrap_err();
    let response = refusal.into_response();
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["x-amzn-query-error"], "AWS.SimpleQueueService.NonExistentQueue;Sender");
    let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
}

#[tokio::test]
async fn values_out_of_range_are_refused() {
    let bench = Bench::new();
    for (action, request, kind) in [
        ("ReceiveMessage", json!({"MaxNumberOfMessages": 11}), Kind::InvalidParameterValue),
        ("ReceiveMessage", json!({"MaxNumberOfMessages": 0}), Kind::InvalidParameterValue),
        ("ReceiveMessage", json!({"WaitTimeSeconds": 21}), Kind::InvalidParameterValue),
        ("ReceiveMessage", json!({"VisibilityTimeout": -1}), Kind::InvalidParameterValue),
        ("SendMessage", json!({}), Kind::MissingParameter),
        ("SendMessage", json!({"MessageBody": "m", "DelaySeconds": -1}), Kind::InvalidParameterValue),
        ("SendMessage", json!({"MessageBody": "m", "MessageDeduplicationId": "a"}), Kind::InvalidParameterValue),
        ("SendMessage", json!({"MessageBody": "m", "MessageGroupId": "a b"}), Kind::InvalidParameterValue),
        ("SendMessage", json!({"MessageBody": "x".repeat(1024 * 1024 + 1)}), Kind::InvalidParameterValue),
        (
            "SendMessage",
            json!({"MessageBody": "m", "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}}}),
            Kind::InvalidParameterValue,
        ),
        ("DeleteMessage", json!({"ReceiptHandle": "nonsense"}), Kind::ReceiptHandleIsInvalid),
        ("DeleteMessage", json!({}), Kind::MissingParameter),
        ("DeleteQueue", json!({}), Kind::UnknownOperationException),
    ] {
        let refused = bench.refused(action, request.clone()).await;
        assert_eq!(refused, kind, "{action} {}", &request.to_string()[..20.min(request.to_string().len())]);
    }
}

#[tokio::test]
async fn messages_of_removed_queues_are_deleted() {
    let bench = Bench::new();
    bench.send("m").await;
    let only_dead = &settings()[1..];
    let clock = Arc::new(|| 1_000_000);
    Queues::open(&bench.path, REGION, only_dead, clock, false).unwrap();
    assert_eq!(bench.counts("work"), (0, 0, 0));
}
