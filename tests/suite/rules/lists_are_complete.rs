//! A list is complete, each item once, newest first: with every limit, during concurrent inserts, across a raise of the
//! shards, and with selective filters.

use std::collections::BTreeSet;

use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use spillway_tests::pages::{cursor, data, ids, walk};
use spillway_tests::store_proxy::{Fault, Held, Matching, StoreProxy};
use spillway_tests::{Client, Options, Stack, Template, unique};

const PAYMENTS: usize = 237;

/// A stack whose plans do not limit the lists: tests read thousands of pages.
fn options() -> Options {
    Options::new().knob("HIGH_PLAN_LIST_RATE", 100_000)
}
/// Number of concurrent walks.
const WALKS: usize = 4;

/// Creates payments concurrently; returns them as accepted.
async fn create(client: &Client, count: usize) -> Vec<Value> {
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let created = join_all((0..count).map(async |_| client.create_payment(&unique(), &payment).await)).await;
    created.into_iter().map(|answer| answer.expect(202).body).collect()
}

/// The ids of payments, newest first.
fn newest_first(mut payments: Vec<Value>) -> Vec<String> {
    payments
        .sort_by_key(|payment| [&payment["created_at"], &payment["id"]].map(|text| text.as_str().unwrap().to_owned()));
    ids(payments.iter().rev())
}

/// Walks the list with every limit from 1 to 100: it has all of `expected`, in full pages and a last one.
async fn comes_out_for_every_limit(client: &Client, expected: &[String]) {
    let walks = stream::iter(1..=100).map(async |limit| {
        let pages = walk(client, "/payments", limit, "").await;
        let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
        let full = expected.chunks(limit).map(<[String]>::len).collect::<Vec<usize>>();
        assert_eq!(sizes, full, "limit {limit}");
        assert_eq!(ids(pages.iter().flatten()), expected, "limit {limit}");
    });
    walks.buffer_unordered(WALKS).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn concurrent_payments_are_listed_with_every_limit() {
    let stack = Stack::start(options().template(Template::without_triggers())).await;
    let client = stack.new_merchant().await.client;
    let expected = newest_first(create(&client, PAYMENTS).await);
    comes_out_for_every_limit(&client, &expected).await;
}

#[tokio::test]
async fn existing_payments_are_listed_once_while_new_ones_arrive() {
    let stack = Stack::start(options().template(Template::without_triggers())).await;
    let client = stack.new_merchant().await.client;
    let mut there = newest_first(create(&client, PAYMENTS).await);
    for limit in 1..=100 {
        let mut seen: Vec<String> = Vec::new();
        let mut arrived = Vec::new();
        let mut next = Some(format!("/payments?limit={limit}"));
        while let Some(path) = next.take() {
            // A payment arrives with each of the first pages, before, during or after its read.
            let one = usize::from(arrived.len() < 3);
            let (answer, new) = tokio::join!(client.get(&path), create(&client, one));
            let answer = answer.expect(200);
            seen.extend(ids(data(&answer)));
            next = cursor(&answer).map(|cursor| format!("/payments?limit={limit}&cursor={cursor}"));
            arrived.extend(new);
        }
        let arrived = newest_first(arrived);
        let old: Vec<String> = seen.iter().filter(|id| !arrived.contains(id)).cloned().collect();
        assert_eq!(old, there, "limit {limit}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "limit {limit}: twice");
        there.splice(0..0, arrived);
    }
}

#[tokio::test]
async fn lists_stay_complete_when_shards_are_raised() {
    let options = options().knob("CACHE_SECONDS", 0).knob("SHARDS_AHEAD_SECONDS", 0);
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let client = &merchant.client;
    let mut payments = create(client, 120).await;
    // A cursor from before the raise still works.
    let before = client.get("/payments?limit=50").await.expect(200);
    stack.invoke("update-merchant", &json!({"merchant": merchant.id, "shards": 16})).await.unwrap();
    let rest = client.get(&format!("/payments?limit=100&cursor={}", cursor(&before).unwrap())).await.expect(200);
    payments.extend(create(client, PAYMENTS - 120).await);

    let expected = newest_first(payments);
    assert_eq!(ids(data(&before).iter().chain(data(&rest))), expected[PAYMENTS - 120..]);
    let stored = stack.table().items().await;
    let shards = stored.iter().filter(|item| item.get("sk") == Some(&json!("payment"))).map(|item| &item["shard"]);
    let shards: BTreeSet<u64> = shards.map(|shard| shard.as_u64().unwrap()).collect();
    assert!(shards.len() > 8 && shards.contains(&0), "payments are on shards {shards:?}");
    comes_out_for_every_limit(client, &expected).await;
}

/// Copies of one payment of the merchant, spread over its shards: the `n`th is created `n` ms after noon, with the
/// status that `status` returns.
async fn plant(stack: &Stack, tenant: &str, count: usize, status: impl Fn(usize) -> &'static str) {
    plant_on(stack, tenant, 4, count, status).await;
}

/// The same on the first `shards` shards.
async fn plant_on(stack: &Stack, tenant: &str, shards: usize, count: usize, status: impl Fn(usize) -> &'static str) {
    plant_with(stack, tenant, shards, count, |n, item| item["status"] = json!({"S": status(n)})).await;
}

/// The same; `change` adapts each item.
pub(super) async fn plant_with(
    stack: &Stack, tenant: &str, shards: usize, count: usize, change: impl Fn(usize, &mut Value),
) {
    let merchant = stack.client(stack.developers_key());
    let id = merchant.pay(1250, "USD", "tok_visa").await;
    let like = stack.table().raw_item(&format!("{}#test#{id}", stack.developers_merchant()), "payment").await;
    let copies: Vec<Value> = (0..count)
        .map(|n| {
            let (mut item, id, at) = (like.clone(), planted(n), noon_and(n));
            for name in ["due", "due_at", "due_claims"] {
                item.as_object_mut().unwrap().remove(name);
            }
            let changed = [
                ("pk", format!("{tenant}#{id}")),
                ("listing", format!("{tenant}#payments#{}", n % shards)),
                ("listing_at", format!("{at}#{id}")),
                ("owner", tenant.to_owned()),
                ("created_at", at),
                ("id", id),
            ];
            for (name, value) in changed {
                item[name] = json!({"S": value});
            }
            change(n, &mut item);
            item
        })
        .collect();
    stack.table().put_all(&copies).await;
}

fn planted(n: usize) -> String {
    format!("pay_{n:026}")
}

fn noon_and(ms: usize) -> String {
    format!("2026-01-31T12:{:02}:{:02}.{:03}Z", ms / 60_000, ms / 1000 % 60, ms % 1000)
}

/// Number of items read by key.
fn keys_read(proxy: &StoreProxy) -> usize {
    let calls = proxy.calls().into_iter().filter(|call| call.operation == "BatchGetItem");
    calls.map(|call| call.body.matches("\"pk\"").count()).sum()
}

#[tokio::test]
async fn a_page_searches_ten_items_more_than_its_limit() {
    let stack = Stack::start(options().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let count = 100;
    // By their place in the list, newest first.
    let rare = [0, 18, 19, 20, 50, 99];
    plant(&stack, &merchant.tenant(), count, |n| if rare.contains(&(count - 1 - n)) { "failed" } else { "succeeded" })
        .await;
    let of = |places: &[usize]| places.iter().map(|place| planted(count - 1 - place)).collect::<Vec<String>>();

    // 20 items each; the list ends with the last of the fifth page.
    let by_ten = [&[0, 18, 19][..], &[20], &[50], &[], &[99]];
    // 12 items each, from 0 and 12 on. The second page is full; item 20 begins the third. The others begin at 32, 44, 56,
    // 68, 80 and 92.
    let by_two = [&[0][..], &[18, 19], &[20], &[], &[50], &[], &[], &[], &[99]];
    for (limit, expected) in [(10, &by_ten[..]), (2, &by_two[..])] {
        let mut next = Some(format!("/payments?status=failed&limit={limit}"));
        for (page, places) in expected.iter().enumerate() {
            stack.store_proxy().forget_calls();
            let answer = merchant.client.get(&next.unwrap()).await.expect(200);
            assert_eq!(ids(data(&answer)), of(places), "page {page} by {limit}");
            let read = keys_read(stack.store_proxy());
            assert!(read <= limit + 10, "{read} candidates for page {page} by {limit}");
            next = cursor(&answer).map(|cursor| format!("/payments?limit={limit}&cursor={cursor}"));
        }
        assert_eq!(next, None, "the list by {limit} goes on");
    }

    // A filter that most items pass ends a page early: the first 11 have 10 that pass, the next 9 one more.
    let answer = merchant.client.get("/payments?status=succeeded").await.expect(200);
    assert_eq!(ids(data(&answer)), of(&(1..=10).collect::<Vec<_>>()));
}

#[tokio::test]
async fn time_bounds_are_exact_to_the_millisecond() {
    let stack = Stack::start(options().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    plant(&stack, &merchant.tenant(), 6, |_| "succeeded").await;
    // A second item in the millisecond of the third, on another shard.
    let (twin, at) = ("pay_zzzzzzzzzzzzzzzzzzzzzzzzzz", noon_and(2));
    let mut item = stack.table().raw_item(&format!("{}#{}", merchant.tenant(), planted(2)), "payment").await;
    for (name, value) in [
        ("pk", format!("{}#{twin}", merchant.tenant())),
        ("listing", format!("{}#payments#0", merchant.tenant())),
        ("listing_at", format!("{at}#{twin}")),
        ("id", twin.to_owned()),
    ] {
        item[name] = json!({"S": value});
    }
    stack.table().put(item).await;

    let all = [planted(5), planted(4), planted(3), twin.to_owned(), planted(2), planted(1), planted(0)];
    let bounds = |from: Option<usize>, before: Option<usize>| {
        let bound = |name, ms: Option<usize>| ms.map_or(String::new(), |ms| format!("&{name}={}", noon_and(ms)));
        format!("{}{}", bound("created_from", from), bound("created_before", before))
    };
    for (from, before, expected) in [
        (None, None, &all[..]),
        (Some(2), None, &all[..5]),
        (Some(3), None, &all[..3]),
        (None, Some(2), &all[5..]),
        (None, Some(3), &all[3..]),
        (Some(2), Some(3), &all[3..5]),
        (Some(2), Some(5), &all[1..5]),
        (Some(6), None, &[]),
        (None, Some(0), &[]),
    ] {
        for limit in 1..=8 {
            let pages = walk(&merchant.client, "/payments", limit, &bounds(from, before)).await;
            assert_eq!(ids(pages.iter().flatten()), expected, "{from:?} to {before:?} by {limit}");
            assert_eq!(pages.len(), expected.len().div_ceil(limit).max(1), "{from:?} to {before:?} by {limit}");
        }
    }
    // The same instant with an offset.
    let offset = "&created_from=2026-01-31T14:00:00.003%2B02:00";
    let pages = walk(&merchant.client, "/payments", 10, offset).await;
    assert_eq!(ids(pages.iter().flatten()), all[..3]);
}

/// Operations of a request in order; strongly consistent ones are marked.
async fn operations(stack: &Stack, client: &Client, path: &str) -> Vec<String> {
    stack.store_proxy().forget_calls();
    client.get(path).await.expect(200);
    let strong = |body: &str| if body.contains("\"ConsistentRead\":true") { "!" } else { "" };
    stack.store_proxy().calls().iter().map(|call| call.operation.clone() + strong(&call.body)).collect()
}

#[tokio::test]
async fn a_page_costs_one_query_per_shard_and_one_batch_read() {
    let stack = Stack::start(options().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    plant(&stack, &merchant.tenant(), 40, |_| "succeeded").await;
    // The first request fills the gateway's cache of the authorizer's answer.
    let first = merchant.client.get("/payments").await.expect(200);
    let second = format!("/payments?cursor={}", cursor(&first).unwrap());
    for path in ["/payments?limit=10", second.as_str()] {
        let calls = operations(&stack, &merchant.client, path).await;
        assert_eq!(calls, ["Query", "Query", "Query", "Query", "BatchGetItem!"], "{path}");
        assert_eq!(keys_read(stack.store_proxy()), 10, "{path}");
    }
    assert_eq!(operations(&stack, &merchant.client, "/balance/transactions").await, ["Query!"; 4]);

    // A future raise is read already: a writer's clock may be ahead.
    stack.invoke("update-merchant", &json!({"merchant": merchant.id, "shards": 6})).await.unwrap();
    let fresh = stack.new_key(&merchant.id, json!({})).await;
    fresh.get("/payments").await.expect(200);
    let calls = operations(&stack, &fresh, "/payments").await;
    assert_eq!(calls.iter().filter(|call| *call == "Query").count(), 6, "{calls:?}");
}

#[tokio::test]
async fn reference_and_customer_have_their_own_index() {
    let stack = Stack::start(options().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let tenant = merchant.tenant();
    // A hundred payments of the customer, every fifth with the reference; and twenty of another customer with it.
    let (mine, named) = (|n: usize| n < 100, |n: usize| n >= 100 || n.is_multiple_of(5));
    plant_with(&stack, &tenant, 4, 120, |n, item| {
        let shard = n % 4;
        let mut found_by = |name: &str, value: &str| {
            item["asked"]["M"][name] = json!({"S": value});
            item[&format!("by_{name}")] = json!({"S": format!("{tenant}#{name}#{value}#{shard}")});
        };
        found_by("customer", if mine(n) { "cus_77" } else { "cus_78" });
        if named(n) {
            found_by("reference", "order-1001");
        }
    })
    .await;
    let expected = |has: &dyn Fn(usize) -> bool| (0..120).rev().filter(|n| has(*n)).map(planted).collect::<Vec<_>>();
    let both = |n| mine(n) && named(n);
    for (filters, expected, index) in [
        ("&reference=order-1001", expected(&named), "reference"),
        ("&customer=cus_77", expected(&mine), "customer"),
        ("&customer=cus_77&reference=order-1001", expected(&both), "reference"),
    ] {
        for limit in [1, 7, 20, 40, 100] {
            let pages = walk(&merchant.client, "/payments", limit, filters).await;
            assert_eq!(ids(pages.iter().flatten()), expected, "{filters} by {limit}");
            // With one value every item passes, so every page is full.
            if filters.matches('=').count() == 1 {
                assert_eq!(pages.len(), expected.len().div_ceil(limit), "{filters} by {limit}");
            }
        }
        let page = format!("/payments?limit=20{filters}");
        let calls = operations(&stack, &merchant.client, &page).await;
        assert_eq!(calls[..5], ["Query", "Query", "Query", "Query", "BatchGetItem!"], "{page}");
        let of_index = Matching::operation("Query").with(&format!("\"IndexName\":\"{index}\""));
        let queries = calls.iter().filter(|call| *call == "Query").count();
        assert_eq!(stack.store_proxy().count(&of_index), queries, "{page}");
    }
    // One index alone is read directly. With the second value, the first 11 and then 9 items of that reference are
    // read, all of the other customer.
    for (filters, read) in [("customer=cus_77", 10), ("customer=cus_77&reference=order-1001", 20)] {
        stack.store_proxy().forget_calls();
        merchant.client.get(&format!("/payments?{filters}")).await.expect(200);
        assert_eq!(keys_read(stack.store_proxy()), read, "{filters}");
    }
}

#[tokio::test]
async fn a_page_of_all_read_items_knows_whether_more_follow() {
    let stack = Stack::start(options().template(Template::without_triggers())).await;
    // One of 64 shards has all items and is read four rows at a time: a page of 16 takes the last row that was read.
    let merchant = stack.new_merchant_with(json!({"shards": 64})).await;
    plant_on(&stack, &merchant.tenant(), 1, 40, |_| "succeeded").await;
    let pages = walk(&merchant.client, "/payments", 16, "").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 8]);
    assert_eq!(ids(pages.iter().flatten()), (0..40).rev().map(planted).collect::<Vec<_>>());
}

#[tokio::test]
async fn unprocessed_keys_are_read_again() {
    let stack = Stack::start(options().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    plant(&stack, &merchant.tenant(), 40, |_| "succeeded").await;
    let batches = Matching::operation("BatchGetItem");
    // Of 40 keys 15 are read, then 15 of the remaining 25, then 10.
    stack.store_proxy().fault(2, batches.clone(), Fault::LeaveOver(15));
    let answer = merchant.client.get("/payments?limit=40").await.expect(200);
    assert_eq!(ids(data(&answer)), (0..40).rev().map(planted).collect::<Vec<_>>());
    assert_eq!(stack.store_proxy().count(&batches), 3);
    // A store that always leaves keys unprocessed is an error; the list is not cut short.
    stack.store_proxy().fault(4, batches, Fault::LeaveOver(1));
    merchant.client.get("/payments?limit=40").await.expect_problem(503, "unavailable");
}

#[tokio::test]
async fn a_silent_store_ends_the_page_and_the_cursor_continues() {
    // Two thirds of the functions' time; far more than the store needs for a few items.
    let options = options().store_proxy().knob("STORE_DEADLINE_MS", 6000);
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let (begun, nothing) = (stack.new_merchant().await, stack.new_merchant().await);
    let rare = |n| if n == 3 || n == 27 { "failed" } else { "succeeded" };
    plant(&stack, &begun.tenant(), 28, rare).await;
    let reads = |tenant: &str| Matching::operation("BatchGetItem").with(&format!("{tenant}#pay_"));
    // The newest 11 of 28 items are considered first.
    let proxy = stack.store_proxy();
    let holds = [
        proxy.hold_at(Held::Before, 1, usize::MAX, reads(&begun.tenant())),
        proxy.hold(usize::MAX, reads(&nothing.tenant())),
    ];
    plant(&stack, &nothing.tenant(), 28, rare).await;
    let (first, none) =
        tokio::join!(begun.client.get("/payments?status=failed"), nothing.client.get("/payments?status=failed"));
    none.expect_problem(503, "unavailable");
    let first = first.expect(200);
    assert_eq!(ids(data(&first)), [planted(27)]);
    let next = format!("/payments?cursor={}", cursor(&first).unwrap());

    proxy.heal();
    for hold in holds {
        hold.forward();
    }
    proxy.forget_calls();
    let rest = begun.client.get(&next).await.expect(200);
    assert_eq!((ids(data(&rest)), cursor(&rest)), (vec![planted(3)], None));
    assert_eq!(keys_read(proxy), 17);
}

#[tokio::test]
async fn a_failing_store_ends_the_page_and_the_cursor_continues() {
    let stack = Stack::start(options().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    plant(&stack, &merchant.tenant(), 28, |n| if n == 3 || n == 27 { "failed" } else { "succeeded" }).await;
    let batches = Matching::operation("BatchGetItem");
    stack.store_proxy().fault_after(1, usize::MAX, batches, Fault::Error("InternalServerError"));
    let first = merchant.client.get("/payments?status=failed").await.expect(200);
    assert_eq!(ids(data(&first)), [planted(27)]);
    let next = format!("/payments?cursor={}", cursor(&first).unwrap());
    // Nothing was considered: that is an error.
    merchant.client.get(&next).await.expect_problem(503, "unavailable");
    stack.store_proxy().heal();
    let rest = merchant.client.get(&next).await.expect(200);
    assert_eq!((ids(data(&rest)), cursor(&rest)), (vec![planted(3)], None));
}
