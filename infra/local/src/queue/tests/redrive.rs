use super::*;

/// Sends a message and receives it as often as the queue allows.
async fn wear_out(bench: &Bench) -> Value {
    let request = json!({"MessageBody": "m", "MessageGroupId": "mer_1"});
    let sent = bench.ok("SendMessage", request).await;
    for _ in 0..2 {
        assert_eq!(bench.receive().await.len(), 1);
        bench.wait_s(30);
    }
    sent["MessageId"].clone()
}

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:000000000000:{queue}")
}

#[tokio::test]
async fn a_message_received_too_often_goes_to_the_dead_letter_queue() {
    let bench = Bench::new();
    let id = wear_out(&bench).await;
    bench.send("healthy").await;
    // One call receives the second message and moves the first one away.
    assert_eq!(bodies(&bench.receive().await), ["healthy"]);
    assert_eq!(bench.counts("dead"), (1, 0, 0));
    let dead = bench.receive_from("dead").await;
    assert_eq!(dead[0]["MessageId"], id);
    let attributes = &dead[0]["Attributes"];
    assert_eq!(attributes["DeadLetterQueueSourceArn"], arn("work"));
    assert_eq!(attributes["MessageGroupId"], "mer_1");
}

#[tokio::test]
async fn dead_letters_are_moved_back_as_new_messages() {
    let bench = Bench::new();
    let id = wear_out(&bench).await;
    assert!(bench.receive().await.is_empty());
    let task = bench.ok("StartMessageMoveTask", json!({"SourceArn": arn("dead")})).await;
    assert!(task["TaskHandle"].is_string());
    assert_eq!(bench.counts("dead"), (0, 0, 0));
    let moved = bench.receive().await;
    assert_ne!(moved[0]["MessageId"], id);
    assert_eq!(moved[0]["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(moved[0]["Attributes"]["MessageGroupId"], "mer_1");
}

#[tokio::test]
async fn only_a_dead_letter_queue_can_be_moved_from() {
    let bench = Bench::new();
    let refused = async |queue: &str| bench.refused("StartMessageMoveTask", json!({"SourceArn": arn(queue)})).await;
    assert_eq!(refused("work").await, Kind::InvalidParameterValue);
    assert_eq!(refused("none").await, Kind::ResourceNotFoundException);
}
