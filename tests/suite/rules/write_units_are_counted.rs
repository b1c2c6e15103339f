//! A payment costs at most 18 write units, and 17 with full folds, as the store reports them: with one webhook endpoint
//! and items of at most 1 KB, step by step as in ARCHITECTURE.md's table.

use std::fs;
use std::path::Path;

use serde_json::json;
use spillway_tests::client::unique;
use spillway_tests::receiver::Receiver;
use spillway_tests::units::{Cost, Steps, walk};
use spillway_tests::{Merchant, Options, Stack, Template};

/// Movements in a fold.
const FOLD: u64 = 500;

/// Least and most write units of a step in ARCHITECTURE.md's table.
fn documented(step: &str) -> (u64, u64) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md")).unwrap();
    let mut rows = text.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<&str>>());
    let row = rows.find(|cells| cells.len() == 7 && cells[1] == step).unwrap_or_else(|| panic!("no step {step}"));
    let (least, most) = row[4].split_once('–').unwrap_or((row[4], row[4]));
    (least.parse().unwrap(), most.parse().unwrap())
}

const CREATE: &str = "2";
const RESULT: &str = "5";
const DELIVERY: &str = "6";
const BALANCE: &str = "7";

async fn stack_and_merchant() -> (Stack, Merchant, Receiver) {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    (stack, merchant, receiver)
}

/// In every step but the fold, the payments write the documented units.
fn each_step_writes_what_it_may(steps: &Steps, payments: u64) {
    let units = |cost: Cost| cost.write_units;
    let written = [steps.create, steps.result, steps.delivery].map(units);
    let expected = [CREATE, RESULT, DELIVERY].map(documented);
    assert_eq!(written, expected.map(|(_, most)| most * payments), "{steps:?}");
}

#[tokio::test]
async fn a_single_payment_writes_at_most_18_units() {
    let (stack, merchant, _receiver) = stack_and_merchant().await;
    let (least, most) = documented(BALANCE);
    for _ in 0..2 {
        let steps = walk(&stack, &merchant, 1).await;
        each_step_writes_what_it_may(&steps, 1);
        assert_eq!((steps.fold.write_units, steps.deletions.write_units), (1, 1), "{steps:?}");
        assert_eq!(steps.fold.write_units + steps.deletions.write_units, most);
    }
    // In a full fold a payment's share of the balance is close to 0, and its movement is deleted.
    assert_eq!(least, 1);
    let at_most: u64 = [CREATE, RESULT, DELIVERY, BALANCE].map(|step| documented(step).1).iter().sum();
    assert_eq!(at_most, 18);
}

#[tokio::test]
async fn reference_and_customer_write_a_unit_each() {
    let (stack, merchant, _receiver) = stack_and_merchant().await;
    merchant.client.get("/balance").await.expect(200);
    let (_, plain) = documented(CREATE);
    for (more, fields) in
        [(0, json!({})), (1, json!({"reference": "1001"})), (2, json!({"reference": "1", "customer": "c"}))]
    {
        let mut payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
        payment.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        stack.store_proxy().start_metering();
        merchant.client.create_payment(&unique(), &payment).await.expect(202);
        assert_eq!(Cost::of(&stack.store_proxy().take_consumed()).write_units, plain + more, "{payment}");
    }
}

#[tokio::test]
async fn payments_of_a_full_fold_write_17_units_each() {
    let (stack, merchant, _receiver) = stack_and_merchant().await;
    let full = walk(&stack, &merchant, usize::try_from(FOLD).unwrap()).await;
    each_step_writes_what_it_may(&full, FOLD);
    assert_eq!(full.deletions.write_units, FOLD, "{full:?}");
    // The balance lists the folded movements, 46 bytes each: about 23 KB, once for all.
    let balance = full.fold.write_units;
    assert!((23..=25).contains(&balance), "{full:?}");
}
