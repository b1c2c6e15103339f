//! Refunds: amounts, limits and results.

use serde_json::{Value, json};
use spillway_tests::client::{Answer, Client, unique};
use spillway_tests::{Deadline, Target, eventually};

/// Sends a refund under this key.
async fn refund(client: &Client, payment: &str, key: &str, amount: u64) -> Answer {
    client.refund_request(payment, key, amount).send().await
}

/// Waits until the refund is no longer pending; returns it.
async fn ended(client: &Client, id: &str) -> Value {
    eventually("the refund has ended", Deadline::SOON, async || {
        let refund = client.get(&format!("/refunds/{id}")).await.expect(200).body;
        if refund["status"] == "pending" { Err(refund.to_string()) } else { Ok(refund) }
    })
    .await
}

fn id_of(payment: &Value) -> &str {
    payment["id"].as_str().unwrap()
}

#[tokio::test]
async fn partial_refunds_return_the_amount_but_not_the_fee() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let payment = client.paid(1000, "USD").await;
    // 29 for 290 basis points, and 30.
    assert_eq!((&payment["fee"], client.balance("USD").await), (&json!(59), (0, 941)));

    let first = refund(&client, id_of(&payment), "refund-1", 400).await.expect(202);
    let id = first.id().to_owned();
    assert!(first.header("location").ends_with(&format!("/v1/refunds/{id}")), "{}", first.header("location"));
    for (field, value) in [
        ("object", json!("refund")),
        ("payment", payment["id"].clone()),
        ("status", json!("pending")),
        ("amount", json!(400)),
        ("currency", json!("USD")),
        ("reason", json!("Returned")),
        ("metadata", json!({})),
        ("failure", json!(null)),
        ("version", json!(1)),
    ] {
        assert_eq!(first.body[field], value, "{field}");
    }
    // It reduces the balance at once.
    assert_eq!(client.balance("USD").await, (0, 541));
    let succeeded = ended(&client, &id).await;
    assert_eq!((&succeeded["status"], &succeeded["version"]), (&json!("succeeded"), &json!(2)));
    let again = client.payment(id_of(&payment)).await;
    assert_eq!(
        (&again["amount_refunded"], &again["status"], &again["fee"]),
        (&json!(400), &json!("succeeded"), &json!(59))
    );

    refund(&client, id_of(&payment), "refund-2", 601).await.expect_problem(409, "amount_exceeds_refundable");
    let rest = refund(&client, id_of(&payment), "refund-3", 600).await.expect(202).id().to_owned();
    ended(&client, &rest).await;
    assert_eq!(client.balance("USD").await, (0, -59), "the fee is kept");

    let listed = client.get(&format!("/payments/{}/refunds", id_of(&payment))).await.expect(200).body;
    let ids: Vec<&str> = listed["data"].as_array().unwrap().iter().map(id_of).collect();
    assert_eq!((ids, &listed["has_more"]), (vec![rest.as_str(), id.as_str()], &json!(false)));
    let transactions = client.get("/balance/transactions").await.expect(200).body;
    let shown: Vec<(&str, i64, i64, i64)> = transactions["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let number = |name: &str| entry[name].as_i64().unwrap();
            (entry["type"].as_str().unwrap(), number("amount"), number("fee"), number("net"))
        })
        .collect();
    assert_eq!(shown, [("refund", -600, 0, -600), ("refund", -400, 0, -400), ("capture", 1000, 59, 941)]);
}

#[tokio::test]
async fn a_repeated_full_refund_is_replayed() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let payment = client.paid(1000, "USD").await;
    let first = refund(&client, id_of(&payment), "refund-1", 1000).await.expect(202);
    refund(&client, id_of(&payment), "refund-2", 1000).await.expect_problem(409, "amount_exceeds_refundable");
    ended(&client, first.id()).await;
    // Nothing is left to refund now.
    let again = refund(&client, id_of(&payment), "refund-1", 1000).await.expect(202);
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, "true"));
    refund(&client, id_of(&payment), "refund-1", 999).await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(client.balance("USD").await, (0, -59));
}

#[tokio::test]
async fn a_failed_refund_restores_balance_and_refundable_amount() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let id = client.pay(1000, "USD", "tok_refund_fails").await;
    client.finished(&id).await;
    for key in ["refund-1", "refund-2"] {
        let pending = refund(&client, &id, key, 1000).await.expect(202).id().to_owned();
        let failed = ended(&client, &pending).await;
        assert_eq!((&failed["status"], &failed["failure"]["code"]), (&json!("failed"), &json!("refund_refused")));
        assert_eq!(
            (client.payment(&id).await["amount_refunded"].clone(), client.balance("USD").await),
            (json!(0), (0, 941))
        );
    }
}

#[tokio::test]
async fn refunds_are_exact_in_currencies_with_0_and_3_decimals() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    // 290 basis points of 1000 are 29, and 30; of 1500 43.5, half to even 44, and 30.
    for (currency, amount, refunded, left) in [("JPY", 1000, 999, 941 - 999), ("KWD", 1500, 1, 1426 - 1)] {
        let payment = client.paid(amount, currency).await;
        let id = refund(&client, id_of(&payment), &unique(), refunded).await.expect(202).id().to_owned();
        assert_eq!(ended(&client, &id).await["currency"], currency);
        assert_eq!(client.balance(currency).await, (0, left), "{currency}");
    }
}

#[tokio::test]
async fn a_refund_needs_a_refundable_payment_of_the_merchant() {
    let target = Target::start().await;
    let (one, two) = (target.new_merchant().await.client, target.new_merchant().await.client);
    let declined = one.pay(1000, "USD", "tok_declined").await;
    one.finished(&declined).await;
    refund(&one, &declined, "refund-1", 1).await.expect_problem(409, "payment_not_refundable");
    let payment = one.paid(1000, "USD").await;
    refund(&two, id_of(&payment), "refund-1", 1).await.expect_problem(404, "not_found");
    refund(&one, "pay_00000000000000000000000000", "refund-1", 1).await.expect_problem(404, "not_found");
    refund(&one, id_of(&payment), "refund-1", 0).await.expect_problem(422, "invalid_request");
    two.get(&format!("/payments/{}/refunds", id_of(&payment))).await.expect_problem(404, "not_found");
    let made = refund(&one, id_of(&payment), "refund-1", 1).await.expect(202);
    two.get(&format!("/refunds/{}", made.id())).await.expect_problem(404, "not_found");
}
