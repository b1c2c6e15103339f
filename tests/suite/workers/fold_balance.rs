//! `fold-balance`: its reads.

use serde_json::{Value, json};
use spillway_tests::{Options, Stack, Template, event, oracle};

/// The limits of each query for movements, in order.
fn limits(stack: &Stack) -> Vec<u64> {
    let calls = stack.store_proxy().calls().into_iter();
    let queries = calls.filter(|call| call.operation == "Query" && call.body.contains("move#USD"));
    queries.map(|call| serde_json::from_str::<Value>(&call.body).unwrap()["Limit"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_fold_reads_little_more_than_it_takes() {
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
    // Four shards make a part of the balance.
    let others = (1..SHARDS / 4).map(|part| event::balance_part_message(&merchant.id, "USD", part));
    let parts: Vec<Value> = [event::balance_message(&merchant.id, "USD")].into_iter().chain(others).collect();
    let mut folded = 0;
    for part in parts {
        stack.store_proxy().forget_calls();
        stack.invoke("fold-balance", &event::sqs(&[part])).await.unwrap();
        // Two reads of 500, a full fold, are 250 of each shard. The second read, which finds nothing new, also sees the
        // movements of the first.
        let limits = limits(&stack);
        assert_eq!((limits.len(), limits[..4].iter().sum::<u64>()), (8, 1000));
        folded += limits[4..].iter().sum::<u64>() - 1000;
    }
    assert_eq!(folded, 40);
    assert_eq!(merchant.client.balance("USD").await, (0, 1184 * 40));
}
