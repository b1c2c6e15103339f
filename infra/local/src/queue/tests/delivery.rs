use super::*;

#[tokio::test]
async fn a_message_has_the_attributes_of_sqs() {
    let bench = Bench::new();
    let sent = bench.ok("SendMessage", json!({"MessageBody": "hello", "MessageGroupId": "mer_1"})).await;
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    bench.wait_s(1);
    let [message] = &bench.receive().await[..] else { panic!("one message") };
    assert_eq!(message["MessageId"], sent["MessageId"]);
    assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
    assert_eq!(
        message["Attributes"],
        json!({
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": "1001000",
            "SentTimestamp": "1000000",
            "SenderId": "000000000000",
            "MessageGroupId": "mer_1",
        })
    );
}

#[tokio::test]
async fn only_requested_attributes_are_returned() {
    let bench = Bench::new();
    bench.send("m").await;
    let request = json!({"AttributeNames": ["ApproximateReceiveCount"], "VisibilityTimeout": 0});
    let answer = bench.ok("ReceiveMessage", request).await;
    let message = &answer["Messages"][0];
    assert_eq!(message["Attributes"], json!({"ApproximateReceiveCount": "1"}));
    let plain = bench.ok("ReceiveMessage", json!({})).await;
    assert!(plain["Messages"][0].get("Attributes").is_none());
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_timeout() {
    let bench = Bench::new();
    bench.send("m").await;
    assert_eq!(bench.counts("work"), (1, 0, 0));
    assert_eq!(bench.receive().await.len(), 1);
    assert_eq!(bench.counts("work"), (0, 1, 0));
    bench.wait_s(29);
    assert!(bench.receive().await.is_empty());
    bench.wait_s(1);
    let again = bench.receive().await;
    assert_eq!(again[0]["Attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(again[0]["Attributes"]["ApproximateFirstReceiveTimestamp"], "1000000");
}

#[tokio::test]
async fn a_delayed_message_becomes_visible_later() {
    let bench = Bench::new();
    let request = json!({"MessageBody": "m", "DelaySeconds": 900});
    bench.ok("SendMessage", request).await;
    bench.wait_s(899);
    assert_eq!(bench.counts("work"), (0, 0, 1));
    assert!(bench.receive().await.is_empty());
    bench.wait_s(1);
    assert_eq!(bodies(&bench.receive().await), ["m"]);
}

#[tokio::test]
async fn a_deleted_message_never_returns() {
    let bench = Bench::new();
    bench.send("m").await;
    let message = &bench.receive().await[0];
    let request = json!({"ReceiptHandle": handle(message)});
    bench.ok("DeleteMessage", request.clone()).await;
    bench.ok("DeleteMessage", request).await;
    bench.wait_s(60);
    assert_eq!(bench.counts("work"), (0, 0, 0));
}

#[tokio::test]
async fn a_handle_deletes_after_its_timeout_unless_a_newer_one_exists() {
    let bench = Bench::new();
    bench.send("m").await;
    let first = bench.receive().await;
    bench.wait_s(30);
    let second = bench.receive().await;
    let request = json!({"ReceiptHandle": handle(&first[0])});
    bench.ok("DeleteMessage", request).await;
    assert_eq!(bench.counts("work"), (0, 1, 0));
    bench.wait_s(30);
    let request = json!({"ReceiptHandle": handle(&second[0])});
    bench.ok("DeleteMessage", request).await;
    assert_eq!(bench.counts("work"), (0, 0, 0));
}

#[tokio::test]
async fn visibility_can_be_changed_while_in_flight_only() {
    let bench = Bench::new();
    bench.send("m").await;
    let message = &bench.receive().await[0];
    let change = |seconds: i64| json!({"ReceiptHandle": handle(message), "VisibilityTimeout": seconds});
    bench.ok("ChangeMessageVisibility", change(100)).await;
    bench.wait_s(99);
    assert_eq!(bench.counts("work"), (0, 1, 0));
    bench.ok("ChangeMessageVisibility", change(0)).await;
    assert_eq!(bench.counts("work"), (1, 0, 0));
    let refused = bench.refused("ChangeMessageVisibility", change(5)).await;
    assert_eq!(refused, Kind::MessageNotInflight);
    let request = json!({"ReceiptHandle": handle(message)});
    bench.ok("DeleteMessage", request).await;
    let refused = bench.refused("ChangeMessageVisibility", change(5)).await;
    assert_eq!(refused, Kind::InvalidParameterValue);
}

#[tokio::test]
async fn a_message_past_its_retention_is_deleted() {
    let bench = Bench::new();
    bench.send("m").await;
    bench.wait_s(3601);
    assert!(bench.receive().await.is_empty());
    assert_eq!(bench.counts("work"), (0, 0, 0));
}

#[tokio::test]
async fn a_long_poll_ends_with_the_first_message() {
    let bench = Bench::new();
    let (answer, ()) = tokio::join!(bench.ok("ReceiveMessage", json!({"WaitTimeSeconds": 20})), bench.send("m"),);
    assert_eq!(answer["Messages"][0]["Body"], "m");
}

#[tokio::test]
async fn groups_take_turns() {
    let bench = Bench::new();
    for number in 0..20 {
        let request = json!({"MessageBody": format!("a{number:02}"), "MessageGroupId": "a"});
        bench.ok("SendMessage", request).await;
    }
    for group in ["b", "c"] {
        let request = json!({"MessageBody": group, "MessageGroupId": group});
        bench.ok("SendMessage", request).await;
    }
    let first = bench.receive().await;
    assert_eq!(bodies(&first)[..4], ["a00", "b", "c", "a01"]);
    let request = json!({"MessageBody": "b2", "MessageGroupId": "b"});
    bench.ok("SendMessage", request).await;
    // Seven of group a are in flight, one of b.
    assert_eq!(bodies(&bench.receive().await)[0], "b2");
}

#[tokio::test]
async fn a_restart_keeps_messages_and_shows_those_in_flight() {
    let mut bench = Bench::new();
    bench.send("one").await;
    bench.ok("SendMessage", json!({"MessageBody": "later", "DelaySeconds": 5})).await;
    bench.receive().await;
    assert_eq!(bench.counts("work"), (0, 1, 1));
    bench.restart();
    assert_eq!(bench.counts("work"), (1, 0, 1));
    let again = bench.receive().await;
    assert_eq!(again[0]["Attributes"]["ApproximateReceiveCount"], "2");
    bench.ok("DeleteMessage", json!({"ReceiptHandle": handle(&again[0])})).await;
    assert_eq!(bench.counts("work"), (0, 0, 1));
}

#[tokio::test]
async fn with_disorder_each_message_comes_twice_in_random_order() {
    let bench = Bench::with(true);
    for number in 0..10 {
        bench.send(&number.to_string()).await;
    }
    bench.wait_s(1);
    let mut received = bench.receive().await;
    received.extend(bench.receive().await);
    let ids = received.iter().map(|m| m["MessageId"].as_str().unwrap());
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    assert_eq!(ids.len(), 20);
    ids.dedup();
    assert_eq!(ids.len(), 10);
    let mut sorted = bodies(&received);
    sorted.sort_unstable();
    assert_ne!(bodies(&received), sorted, "one chance in billions");
}
