//! `update-merchant`, invoked directly.

use std::collections::BTreeSet;

use futures::future::{join, join_all};
use serde_json::{Value, json};
use spillway_tests::clock::in_seconds;
use spillway_tests::document::endpoints;
use spillway_tests::oracle::{Books, in_days, settled};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::table::Item;
use spillway_tests::{Merchant, Options, Stack, Template, event, unique};

/// Number of payments that [`charged`] makes.
const PAYMENTS: usize = 24;

/// The request for a change.
fn change(merchant: &Merchant, fields: &Value) -> Value {
    let mut request = json!({"merchant": merchant.id});
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

async fn update(stack: &Stack, merchant: &Merchant, fields: Value) -> Value {
    stack.invoke("update-merchant", &change(merchant, &fields)).await.unwrap()
}

/// The error message of a refused change.
async fn refusal(stack: &Stack, merchant: &Merchant, fields: Value) -> String {
    let error = stack.invoke("update-merchant", &change(merchant, &fields)).await.unwrap_err();
    error["errorMessage"].as_str().unwrap().to_owned()
}

/// A stack without caches of authorizer answers and merchants.
async fn uncached() -> Stack {
    Stack::start(Options::new().knob("CACHE_SECONDS", 0)).await
}

fn fees(currency: &str, fee_basis_points: u16, fee_fixed: u64) -> Value {
    json!({"currencies": {currency: {"fee_basis_points": fee_basis_points, "fee_fixed": fee_fixed}}})
}

#[tokio::test]
async fn new_fees_apply_to_later_captures() {
    let stack = uncached().await;
    let merchant = stack.new_merchant().await;
    // 290 basis points of 1250 are 36.25, so 36; and 30.
    assert_eq!(merchant.client.paid(1250, "USD").await["fee"], 66);
    let updated = update(&stack, &merchant, fees("USD", 100, 5)).await;
    assert_eq!(updated["currencies"]["USD"], json!({"fee_basis_points": 100, "fee_fixed": 5}), "{updated}");
    assert_eq!(updated["currencies"]["EUR"], json!({"fee_basis_points": 290, "fee_fixed": 30}), "{updated}");
    // 100 basis points of 1250 are 12.5, half to even 12; and 5.
    assert_eq!(merchant.client.paid(1250, "USD").await["fee"], 17);
    assert_eq!(merchant.client.paid(1250, "EUR").await["fee"], 66);
    assert_eq!(merchant.client.balance("USD").await, (0, 1184 + 1233));
}

#[tokio::test]
async fn effective_at_follows_the_longest_cache_lifetime() {
    let stack = Stack::start(Options::new().knob("CACHE_SECONDS", 300)).await;
    let merchant = stack.new_merchant().await;
    // 300 s in the cache and 10 s for the authorizer, beside the write.
    let before = in_seconds(310);
    let updated = update(&stack, &merchant, json!({"suspended": true})).await;
    assert!(updated["effective_at"].as_str() > Some(&before), "{updated}");
}

#[tokio::test]
async fn currencies_are_added_and_never_removed() {
    let stack = uncached().await;
    let merchant = stack.new_merchant().await;
    let payment = json!({"amount": 1000, "currency": "GBP", "token": "tok_visa"});
    merchant.client.create_payment("order-1", &payment).await.expect_problem(422, "currency_not_enabled");
    let updated = update(&stack, &merchant, fees("GBP", 0, 7)).await;
    let currencies: Vec<&String> = updated["currencies"].as_object().unwrap().keys().collect();
    assert_eq!(currencies, ["EUR", "GBP", "JPY", "KWD", "USD"]);
    assert_eq!(merchant.client.paid(1000, "GBP").await["fee"], 7);
    merchant.client.paid(1250, "USD").await;
    assert_eq!(merchant.client.balance("GBP").await, (0, 993));
    assert_eq!(merchant.client.balance("USD").await, (0, 1184));
}

#[tokio::test]
async fn a_new_settlement_delay_applies_to_later_captures() {
    let stack = uncached().await;
    let merchant = stack.new_merchant().await;
    // Read before and after, for a run at midnight.
    let (early, before, late) = (in_days(2), merchant.client.paid(1250, "USD").await, in_days(2));
    let available_on = before["available_on"].as_str().unwrap();
    assert!([early.as_str(), &late].contains(&available_on), "{before}");
    assert_eq!(update(&stack, &merchant, json!({"settlement_delay_days": 0})).await["settlement_delay_days"], 0);
    let (early, after, late) = (in_days(0), merchant.client.paid(1250, "USD").await, in_days(0));
    assert!([early.as_str(), &late].contains(&after["available_on"].as_str().unwrap()), "{after}");
    assert_eq!(merchant.client.payment(before["id"].as_str().unwrap()).await["available_on"], available_on);
    let balance = merchant.client.balance("USD").await;
    assert_eq!(balance, (1184, 1184));
}

/// The usage plans of the merchant's plan keys in the gateway, sorted.
fn plans(stack: &Stack, merchant: &Merchant) -> Vec<String> {
    let stored = std::fs::read_to_string(stack.data().join("state/plan_keys.json")).unwrap();
    let keys: Vec<Value> = serde_json::from_str(&stored).unwrap();
    let own = keys.iter().filter(|key| key["name"].as_str().unwrap().ends_with(&merchant.id));
    let mut plans: Vec<String> = own.map(|key| key["plan"].as_str().unwrap().to_owned()).collect();
    plans.sort();
    plans
}

#[tokio::test]
async fn a_new_plan_limits_the_merchants_requests() {
    let options = Options::new().knob("CACHE_SECONDS", 0).knob("STANDARD_PLAN_RATE", 1).knob("STANDARD_PLAN_BURST", 1);
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant_with(json!({"plan": "high"})).await;
    let statuses = async || {
        let answers = join_all((0..32).map(|_| merchant.client.get("/refunds/re_0"))).await;
        answers.iter().map(|answer| answer.status.as_u16()).collect::<BTreeSet<u16>>()
    };
    assert_eq!(statuses().await, BTreeSet::from([404]));
    let updated = update(&stack, &merchant, json!({"plan": "standard"})).await;
    assert_eq!((&updated["plan"], &updated["version"]), (&json!("standard"), &json!(2)), "{updated}");
    assert_eq!(statuses().await, BTreeSet::from([404, 429]));
    // Sent again and at once, back, and again: one key in each plan.
    let again = [json!({"plan": "standard"}), json!({"plan": "standard"}), json!({"plan": "high", "name": "Acme Inc"})];
    for (fields, version) in again.into_iter().zip([2, 2, 3]) {
        let (one, other) = join(update(&stack, &merchant, fields.clone()), update(&stack, &merchant, fields)).await;
        assert_eq!((&one["version"], &other["version"]), (&json!(version), &json!(version)));
        assert_eq!(plans(&stack, &merchant), ["HighPlan", "StandardPlan"]);
    }
    assert_eq!(statuses().await, BTreeSet::from([404]));
}

#[tokio::test]
async fn a_refused_change_makes_no_plan_key() {
    let stack = uncached().await;
    let merchant = stack.new_merchant_with(json!({"plan": "high"})).await;
    let fields = json!({"plan": "standard", "shards": 1});
    assert_eq!(refusal(&stack, &merchant, fields).await, "shards can't be lowered: there are 4 already.");
    assert_eq!(plans(&stack, &merchant), ["HighPlan"]);
}

#[tokio::test]
async fn a_change_of_the_plan_that_was_interrupted_is_completed() {
    let stack = Stack::start(Options::new().store_proxy().knob("CACHE_SECONDS", 0)).await;
    let merchant = stack.new_merchant_with(json!({"plan": "high"})).await;
    // The second key is in its plan, but the merchant is not stored.
    stack.store_proxy().fault(8, Matching::operation("TransactWriteItems"), Fault::Error("InternalServerError"));
    refusal(&stack, &merchant, json!({"plan": "standard"})).await;
    merchant.client.get("/balance").await.expect(200);
    stack.store_proxy().heal();
    assert_eq!(update(&stack, &merchant, json!({"plan": "standard"})).await["plan"], "standard");
    assert_eq!(plans(&stack, &merchant), ["HighPlan", "StandardPlan"]);
    merchant.client.get("/balance").await.expect(200);
}

/// Items that requests create and change, without the attributes that consumers set meanwhile.
async fn made(stack: &Stack) -> Vec<Item> {
    let mut items = stack.table().items().await;
    items.retain(|item| {
        let [pk, sk] = ["pk", "sk"].map(|name| item[name].as_str().unwrap());
        ["payment", "refund"].contains(&sk) || pk.ends_with("#webhooks") || pk.contains("#events#")
    });
    for item in &mut items {
        item.retain(|name, _| !["due", "due_at", "due_claims", "failing_since", "writer"].contains(&name.as_str()));
    }
    items
}

#[tokio::test]
async fn a_suspended_merchant_can_read_but_not_write() {
    let stack = uncached().await;
    let (merchant, other) = (stack.new_merchant().await, stack.new_merchant().await);
    let paid = merchant.client.paid(1250, "USD").await;
    let mut endpoint = merchant.client.create_webhook_endpoint("http://127.0.0.1:9/hook", &["*"]).await;
    assert_eq!(update(&stack, &merchant, json!({"suspended": true})).await["suspended"], true);
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    merchant.client.create_payment("order-2", &payment).await.expect_problem(403, "merchant_suspended");
    let stored = made(&stack).await;
    for endpoint in endpoints().iter().filter(|endpoint| endpoint.needs_active_merchant()) {
        endpoint.request(&merchant.client, &endpoint.path).send().await.expect_problem(403, "merchant_suspended");
    }
    assert_eq!(made(&stack).await, stored);
    assert_eq!(merchant.client.payment(paid["id"].as_str().unwrap()).await, paid);
    endpoint.as_object_mut().unwrap().remove("secret");
    assert_eq!(merchant.client.webhook_endpoint(endpoint["id"].as_str().unwrap()).await, endpoint);
    assert_eq!(merchant.client.balance("USD").await, (0, 1184));
    other.client.paid(1250, "USD").await;
    assert_eq!(update(&stack, &merchant, json!({"suspended": false})).await["suspended"], false);
    merchant.client.create_payment("order-2", &payment).await.expect(202);
    settled(&stack, &merchant.tenant(), 2).await;
}

/// Charges and posts 24 payments; returns the shards of all payments so far.
async fn charged(stack: &Stack, merchant: &Merchant) -> BTreeSet<u64> {
    let ids = join_all((0..PAYMENTS).map(|_| merchant.client.pay(1250, "USD", "tok_visa"))).await;
    for batch in ids.chunks(10) {
        let messages: Vec<Value> = batch.iter().map(|id| event::payment_message(&merchant.id, id)).collect();
        stack.invoke("call-processor", &event::sqs(&messages)).await.unwrap();
    }
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.faults(), Vec::<String>::new());
    books.payments.values().map(|payment| payment["shard"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_balance_stays_exact_when_shards_are_raised() {
    let options = Options::new().knob("CACHE_SECONDS", 0).knob("SHARDS_AHEAD_SECONDS", 0);
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let merchant = stack.new_merchant_with(json!({"shards": 1})).await;
    assert_eq!(charged(&stack, &merchant).await, BTreeSet::from([0]));
    assert_eq!(merchant.client.balance("USD").await, (0, 24 * 1184));

    let updated = update(&stack, &merchant, json!({"shards": 8})).await;
    let counts: Vec<&Value> = updated["shards"].as_array().unwrap().iter().map(|shards| &shards["count"]).collect();
    assert_eq!(counts, [1, 8], "{updated}");
    // 24 payments never share one of eight shards.
    assert!(charged(&stack, &merchant).await.len() > 2);
    assert_eq!(merchant.client.balance("USD").await, (0, 48 * 1184));

    let parts = [event::balance_message(&merchant.id, "USD"), event::balance_part_message(&merchant.id, "USD", 1)];
    let fold = event::sqs(&parts);
    for _ in 0..2 {
        stack.invoke("fold-balance", &fold).await.unwrap();
        assert_eq!(merchant.client.balance("USD").await, (0, 48 * 1184));
    }
    // All is folded: the sum in the balance item alone is exact too.
    let mut books = Books::read(&stack.table(), &merchant.tenant()).await;
    books.movements.clear();
    assert_eq!(books.kept()["USD"], (0, 48 * 1184));
}

#[tokio::test]
async fn raised_shards_wait_for_cached_readers() {
    // Although the required lead time is 0.
    let options = Options::new().knob("CACHE_SECONDS", 300).knob("SHARDS_AHEAD_SECONDS", 0);
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let merchant = stack.new_merchant_with(json!({"shards": 1})).await;
    // 300 s in the cache, 10 s for the authorizer, 10 s for a request, beside the write.
    let before = in_seconds(320);
    let updated = update(&stack, &merchant, json!({"shards": 8})).await;
    assert!(updated["shards"][1]["from"].as_str() >= Some(&before), "{updated}");
    assert_eq!(charged(&stack, &merchant).await, BTreeSet::from([0]));
}

#[tokio::test]
async fn an_invalid_change_is_refused_and_changes_nothing() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    update(&stack, &merchant, json!({"shards": 8})).await;
    let stored = stack.table().items().await;
    for (fields, told) in [
        (json!({}), "Give at least one of name, plan, currencies, settlement_delay_days, shards and suspended."),
        (json!({"currencies": {}, "name": null, "plan": null}), "Give at least one of name,"),
        (json!({"name": ""}), "again: /name must not be empty."),
        (fees("USD", 10_001, 0), "again: /currencies/USD/fee_basis_points must be a whole number from 0 to 10000,"),
        (fees("BGN", 1, 1), "BGN is not a current payment currency of ISO 4217"),
        (json!({"settlement_delay_days": 31}), "again: /settlement_delay_days must be a whole number from 0 to 30,"),
        (json!({"shards": 0}), "again: /shards must be a whole number from 1 to 256,"),
        (json!({"shards": 7}), "shards can't be lowered: there are 8 already."),
        // One invalid field refuses the whole change.
        (json!({"suspended": true, "shards": 4}), "shards can't be lowered: there are 8 already."),
        (json!({"merchant": "mer_00000000000000000000000000", "suspended": true}), "There is no merchant mer_0000"),
        (json!({"merchant": "nobody", "suspended": true}), "again: /merchant must be a merchant's id,"),
        (json!({"plan": "low"}), "again: /plan must be \"standard\" or \"high\"."),
        (json!({"plan": "standard", "shards": 4}), "shards can't be lowered: there are 8 already."),
        (json!({"reference": "other", "suspended": true}), "again: /reference is not a field of this request."),
        (fees("usd", 1, 1), "again: /currencies/usd is not a three-letter upper-case ISO 4217 currency code."),
    ] {
        let refusal = refusal(&stack, &merchant, fields.clone()).await;
        assert!(refusal.contains(told), "{fields} gave {refusal}");
    }
    assert_eq!(stack.table().items().await, stored);
}

#[tokio::test]
async fn a_repeated_change_writes_nothing() {
    let stack = Stack::start(Options::new().store_proxy()).await;
    let (merchant, other) = (stack.new_merchant().await, stack.new_merchant().await);
    let untouched = stack.table().item(&other.id, "merchant").await;
    let fields = json!({"name": "Acme Inc", "currencies": fees("USD", 100, 5)["currencies"],
        "settlement_delay_days": 3, "shards": 8, "suspended": true});
    let mut first = update(&stack, &merchant, fields.clone()).await;
    let stored = stack.table().items().await;
    stack.store_proxy().forget_calls();
    let mut again = update(&stack, &merchant, fields).await;
    assert_eq!(stack.store_proxy().count(&Matching::operation("TransactWriteItems")), 0);
    // Only `effective_at` differs.
    for answer in [&mut first, &mut again] {
        assert!(answer["effective_at"].take().is_string());
    }
    assert_eq!((&first["version"], &first["name"]), (&json!(2), &json!("Acme Inc")), "{first}");
    assert_eq!(again, first);
    assert_eq!(stack.table().items().await, stored);
    assert_eq!(stack.table().item(&other.id, "merchant").await, untouched);
}

#[tokio::test]
async fn two_concurrent_changes_both_apply() {
    let stack = Stack::start(Options::new().store_proxy()).await;
    let merchant = stack.new_merchant().await;
    let held = stack.store_proxy().hold(1, Matching::operation("TransactWriteItems").with("Overtaken Inc"));
    let other = async {
        held.reached(1).await;
        let updated = update(&stack, &merchant, json!({"suspended": true})).await;
        held.forward();
        updated
    };
    let (overtaken, other) = join(update(&stack, &merchant, json!({"name": "Overtaken Inc"})), other).await;
    assert_eq!((&other["version"], &other["name"], &other["suspended"]), (&json!(2), &json!("Acme"), &json!(true)));
    assert_eq!((&overtaken["version"], &overtaken["suspended"]), (&json!(3), &json!(true)));
    let stored = stack.table().item(&merchant.id, "merchant").await.unwrap();
    let held = (&stored["version"], &stored["name"], &stored["suspended"]);
    assert_eq!(held, (&json!(3), &json!("Overtaken Inc"), &json!(true)));
    // The attributes of indexes and of the plan are unchanged.
    assert!(stored.contains_key("plan_key") && stored.contains_key("listing"), "{stored:?}");
}

#[tokio::test]
async fn eight_conflicts_refuse_the_change() {
    let stack = Stack::start(Options::new().store_proxy()).await;
    let merchant = stack.new_merchant().await;
    let update = || Matching::operation("TransactWriteItems");
    stack.store_proxy().forget_calls();
    stack.store_proxy().fault(usize::MAX, update(), Fault::Canceled(0, "ConditionalCheckFailed"));
    let refusal = refusal(&stack, &merchant, json!({"suspended": true})).await;
    assert!(
        refusal.ends_with("was changed by other requests during each of 8 tries; send the same request again."),
        "{refusal}"
    );
    assert_eq!(stack.store_proxy().count(&update()), 8);
}

#[tokio::test]
async fn the_creation_request_returns_the_changed_merchant() {
    let stack = Stack::start(Options::new()).await;
    let creation = json!({"reference": unique(), "name": "Acme", "plan": "standard",
        "currencies": fees("USD", 290, 30)["currencies"], "settlement_delay_days": 2, "shards": 4});
    let id = stack.invoke("create-merchant", &creation).await.unwrap()["id"].clone();
    let fields = json!({"merchant": id, "name": "Acme Inc", "settlement_delay_days": 3});
    let mut updated = stack.invoke("update-merchant", &fields).await.unwrap();
    updated.as_object_mut().unwrap().remove("effective_at");
    assert_eq!(stack.invoke("create-merchant", &creation).await.unwrap(), updated);
    let mut other = creation.clone();
    other["settlement_delay_days"] = json!(3);
    let error = stack.invoke("create-merchant", &other).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().ends_with("was created with other settings."), "{error}");
}
