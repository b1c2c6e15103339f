use super::*;

fn entries(count: usize) -> Vec<Value> {
    (0..count).map(|number| json!({"Id": number.to_string(), "MessageBody": "m"})).collect()
}

#[tokio::test]
async fn a_batch_is_sent_and_deleted() {
    let bench = Bench::new();
    let answer = bench.ok("SendMessageBatch", json!({"Entries": entries(10)})).await;
    assert_eq!(answer["Successful"].as_array().unwrap().len(), 10);
    assert_eq!(answer["Failed"], json!([]));
    let messages = bench.receive().await;
    let mut receipts: Vec<Value> = messages
        .iter()
        .enumerate()
        .map(|(id, message)| json!({"Id": id.to_string(), "ReceiptHandle": handle(message)}))
        .collect();
    receipts[0]["ReceiptHandle"] = "nonsense".into();
    let answer = bench.ok("DeleteMessageBatch", json!({"Entries": receipts})).await;
    assert_eq!(answer["Successful"].as_array().unwrap().len(), 9);
    assert_eq!(answer["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(bench.counts("work"), (0, 1, 0));
}

#[tokio::test]
async fn a_bad_entry_fails_by_itself() {
    let bench = Bench::new();
    let mut entries = entries(4);
    entries[0]["DelaySeconds"] = 901.into();
    entries[1]["MessageBody"] = "".into();
    entries[2]["MessageBody"] = "a\u{1}b".into();
    let answer = bench.ok("SendMessageBatch", json!({"Entries": entries})).await;
    assert_eq!(answer["Successful"][0]["Id"], "3");
    let failed = answer["Failed"].as_array().unwrap();
    let codes: Vec<_> = failed.iter().map(|entry| &entry["Code"]).collect();
    assert_eq!(codes, ["InvalidParameterValue", "MissingParameter", "InvalidMessageContents"]);
    assert!(failed.iter().all(|entry| entry["SenderFault"] == true));
    assert_eq!(bench.counts("work"), (1, 0, 0));
}

#[tokio::test]
async fn a_batch_of_the_wrong_form_is_refused_as_a_whole() {
    let bench = Bench::new();
    let refused = async |entries: Vec<Value>| bench.refused("SendMessageBatch", json!({ "Entries": entries })).await;
    assert_eq!(refused(vec![]).await, Kind::EmptyBatchRequest);
    assert_eq!(refused(entries(11)).await, Kind::TooManyEntriesInBatchRequest);
    let mut twice = entries(2);
    twice[1]["Id"] = "0".into();
    assert_eq!(refused(twice).await, Kind::BatchEntryIdsNotDistinct);
    let mut bad = entries(1);
    bad[0]["Id"] = "a b".into();
    assert_eq!(refused(bad).await, Kind::InvalidBatchEntryId);
    let mut long = entries(2);
    for entry in &mut long {
        entry["MessageBody"] = "x".repeat(600 * 1024).into();
    }
    assert_eq!(refused(long).await, Kind::BatchRequestTooLong);
    assert_eq!(bench.counts("work"), (0, 0, 0));
}
