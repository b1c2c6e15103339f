//! `fold-balance`: its calls, and what it does with what other folds left.

use futures::future::join;
use serde_json::{Value, json};
use spillway_tests::oracle::Books;
use spillway_tests::queues::copies;
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Merchant, Options, Stack, Template, event, oracle};

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
    for part in parts {
        stack.store_proxy().forget_calls();
        stack.invoke("fold-balance", &event::sqs(&[part])).await.unwrap();
        // Two reads of a third more than a full fold, 4 × 167. The movements of the first read are deleted before the
        // second.
        assert_eq!(limits(&stack), [167; 8]);
    }
    assert_eq!(merchant.client.balance("USD").await, (0, 1184 * 40));
}

async fn untriggered() -> (Stack, Merchant) {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant_with(json!({"shards": 8})).await;
    (stack, merchant)
}

/// Folds one part; returns the answer.
async fn fold(stack: &Stack, merchant: &Merchant, part: usize) -> Value {
    let message = match part {
        0 => event::balance_message(&merchant.id, "USD"),
        part => event::balance_part_message(&merchant.id, "USD", part),
    };
    stack.invoke("fold-balance", &event::sqs(&[message])).await.unwrap()
}

/// The balance by the balance items alone, after folds of both parts.
async fn folded(stack: &Stack, merchant: &Merchant) -> i64 {
    for part in 0..2 {
        assert_eq!(fold(stack, merchant, part).await, json!({"batchItemFailures": []}));
    }
    let mut books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.movements.len(), 0);
    books.movements.clear();
    books.kept()["USD"].1
}

/// A movement that is put straight into a shard, and its key.
async fn put_movement(stack: &Stack, merchant: &Merchant, shard: usize, amount: i64) -> String {
    let digits = "0123456789abcdefghjkmnpqrstvwxyz".as_bytes();
    let shard_digits: String = [shard / 32, shard % 32].iter().map(|digit| char::from(digits[*digit])).collect();
    let key = format!("USD#2099-01-01#txn_0123456789{shard_digits}{:0>14}", "m");
    let item = json!({"pk": {"S": format!("{}#movements#{shard}", merchant.tenant())},
        "sk": {"S": format!("move#{key}")}, "amount": {"N": amount.to_string()}, "source": {"S": "pay_x"},
        "request_id": {"S": "r"}, "schema": {"N": "1"}});
    stack.table().put(item).await;
    key
}

#[tokio::test]
async fn a_fold_that_loses_the_update_deletes_nothing() {
    let (stack, merchant) = untriggered().await;
    for shard in 0..4 {
        put_movement(&stack, &merchant, shard, 7).await;
    }
    let deletions = Matching::operation("BatchWriteItem");
    let late = stack.store_proxy().hold(1, Matching::operation("UpdateItem").with("#balances"));
    let other = async {
        late.reached(1).await;
        // The late one is the only fold whose update is held.
        fold(&stack, &merchant, 0).await;
        let by_the_winner = stack.store_proxy().count(&deletions);
        late.forward();
        by_the_winner
    };
    let (answer, by_the_winner) = join(fold(&stack, &merchant, 0), other).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!((by_the_winner, stack.store_proxy().count(&deletions)), (1, 1));
    assert_eq!(folded(&stack, &merchant).await, 4 * 7);
}

#[tokio::test]
async fn a_fold_deletes_what_a_stopped_fold_left() {
    let (stack, merchant) = untriggered().await;
    put_movement(&stack, &merchant, 0, 7).await;
    stack.store_proxy().fault(usize::MAX, Matching::operation("BatchWriteItem"), Fault::Error("InternalServerError"));
    let answer = fold(&stack, &merchant, 0).await;
    assert_ne!(answer, json!({"batchItemFailures": []}));
    stack.store_proxy().heal();
    let left = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!((left.movements.len(), left.kept()["USD"]), (1, (0, 7)));
    // Without a new movement the list stays. With one, it is carried over and then deleted.
    fold(&stack, &merchant, 0).await;
    assert_eq!(merchant.client.balance("USD").await, (0, 7));
    put_movement(&stack, &merchant, 1, 50).await;
    assert_eq!(merchant.client.balance("USD").await, (0, 57));
    assert_eq!(folded(&stack, &merchant).await, 57);
}

/// Release 0.1.0 folded all shards into the first part. A fold there may have stopped before its deletions.
#[tokio::test]
async fn movements_in_the_first_parts_list_are_not_folded_into_another() {
    for first in [0, 1] {
        let (stack, merchant) = untriggered().await;
        let keys = [put_movement(&stack, &merchant, 0, 7).await, put_movement(&stack, &merchant, 5, 50).await];
        let list = json!({":list": {"L": keys.iter().map(|key| json!({"S": key})).collect::<Vec<Value>>()},
            ":pending": {"M": {"2099-01-01": {"N": "57"}}}, ":one": {"N": "1"}});
        let balances = format!("{}#balances", merchant.tenant());
        let update = "SET folding = :list, pending = :pending, seq = :one";
        stack.table().update(&balances, "USD", update, list).await;
        assert_eq!(merchant.client.balance("USD").await, (0, 57));
        // One more in each part, so that both parts are folded.
        put_movement(&stack, &merchant, 2, 100).await;
        put_movement(&stack, &merchant, 6, 300).await;
        fold(&stack, &merchant, first).await;
        assert_eq!(merchant.client.balance("USD").await, (0, 457));
        put_movement(&stack, &merchant, 1, 1000).await;
        assert_eq!(folded(&stack, &merchant).await, 1457);
        assert_eq!(merchant.client.balance("USD").await, (0, 1457));
    }
}

#[tokio::test]
async fn a_balance_is_due_before_its_first_movement() {
    let (stack, merchant) = untriggered().await;
    let due = async |item: &str, currency: &str| {
        let item = stack.table().item(&format!("{item}#balances#1"), currency).await;
        item.is_some_and(|item| item.contains_key("due_at"))
    };
    for mode in ["test", "live"] {
        assert!(due(&format!("{}#{mode}", merchant.id), "USD").await, "{mode}");
    }
    // A lost message: the movement is found by the balance's due time.
    put_movement(&stack, &merchant, 5, 50).await;
    let past = json!({":past": {"S": "2026-01-31T12:00:00.000Z"}});
    stack.table().update(&format!("{}#balances#1", merchant.tenant()), "USD", "SET due_at = :past", past).await;
    stack.run_due().await;
    let queues = stack.queues();
    assert_eq!(queues.depth(&queues.url("FoldsQueue").await).await, copies());
    // Also in a currency that is added later.
    let change = json!({"operator": "jroe", "merchant": merchant.id, "shards": 12, "currencies": {"GBP":
        {"fee_basis_points": 0, "fee_fixed": 7}}});
    stack.invoke("update-merchant", &change).await.unwrap();
    let parts = ["#balances", "#balances#2"].map(|part| format!("{}{part}", merchant.tenant()));
    for pk in parts {
        let item = stack.table().item(&pk, "GBP").await.unwrap();
        assert_eq!((&item["seq"], item.contains_key("due_at")), (&json!(0), true));
    }
}
