//! `create-merchant`, invoked directly.

use futures::future::join_all;
use serde_json::{Value, json};
use spillway_tests::{Options, Stack, terms, unique};

const AT_ONCE: usize = 50;

fn request(reference: &str) -> Value {
    json!({"reference": reference, "name": "Acme", "plan": "standard",
        "currencies": {"USD": {"fee_basis_points": 290, "fee_fixed": 30}}, "settlement_delay_days": 2, "shards": 4})
}

/// API Gateway refuses concurrent changes of a plan's keys.
#[tokio::test]
async fn fifty_merchants_created_at_once_can_all_pay() {
    let stack = Stack::start(Options::new().knob("STORE_DEADLINE_MS", 9000)).await;
    let merchants = join_all((0..AT_ONCE).map(|_| stack.new_merchant())).await;
    for merchant in merchants {
        merchant.client.create_payment("first", &terms::payment()).await.expect(202);
    }
}

#[tokio::test]
async fn an_invalid_request_is_refused_and_stores_nothing() {
    let stack = Stack::start(Options::new()).await;
    let stored = stack.table().items().await.len();
    let with = |field: &str, value: Value| {
        let mut request = request(&unique());
        request[field] = value;
        request
    };
    let wrong = [
        json!({}),
        json!(42),
        with("plan", json!("gold")),
        with("currencies", json!({"usd": {"fee_basis_points": 290, "fee_fixed": 30}})),
        with("currencies", json!({"USD": {"fee_basis_points": -1, "fee_fixed": 30}})),
        with("settlement_delay_days", json!(31)),
        with("shards", json!(0)),
        with("surprise", json!(1)),
    ];
    for request in wrong {
        let error = stack.invoke("create-merchant", &request).await.unwrap_err();
        assert!(!error["errorMessage"].as_str().unwrap().is_empty(), "{request} gave {error}");
    }
    assert_eq!(stack.table().items().await.len(), stored);
}

#[tokio::test]
async fn a_merchant_takes_current_currencies_only() {
    let stack = Stack::start(Options::new()).await;
    let fee = json!({"fee_basis_points": 290, "fee_fixed": 30});
    let mut new = request(&unique());
    new["currencies"] = json!({"VED": fee, "XCG": fee, "ZMW": fee, "ZWG": fee});
    let merchant = stack.invoke("create-merchant", &new).await.unwrap();
    assert_eq!(merchant["currencies"], new["currencies"]);
    for (currency, message) in [
        ("ANG", "ANG is not a current payment currency of ISO 4217"),
        ("BGN", "BGN is not a current payment currency of ISO 4217"),
        ("XAU", "The request has faults, and nothing was done"),
        ("CLF", "The request has faults, and nothing was done"),
    ] {
        let mut old = request(&unique());
        old["currencies"] = json!({"USD": fee, currency: fee});
        let error = stack.invoke("create-merchant", &old).await.unwrap_err();
        assert!(error["errorMessage"].as_str().unwrap().starts_with(message), "{currency} gave {error}");
    }
}
