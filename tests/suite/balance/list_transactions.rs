//! `GET /v1/balance/transactions`

use futures::future::join_all;
use serde_json::{Value, json};
use spillway_tests::oracle::{figures, settled};
use spillway_tests::pages::{data, ids, walk};
use spillway_tests::{Options, Stack};

#[tokio::test]
async fn transactions_equal_the_journal_and_sum_to_the_balance() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let client = &merchant.client;
    let currencies = ["USD", "EUR", "USD", "JPY"];
    join_all(
        (0..40).map(async |n| client.pay(1000 + n, currencies[usize::try_from(n % 4).unwrap()], "tok_visa").await),
    )
    .await;
    let books = settled(&stack, &merchant.tenant(), 40).await;
    let shown = books.entries.iter().map(|entry| {
        let mut shown = json!(entry);
        let (amount, fee, net) = figures(entry);
        for (name, value) in [("amount", amount), ("fee", fee), ("net", net)] {
            shown[name] = json!(value);
        }
        shown
    });
    let mut journal: Vec<Value> = shown.collect();
    journal.sort_by_key(|entry| entry["id"].as_str().unwrap().to_owned());
    journal.reverse();

    // Exactly the journal, whatever the limit.
    let fields = ["id", "type", "currency", "amount", "fee", "net", "source", "available_on", "created_at"];
    for limit in (1..=100).step_by(3) {
        let pages = walk(client, "/balance/transactions", limit, "").await;
        let listed: Vec<&Value> = pages.iter().flatten().collect();
        assert_eq!(listed.len(), 40, "limit {limit}");
        for (transaction, entry) in listed.into_iter().zip(&journal) {
            assert_eq!(fields.map(|field| &transaction[field]), fields.map(|field| &entry[field]));
        }
    }

    // By currency, and net sums to the balance.
    for (currency, count) in [("USD", 20), ("EUR", 10), ("JPY", 10), ("KWD", 0)] {
        let pages = walk(client, "/balance/transactions", 3, &format!("&currency={currency}")).await;
        let listed: Vec<&Value> = pages.iter().flatten().collect();
        assert_eq!(listed.len(), count, "{currency}");
        let sum: i64 = listed.iter().map(|transaction| transaction["net"].as_i64().unwrap()).sum();
        assert_eq!(client.balance(currency).await, (0, sum), "{currency}");
    }

    // From an entry's own millisecond on, and before it.
    for entry in &journal {
        let at = entry["created_at"].as_str().unwrap();
        let since =
            |since: bool| journal.iter().filter(move |entry| (entry["created_at"].as_str().unwrap() >= at) == since);
        let from = client.get(&format!("/balance/transactions?limit=100&created_from={at}")).await.expect(200);
        assert_eq!(ids(data(&from)), ids(since(true)), "from {at}");
        let before = client.get(&format!("/balance/transactions?limit=100&created_before={at}")).await.expect(200);
        assert_eq!(ids(data(&before)), ids(since(false)), "before {at}");
    }
}
