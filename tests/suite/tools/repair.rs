//! The programs behind `make compare`, `make repair` and `make plan-keys`.

use serde_json::{Value, json};
use spillway_tests::make::{self, Output};
use spillway_tests::store_proxy::Matching;
use spillway_tests::table::Table;
use spillway_tests::{Merchant, Options, Stack, Template, event};

/// The result of an operators' program, whose store is at `dynamodb`.
async fn operate(stack: &Stack, dynamodb: &str, program: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = make::command(Stack::runner().with_file_name(program));
    let api = stack.base_url().trim_end_matches("/v1");
    command.envs([("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local"), ("AWS_REGION", "us-east-1")]);
    command.envs([("AWS_ENDPOINT_URL_DYNAMODB", dynamodb), ("AWS_ENDPOINT_URL_API_GATEWAY", api)]);
    command.envs(variables.iter().copied());
    make::output(command).await
}

/// The last line that `repair` prints about the tables of the stack.
async fn repair(stack: &Stack, variables: &[(&str, &str)]) -> String {
    let table = stack.table();
    let variables = [&[("FROM", "restored"), ("TO", table.name())], variables].concat();
    let output = operate(stack, stack.dynamodb_url(), "repair", &variables).await;
    assert!(output.succeeded && output.stderr.is_empty(), "{output:#?}");
    output.stdout.lines().last().unwrap().to_owned()
}

/// All items of the table in DynamoDB's JSON.
async fn raw_items(table: &Table) -> Vec<Value> {
    let page = table.call("Scan", json!({"ConsistentRead": true})).await;
    assert_eq!(page.get("LastEvaluatedKey"), None);
    page["Items"].as_array().unwrap().clone()
}

/// A second table with the same items, as a restore makes it.
async fn restored(stack: &Stack) -> Table {
    let restored = Table::of(&json!({"dynamodb_url": stack.dynamodb_url(), "table": "restored"})).unwrap();
    let keys = json!([{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]);
    let types = json!([{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}]);
    let request = json!({"KeySchema": keys, "AttributeDefinitions": types, "BillingMode": "PAY_PER_REQUEST"});
    restored.call("CreateTable", request).await;
    restored.put_all(&raw_items(&stack.table()).await).await;
    restored
}

/// A payment of 12.50 USD that is captured. Its movement of 11.84 is not folded.
async fn captured(stack: &Stack, merchant: &Merchant) -> String {
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
    id
}

async fn fold(stack: &Stack, merchant: &Merchant) {
    stack.invoke("fold-balance", &event::sqs(&[event::balance_message(&merchant.id, "USD")])).await.unwrap();
}

/// The key of the item whose sort key begins with `prefix` and that this payment caused.
async fn caused(stack: &Stack, payment: &str, prefix: &str) -> Value {
    let items = stack.table().items().await;
    let is_it = |sk: &str, source: &Value| sk.starts_with(prefix) && source == payment;
    let found =
        items.iter().find(|item| is_it(item["sk"].as_str().unwrap(), item.get("source").unwrap_or(&Value::Null)));
    let found = found.unwrap_or_else(|| panic!("{payment} caused no {prefix}"));
    json!({"pk": {"S": found["pk"]}, "sk": {"S": found["sk"]}})
}

#[tokio::test]
async fn damaged_items_are_written_back_and_later_ones_stay() {
    let stack = Stack::start(Options::new().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    // The second fold deletes the movement of the first, so that only the balance has its amount.
    let one = captured(&stack, &merchant).await;
    fold(&stack, &merchant).await;
    let two = captured(&stack, &merchant).await;
    fold(&stack, &merchant).await;
    let three = captured(&stack, &merchant).await;
    restored(&stack).await;
    // Life goes on: one more payment.
    captured(&stack, &merchant).await;
    assert_eq!(merchant.client.balance("USD").await, (0, 4 * 1184));
    assert!(repair(&stack, &[]).await.starts_with("0 items can be written back, 0 refused"));

    let table = stack.table();
    let sound = raw_items(&table).await;
    let tenant = merchant.tenant();
    let payment = |id: &str| json!({"Key": {"pk": {"S": format!("{tenant}#{id}")}, "sk": {"S": "payment"}}});
    table.call("DeleteItem", payment(&one)).await;
    let captured = json!({":one": {"N": "1"}});
    table.update(&format!("{tenant}#{two}"), "payment", "SET amount_captured = :one", captured).await;
    let balance = json!({"pk": {"S": format!("{tenant}#balances")}, "sk": {"S": "USD"}});
    table.call("DeleteItem", json!({"Key": balance})).await;
    for prefix in ["txn_", "move#"] {
        table.call("DeleteItem", json!({"Key": caused(&stack, &three, prefix).await})).await;
    }

    let damaged = raw_items(&table).await;
    assert_eq!(repair(&stack, &[]).await, "5 items can be written back, 0 refused, 0 moved on; all books agree");
    assert_eq!(raw_items(&table).await, damaged, "without WRITE=1 nothing is written");
    let about_one = repair(&stack, &[("ID", one.as_str())]).await;
    // Alone it must not be written back: the other damage still breaks the books.
    assert!(about_one.starts_with("0 items can be written back, 1 refused"), "{about_one}");
    let written = repair(&stack, &[("WRITE", "1")]).await;
    assert_eq!(written, "5 items were written back, 0 refused, 0 moved on; all books agree");

    assert_eq!(repair(&stack, &[]).await, "0 items can be written back, 0 refused, 0 moved on; all books agree");
    let without_writer = |items: Vec<Value>| {
        let mut items: Vec<Value> = items
            .into_iter()
            .map(|mut item| {
                item.as_object_mut().unwrap().remove("writer");
                item
            })
            .collect();
        items.sort_by_key(Value::to_string);
        items
    };
    assert_eq!(without_writer(raw_items(&table).await), without_writer(sound));
    fold(&stack, &merchant).await;
    assert_eq!(merchant.client.balance("USD").await, (0, 4 * 1184));
}

#[tokio::test]
async fn an_item_that_changes_during_the_repair_is_not_overwritten() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let id = captured(&stack, &merchant).await;
    restored(&stack).await;
    let (table, pk) = (stack.table(), format!("{}#{id}", merchant.tenant()));
    table.update(&pk, "payment", "SET amount_captured = :n", json!({":n": {"N": "1"}})).await;

    let held = stack.store_proxy().hold(1, Matching::operation("PutItem").with(&pk));
    let (url, name) = (stack.store_proxy().url(), table.name().to_owned());
    let variables = [("FROM", "restored"), ("TO", name.as_str()), ("WRITE", "1")];
    let changes = async {
        held.reached(1).await;
        table.update(&pk, "payment", "SET amount_captured = :n", json!({":n": {"N": "2"}})).await;
        held.forward();
    };
    let (output, ()) = futures::future::join(operate(&stack, &url, "repair", &variables), changes).await;
    assert!(!output.succeeded && output.stderr.contains(&id), "{output:#?}");
    assert!(output.stderr.trim_end().ends_with("Run the repair again."), "{output:#?}");
    assert_eq!(table.item(&pk, "payment").await.unwrap()["amount_captured"], 2);
}

#[tokio::test]
async fn a_folded_movement_is_never_put_back() {
    let stack = Stack::start(Options::new().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    captured(&stack, &merchant).await;
    let restored = restored(&stack).await;
    let movements = format!("{}#movements#", merchant.tenant());
    let is_movement = |item: &&Value| item["pk"]["S"].as_str().unwrap().starts_with(&movements);
    assert_eq!(raw_items(&restored).await.iter().filter(is_movement).count(), 1);
    // Two folds: the first adds the movement, the second deletes it.
    fold(&stack, &merchant).await;
    captured(&stack, &merchant).await;
    fold(&stack, &merchant).await;
    let written = repair(&stack, &[("WRITE", "1")]).await;
    assert!(written.starts_with("0 items were written back, 0 refused"), "{written}");
    fold(&stack, &merchant).await;
    assert_eq!(merchant.client.balance("USD").await, (0, 2 * 1184));
}

#[tokio::test]
async fn plan_keys_of_an_adopted_table_join_the_usage_plans() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    merchant.client.get("/payments").await.expect(200);
    // As on a table whose merchant has no key in the usage plans of this stack.
    let unknown = json!({":key": {"S": "0".repeat(40)}});
    stack.table().update(&merchant.id, "merchant", "SET plan_key = :key", unknown).await;
    let key = stack.new_key(&merchant.id, json!({"reference": "after"})).await;
    key.get("/payments").await.expect_problem(403, "forbidden");

    let table = stack.table();
    let variables = [("TABLE", table.name()), ("STANDARD_PLAN_ID", "StandardPlan"), ("HIGH_PLAN_ID", "HighPlan")];
    for _ in 0..2 {
        let output = operate(&stack, stack.dynamodb_url(), "plan-keys", &variables).await;
        assert!(output.succeeded && output.stderr.is_empty(), "{output:#?}");
        assert!(output.stdout.ends_with("merchants have their plan keys in the usage plans of the stack.\n"));
        key.get("/payments").await.expect(200);
    }
}
