//! Merchants, which operators create, change and suspend.

use serde_json::{Value, json};
use spillway_tests::clock::now;
use spillway_tests::{Deadline, Target, eventually, unique};

#[tokio::test]
async fn a_reference_creates_one_merchant() {
    let target = Target::start().await;
    let mut request = json!({"reference": unique(), "name": "Acme", "plan": "high",
        "currencies": {"USD": {"fee_basis_points": 290, "fee_fixed": 30}}, "settlement_delay_days": 2, "shards": 4});
    let merchant = target.invoke("create-merchant", &request).await.unwrap();
    assert!(merchant["id"].as_str().unwrap().starts_with("mer_"), "{merchant}");
    assert_eq!(merchant["object"], "merchant");
    assert_eq!(target.invoke("create-merchant", &request).await.unwrap(), merchant);
    // There is still only one plan key: a second one would double the rate or refuse all requests.
    let client = target.new_key(merchant["id"].as_str().unwrap(), json!({})).await;
    client.get("/balance").await.expect(200);
    request["settlement_delay_days"] = json!(3);
    let error = target.invoke("create-merchant", &request).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().ends_with("was created with other settings."), "{error}");
}

#[tokio::test]
async fn cached_merchants_change_by_effective_at() {
    let target = Target::start().await;
    let merchant = target.new_merchant().await;
    let update = async |fields: Value| {
        let mut request = fields;
        request["merchant"] = json!(merchant.id);
        target.invoke("update-merchant", &request).await.unwrap()
    };
    let paid = merchant.client.paid(1250, "USD").await;
    let before = now();
    let cheaper = json!({"USD": {"fee_basis_points": 100, "fee_fixed": 5}});
    let updated = update(json!({"currencies": cheaper, "suspended": true})).await;
    let effective_at = updated["effective_at"].as_str().unwrap();
    assert!(effective_at > before.as_str(), "{updated}");
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    eventually("the merchant is suspended", Deadline::LATER, async || {
        let (sent_at, answer) = (now(), merchant.client.create_payment(&unique(), &payment).await);
        if answer.status == 403 {
            return Ok(answer.expect_problem(403, "merchant_suspended"));
        }
        assert!(sent_at.as_str() < effective_at, "accepted, though sent at {sent_at}: {updated}");
        Err(answer.text)
    })
    .await;
    // It can still read.
    assert_eq!(merchant.client.payment(paid["id"].as_str().unwrap()).await, paid);
    assert_eq!(update(json!({"suspended": false})).await["suspended"], false);
    eventually("the merchant pays, at the new price", Deadline::LATER, async || {
        let answer = merchant.client.create_payment(&unique(), &payment).await;
        if answer.status == 403 {
            return Err(answer.text);
        }
        // 100 basis points of 1250 are 12.5, half to even 12; and 5.
        let fee = merchant.client.finished(answer.expect(202).id()).await["fee"].clone();
        if fee == 17 { Ok(()) } else { Err(fee.to_string()) }
    })
    .await;
}

/// Whether a page of list-merchants has this merchant.
async fn is_listed(target: &Target, merchant: &str) -> bool {
    let mut cursor = Value::Null;
    loop {
        let page = target.invoke("list-merchants", &json!({"limit": 100, "cursor": cursor})).await.unwrap();
        if page["data"].as_array().unwrap().iter().any(|listed| listed["id"] == merchant) {
            return true;
        }
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            return false;
        }
    }
}

#[tokio::test]
async fn operators_list_merchants_keys_and_who_changed_them() {
    let target = Target::start().await;
    let merchant = target.new_merchant().await;
    // An index may lag behind the table.
    eventually("the merchant is listed", Deadline::SOON, async || {
        if is_listed(&target, &merchant.id).await { Ok(()) } else { Err("it is not listed".to_owned()) }
    })
    .await;
    let of_merchant = json!({"merchant": merchant.id});
    let keys = target.invoke("list-api-keys", &of_merchant).await.unwrap();
    let [key] = &keys["data"].as_array().unwrap()[..] else { panic!("{keys}") };
    assert_eq!(
        (&key["state"], &key["issued_by"], &key["revoked_by"]),
        (&json!("active"), &json!("tests"), &Value::Null)
    );
    assert!(!keys.to_string().contains(merchant.client.secret()), "{keys}");
    let revocation = json!({"operator": "oncall", "merchant": merchant.id, "key": key["id"]});
    target.invoke("revoke-api-key", &revocation).await.unwrap();
    let actions = target.invoke("list-operator-actions", &of_merchant).await.unwrap();
    let who: Vec<_> = actions["data"].as_array().unwrap().iter().map(|action| &action["operator"]).collect();
    assert_eq!(who, ["oncall", "tests", "tests"], "{actions}");
}
