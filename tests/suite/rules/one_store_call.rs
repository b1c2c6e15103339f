//! `POST /v1/payments` makes exactly one store call and no other network call.

use std::collections::BTreeSet;

use serde_json::json;
use spillway_tests::{Options, Stack, Template, process, unique};

#[tokio::test]
async fn creating_a_payment_is_one_put_and_nothing_else() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::still())).await;
    let client = stack.new_merchant().await.client;
    // The first request fills the gateway's cache of the authorizer's answer.
    client.pay(1250, "USD", "tok_visa").await;

    stack.store_proxy().forget_calls();
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa", "metadata": {"cart": "7"}});
    let key = unique();
    for replayed in ["", "true"] {
        stack.store_proxy().forget_calls();
        let answer = client.create_payment(&key, &payment).await.expect(202);
        assert_eq!(answer.header("idempotent-replayed"), replayed);
        let calls = stack.store_proxy().calls();
        assert!(calls.len() == 1 && calls[0].operation == "PutItem", "{calls:?}");
    }

    let pids = stack.function_pids("create-payment");
    assert!(!pids.is_empty());
    let port = |address: &str| -> u16 { address.rsplit_once(':').unwrap().1.trim_end_matches('/').parse().unwrap() };
    for pid in pids {
        let runtime = process::variable(pid, "AWS_LAMBDA_RUNTIME_API").unwrap();
        let runtime = runtime.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        let allowed = BTreeSet::from([port(&runtime), port(&stack.store_proxy().url())]);
        let used = process::remote_ports(pid);
        assert!(used.is_subset(&allowed), "create-payment talks to ports {used:?}, of which {allowed:?} are right");
    }
}
