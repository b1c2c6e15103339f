//! `list-operator-actions`, invoked directly.

use serde_json::{Value, json};
use spillway_tests::clock::now;
use spillway_tests::{Deadline, Options, Stack, eventually, unique};

/// The actions on a merchant, by pages of two.
async fn actions(stack: &Stack, merchant: &str) -> Vec<Value> {
    let (mut actions, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let request = json!({"merchant": merchant, "limit": 2, "cursor": cursor});
        let page = stack.invoke("list-operator-actions", &request).await.unwrap();
        actions.extend(page["data"].as_array().unwrap().clone());
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            return actions;
        }
    }
}

#[tokio::test]
async fn the_list_says_who_did_what_on_whom_newest_first() {
    let stack = Stack::start(Options::new()).await;
    let before = now();
    let created = json!({"operator": "ci/onboard", "reference": unique(), "name": "Jane Roe", "plan": "standard",
        "currencies": {"USD": {"fee_basis_points": 290, "fee_fixed": 30}}});
    let merchant = stack.invoke("create-merchant", &created).await.unwrap()["id"].clone();
    let issued = json!({"operator": "jroe", "merchant": merchant, "mode": "live", "reference": "first",
        "scopes": ["payments:write", "balance:read"], "expires_at": "2099-01-01T00:00:00Z"});
    let key = stack.invoke("issue-api-key", &issued).await.unwrap()["id"].clone();
    let changed = json!({"operator": "mmeier", "merchant": merchant, "name": "Jane Roe & Sons", "suspended": true,
        "currencies": {"USD": {"fee_basis_points": 100, "fee_fixed": 5}}});
    stack.invoke("update-merchant", &changed).await.unwrap();
    let revoked = json!({"operator": "oncall", "merchant": merchant, "key": key, "at": "2098-01-01T00:00:00Z"});
    stack.invoke("revoke-api-key", &revoked).await.unwrap();
    // Another merchant's actions are in another list.
    stack.new_merchant().await;

    let id = merchant.as_str().unwrap();
    let actions = actions(&stack, id).await;
    let told = |action: &Value| ["operator", "subject", "outcome"].map(|name| action[name].clone()).to_vec();
    let told: Vec<_> = actions.iter().map(told).collect();
    let expected = json!([
        ["oncall", key, "revoked: effective at 2098-01-01T00:00:00.000Z"],
        ["mmeier", merchant, "changed: name, suspended true, USD 100 bp + 5"],
        ["jroe", key, "issued: live mode, payments:write balance:read, until 2099-01-01T00:00:00.000Z"],
        ["ci/onboard", merchant, "created: standard plan, USD 290 bp + 30"],
    ]);
    assert_eq!(json!(told), expected, "{actions:?}");
    let times: Vec<&str> = actions.iter().map(|action| action["created_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older) && times[3] >= before.as_str(), "{times:?}");
    for action in &actions {
        assert_eq!((&action["object"], &action["merchant"]), (&json!("operator_action"), &merchant), "{action}");
    }
}

#[tokio::test]
async fn an_action_has_the_id_of_the_invocation_in_the_log() {
    let stack = Stack::start(Options::new().keep_lines().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let listed = actions(&stack, &merchant.id).await;
    let ids: Vec<&str> = listed.iter().map(|action| action["request_id"].as_str().unwrap()).collect();
    for (function, id) in ["issue-api-key", "create-merchant"].into_iter().zip(&ids) {
        eventually(&format!("{function} has logged {id}"), Deadline::SOON, async || {
            let printed = stack.printed(function).concat();
            if printed.contains(id) { Ok(()) } else { Err(printed) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_refused_request_logs_its_operator() {
    let stack = Stack::start(Options::new().keep_lines().unkilled()).await;
    let missing = json!({"operator": "jroe", "merchant": "mer_00000000000000000000000000", "suspended": true});
    stack.invoke("update-merchant", &missing).await.unwrap_err();
    eventually("update-merchant has logged the operator", Deadline::SOON, async || {
        let printed = stack.printed("update-merchant").concat();
        let line: Value = printed.lines().map(|line| serde_json::from_str(line).unwrap()).next().unwrap_or_default();
        if line["operator"] == "jroe" && line["level"] == "ERROR" { Ok(()) } else { Err(printed) }
    })
    .await;
}
