//! What takes no more than an API key of test mode: `make smoke` runs these against any stack, and prints their names.
//! The key's merchant may have other payments, and currencies and prices of its own.

mod authentication;
mod balance;
mod idempotency;
mod lists;
mod payments;
mod routes;

use serde_json::{Value, json};
use spillway_tests::Client;

/// A currency that the client's merchant has: dollars, if it can be.
async fn currency(client: &Client) -> String {
    let balance = client.get("/balance").await.expect(200).body;
    let balances = balance["balances"].as_array().unwrap();
    let currencies: Vec<&str> = balances.iter().filter_map(|balance| balance["currency"].as_str()).collect();
    let dollars = currencies.iter().find(|currency| **currency == "USD");
    (*dollars.or(currencies.first()).expect("the merchant has a currency")).to_owned()
}

/// A payment that is right as it is.
async fn right(client: &Client) -> Value {
    json!({"amount": 1250, "currency": currency(client).await, "token": "tok_visa"})
}
