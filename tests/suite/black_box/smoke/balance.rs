//! `GET /v1/balance` and `GET /v1/balance/transactions`

use serde_json::json;
use spillway_tests::pages::data;
use spillway_tests::{Client, Deadline, Target, eventually};

/// Available and pending together.
async fn total(client: &Client, currency: &str) -> i64 {
    let (available, pending) = client.balance(currency).await;
    available + pending
}

#[tokio::test]
async fn a_charge_less_its_fee_is_in_the_balance_at_once() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let currency = super::currency(&client).await;
    let before = total(&client, &currency).await;
    let payment = client.paid(1250, &currency).await;
    let earned = total(&client, &currency).await - before;
    assert_eq!(earned, 1250 - payment["fee"].as_i64().unwrap(), "unless somebody else uses this key now: {payment}");
}

#[tokio::test]
async fn a_charge_is_one_balance_transaction() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let currency = super::currency(&client).await;
    let payment = client.paid(1250, &currency).await;
    let fee = payment["fee"].as_i64().unwrap();
    let list = format!("/balance/transactions?limit=100&created_from={}", payment["updated_at"].as_str().unwrap());
    let (answer, transaction) = eventually("the charge is listed", Deadline::SOON, async || {
        let answer = client.get(&list).await.expect(200);
        let of_payment: Vec<_> = data(&answer).iter().filter(|item| item["source"] == payment["id"]).cloned().collect();
        match of_payment.as_slice() {
            [one] => Ok((answer.clone(), one.clone())),
            _ => Err(answer.text),
        }
    })
    .await;
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    let id = transaction["id"].as_str().unwrap();
    assert!(id.starts_with("txn_"), "{id}");
    let expected = json!({"id": id, "object": "balance_transaction", "type": "capture", "currency": currency,
        "amount": 1250, "fee": fee, "net": 1250 - fee, "source": payment["id"],
        "available_on": payment["available_on"], "created_at": payment["updated_at"]});
    assert_eq!(transaction, expected);
}
