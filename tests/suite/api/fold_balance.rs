//! `fold-balance`: what a fold reads.

use serde_json::{Value, json};
use spillway_tests::{Options, Stack, Template, event, oracle};

/// How many movements each query of folds asked for, in their order.
fn limits(stack: &Stack) -> Vec<u64> {
    let calls = stack.store_proxy().calls().into_iter();
    let queries = calls.filter(|call| call.operation == "Query" && call.body.contains("move#USD"));
    queries.map(|call| serde_json::from_str::<Value>(&call.body).unwrap()["Limit"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_fold_over_many_shards_reads_about_as_much_as_it_takes() {
    const SHARDS: usize = 16;
    const PAYMENTS: usize = 40;
    let options = Options::new().template(Template::without_events(&["FoldBalance"])).store_proxy().unkilled();
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant_with(json!({"shards": SHARDS})).await;
    for _ in 0..PAYMENTS {
        merchant.client.pay(1250, "USD", "tok_visa").await;
    }
    oracle::settled(&stack, &merchant.tenant(), PAYMENTS).await;
    stack.store_proxy().forget_calls();
    let message = event::sqs(&[event::balance_message(&merchant.id, "USD")]);
    stack.invoke("fold-balance", &message).await.unwrap();
    assert_eq!(merchant.client.balance("USD").await, (0, 1184 * 40));
    // Twice 500, which is a full fold, are 63 of each shard. The second look, which finds nothing new, sees the 40 of the
    // first beside, wherever they are.
    let limits = limits(&stack);
    assert_eq!(limits.len(), 2 * SHARDS);
    assert_eq!(limits[..SHARDS].iter().sum::<u64>(), 1008);
    assert_eq!(limits[SHARDS..].iter().sum::<u64>(), 1048);
}
