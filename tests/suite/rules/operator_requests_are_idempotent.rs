//! Operators may repeat any request: concurrently, later, and after any interruption. It takes effect once.

use std::fs;

use futures::future::join_all;
use serde_json::{Value, json};
use spillway_tests::clock::in_seconds;
use spillway_tests::store_proxy::{Fault, Held, Matching};
use spillway_tests::{Options, Stack, unique};

const AT_ONCE: usize = 8;
const HOUR_SECONDS: i64 = 3600;

fn merchant() -> Value {
    json!({"reference": unique(), "name": "Acme", "plan": "standard",
        "currencies": {"USD": {"fee_basis_points": 290, "fee_fixed": 30}}})
}

fn key(merchant: &Value) -> Value {
    let scopes = ["payments:write", "payments:read", "balance:read"];
    json!({"merchant": merchant["id"], "mode": "test", "reference": unique(), "scopes": scopes, "expires_at": null})
}

/// Answers to the same request, sent many times concurrently.
async fn at_once(stack: &Stack, function: &str, request: &Value) -> Vec<Value> {
    let answers = join_all((0..AT_ONCE).map(|_| stack.invoke(function, request))).await;
    answers.into_iter().map(Result::unwrap).collect()
}

/// Number of the gateway's keys for this merchant, and how many of them are in a plan.
fn plan_keys(stack: &Stack, merchant: &Value) -> (usize, usize) {
    let kept = fs::read_to_string(stack.data().join("state/plan_keys.json")).unwrap();
    let kept: Vec<Value> = serde_json::from_str(&kept).unwrap();
    let id = merchant["id"].as_str().unwrap();
    let of_merchant: Vec<&Value> = kept.iter().filter(|key| key["name"].as_str().unwrap().contains(id)).collect();
    (of_merchant.len(), of_merchant.iter().filter(|key| key["plan"].is_string()).count())
}

#[tokio::test]
async fn concurrent_equal_requests_take_effect_once() {
    let stack = Stack::start(Options::new().unkilled()).await;
    let stored = stack.table().items().await.len();
    let merchants = at_once(&stack, "create-merchant", &merchant()).await;
    let merchant = &merchants[0];
    assert!(merchants.iter().all(|answer| answer == merchant), "{merchants:?}");
    // The merchant, the operator's action, and the part of its balance in each mode.
    assert_eq!((stack.table().items().await.len(), plan_keys(&stack, merchant)), (stored + 4, (1, 1)));

    let mut keys = at_once(&stack, "issue-api-key", &key(merchant)).await;
    let secrets: Vec<String> = keys.iter().filter_map(|key| key["secret"].as_str()).map(ToOwned::to_owned).collect();
    let [secret] = secrets.as_slice() else { panic!("{} secrets", secrets.len()) };
    for key in &mut keys {
        key.as_object_mut().unwrap().remove("secret");
    }
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    // One item by id, one by hash, and the action.
    assert_eq!(stack.table().items().await.len(), stored + 7);
    stack.client(secret).get("/balance").await.expect(200);

    let change = json!({"merchant": merchant["id"], "name": "Acme & Sons", "shards": 8});
    let changed = at_once(&stack, "update-merchant", &change).await;
    assert!(changed.iter().all(|answer| answer["version"] == 2 && answer["name"] == "Acme & Sons"), "{changed:?}");

    let revocation = json!({"merchant": merchant["id"], "key": keys[0]["id"], "at": in_seconds(HOUR_SECONDS)});
    let revoked = at_once(&stack, "revoke-api-key", &revocation).await;
    assert!(revoked.iter().all(|answer| *answer == revoked[0]), "{revoked:?}");
    // The actions of the last two changes, and the part of the balance in each mode for the new shards.
    assert_eq!(stack.table().items().await.len(), stored + 11);
}

#[tokio::test]
async fn a_repeated_request_completes_a_partial_creation() {
    let stack = Stack::start(Options::new().unkilled().store_proxy()).await;
    let request = merchant();
    let put = Matching::operation("TransactWriteItems").with(request["reference"].as_str().unwrap());
    // The merchant is stored, its plan key and the parts of its balance do not exist yet, and the process dies.
    let held = stack.store_proxy().hold_at(Held::After, 0, usize::MAX, put);
    let cut_off = async {
        held.reached(1).await;
        assert!(stack.kill_function("create-merchant").await > 0);
    };
    let (answer, ()) = futures::future::join(stack.try_invoke("create-merchant", &request), cut_off).await;
    assert!(!matches!(answer, Ok(Ok(_))), "{answer:?}");
    drop(held);
    stack.store_proxy().heal();
    let stored = stack.table().items().await.len();
    let merchant = stack.invoke("create-merchant", &request).await.unwrap();
    assert_eq!((stack.table().items().await.len(), plan_keys(&stack, &merchant)), (stored + 2, (1, 1)));
    let issued = stack.invoke("issue-api-key", &key(&merchant)).await.unwrap();
    stack.client(issued["secret"].as_str().unwrap()).get("/balance").await.expect(200);
    // Once more: nothing is left to do.
    assert_eq!(stack.invoke("create-merchant", &request).await.unwrap(), merchant);
    assert_eq!(plan_keys(&stack, &merchant), (1, 1));
}

#[tokio::test]
async fn a_lost_reply_of_the_store_loses_no_secret() {
    let stack = Stack::start(Options::new().unkilled().store_proxy()).await;
    let merchant = stack.invoke("create-merchant", &merchant()).await.unwrap();
    let stored = stack.table().items().await.len();
    let written = Matching::operation("TransactWriteItems").with("sha256");
    stack.store_proxy().forget_calls();
    stack.store_proxy().fault(2, written.clone(), Fault::LoseReply);
    let request = key(&merchant);
    let issued = stack.invoke("issue-api-key", &request).await.unwrap();
    assert_eq!((stack.table().items().await.len(), stack.store_proxy().count(&written)), (stored + 3, 3));
    stack.client(issued["secret"].as_str().unwrap()).get("/balance").await.expect(200);
    let again = stack.invoke("issue-api-key", &request).await.unwrap();
    assert_eq!((&again["id"], again.get("secret")), (&issued["id"], None), "{again}");
}
