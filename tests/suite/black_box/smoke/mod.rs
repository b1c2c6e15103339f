//! Tests that need only an API key of test mode: `make smoke` runs them against any stack and prints their names. The
//! key's merchant may have other payments, and its own currencies and prices.

mod authentication;
mod balance;
mod idempotency;
mod lists;
mod payments;
mod routes;
mod versions;

use serde_json::{Value, json};
use spillway_tests::Client;

/// A currency of the client's merchant: USD if it has that.
async fn currency(client: &Client) -> String {
    let balance = client.get("/balance").await.expect(200).body;
    let balances = balance["balances"].as_array().unwrap();
    let currencies: Vec<&str> = balances.iter().filter_map(|balance| balance["currency"].as_str()).collect();
    let dollars = currencies.iter().find(|currency| **currency == "USD");
    (*dollars.or(currencies.first()).expect("the merchant has a currency")).to_owned()
}

/// A valid payment.
async fn right(client: &Client) -> Value {
    json!({"amount": 1250, "currency": currency(client).await, "token": "tok_visa"})
}
