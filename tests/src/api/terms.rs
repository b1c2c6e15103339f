//! Terms of the merchants that tests and tools create, and the fees that follow.

use serde_json::{Value, json};

use crate::client::unique;

/// Currencies of these merchants.
pub const CURRENCIES: [&str; 4] = ["USD", "EUR", "JPY", "KWD"];
/// Number of shards of these merchants' lists.
pub const SHARDS: u16 = 4;

const FEE_BASIS_POINTS: i64 = 290;
const FEE_FIXED: i64 = 30;

/// The fee of a payment, in minor units: 290 basis points, rounded half to even, + 30, at most the amount.
pub fn expected_fee(amount: i64) -> i64 {
    let (whole, rest) = (amount * FEE_BASIS_POINTS / 10_000, amount * FEE_BASIS_POINTS % 10_000);
    let up = rest > 5_000 || rest == 5_000 && whole % 2 == 1;
    (whole + i64::from(up) + FEE_FIXED).min(amount)
}

/// The request to create-merchant; the fields of `changes` replace its own.
pub(crate) fn merchant(changes: &Value) -> Value {
    let fee = json!({"fee_basis_points": FEE_BASIS_POINTS, "fee_fixed": FEE_FIXED});
    let currencies: Value = CURRENCIES.iter().map(|currency| ((*currency).to_owned(), fee.clone())).collect();
    let request = json!({"reference": unique(), "name": "Acme", "plan": "high", "currencies": currencies,
        "settlement_delay_days": 2, "shards": SHARDS});
    changed(request, changes)
}

/// Every scope, from the sample event of issue-api-key.
pub fn scopes() -> Vec<String> {
    let sample: Value = serde_json::from_str(include_str!("../../../events/issue-api-key/test-mode.json")).unwrap();
    sample["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap().to_owned()).collect()
}

/// The request to issue-api-key, for a test key with every scope; the fields of `changes` replace its own.
pub(crate) fn key(merchant: &str, changes: &Value) -> Value {
    let request = json!({"merchant": merchant, "mode": "test", "reference": unique(), "scopes": scopes(),
        "expires_at": null});
    changed(request, changes)
}

/// A minimal request for a payment that succeeds: 12.50 dollars.
pub fn payment() -> Value {
    json!({"amount": 1250, "currency": "USD", "token": "tok_visa"})
}

/// The same body with this field.
pub fn payment_with(field: &str, value: Value) -> String {
    changed(payment(), &json!({field: value})).to_string()
}

fn changed(mut request: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}
