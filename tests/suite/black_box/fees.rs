//! Fees and balances, exact to the minor unit.

use futures::future::join_all;
use serde_json::json;
use spillway_tests::Target;
use spillway_tests::oracle::in_days;

#[tokio::test]
async fn fees_round_half_to_even_and_currencies_stay_separate() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    // 1250 at 290 basis points is 36.25, so 36; 2500 is 72.5, half to even 72; and 30 each.
    let charged = [("USD", 1250, 66), ("EUR", 2500, 102), ("JPY", 1250, 66), ("KWD", 2500, 102)];
    let before = in_days(2);
    let payments = join_all(charged.iter().map(|(currency, amount, _)| client.paid(*amount, currency))).await;
    // Midnight may have passed meanwhile.
    let days = [before, in_days(2)];
    for ((currency, amount, fee), payment) in charged.into_iter().zip(payments) {
        assert_eq!(payment["fee"], fee, "{payment}");
        assert!(days.iter().any(|day| payment["available_on"] == day.as_str()), "{payment}");
        assert_eq!(client.balance(currency).await, (0, i64::try_from(amount).unwrap() - fee), "{currency}");
    }
}

#[tokio::test]
async fn a_balance_has_every_currency_and_is_never_cached() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    client.paid(1250, "USD").await;
    client.paid(1250, "JPY").await;
    let answer = client.get("/balance").await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!((&answer.body["object"], &answer.body["mode"]), (&json!("balance"), &json!("test")));
    assert!(answer.body["as_of"].as_str().unwrap().ends_with('Z'));
    for (currency, pending) in [("USD", 1184), ("JPY", 1184), ("EUR", 0), ("KWD", 0)] {
        let line = json!({"currency": currency, "available": 0, "pending": pending});
        assert!(answer.body["balances"].as_array().unwrap().contains(&line), "{}", answer.text);
    }
}

#[tokio::test]
async fn without_fee_and_delay_all_is_available_at_once() {
    let target = Target::start().await;
    let free = json!({"USD": {"fee_basis_points": 0, "fee_fixed": 0}});
    let terms = json!({"currencies": free, "settlement_delay_days": 0});
    let client = target.new_merchant_with(terms).await.client;
    assert_eq!(client.paid(1250, "USD").await["fee"], 0);
    assert_eq!(client.balance("USD").await, (1250, 0));
}

#[tokio::test]
async fn a_fee_is_at_most_the_amount() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    assert_eq!(client.paid(10, "USD").await["fee"], 10);
    assert_eq!(client.balance("USD").await, (0, 0));
}
