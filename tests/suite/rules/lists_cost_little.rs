//! A page of a list costs at most 120 read units, in proportion to its limit, as the store reports them: with items of
//! almost 4 KB and any filter.

use serde_json::{Value, json};
use spillway_tests::pages::data;
use spillway_tests::units::Cost;
use spillway_tests::{Merchant, Options, Stack, Template, event, unique};

use super::lists_are_complete::plant_with;

/// The most items that a page may cost beyond its limit.
const SEARCHED: u64 = 10;
/// The most read units of the index, or of journal entries that are read before they are wanted.
const ROWS: u64 = 10;
const UNITS_MAX: u64 = 120;
/// Payments of a tenant, enough for the search of any page.
const PAYMENTS: usize = 250;

async fn metered() -> Stack {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    stack.store_proxy().start_metering();
    stack
}

/// The read units of a request, and how many items its page has.
async fn page(stack: &Stack, merchant: &Merchant, path: &str) -> (u64, usize) {
    let proxy = stack.store_proxy();
    proxy.take_consumed();
    let answer = merchant.client.get(path).await.expect(200);
    let cost = Cost::of(&proxy.take_consumed());
    assert_eq!(cost.write_units, 0, "{path}");
    (cost.read_halves.div_ceil(2), data(&answer).len())
}

/// Metadata that makes an item of almost 4 KB.
fn padding() -> Value {
    let pairs = (0..5).map(|n| (format!("key_{n}"), json!({"S": "x".repeat(500)})));
    json!({"M": pairs.collect::<serde_json::Map<String, Value>>()})
}

#[tokio::test]
async fn a_page_of_payments_costs_little_for_any_filter() {
    let stack = metered().await;
    let mut most = 0;
    for shards in [1, 4, 16] {
        let merchant = stack.new_merchant_with(json!({"shards": shards})).await;
        let tenant = merchant.tenant();
        plant_with(&stack, &tenant, shards, PAYMENTS, |n, item| {
            item["status"] = json!({"S": if n.is_multiple_of(2) { "succeeded" } else { "processing" }});
            item["asked"]["M"]["metadata"] = padding();
            for (name, value) in [("customer", "cus_77"), ("reference", "order-1001")] {
                item["asked"]["M"][name] = json!({"S": value});
                item[&format!("by_{name}")] = json!({"S": format!("{tenant}#{name}#{value}#{}", n % shards)});
            }
        })
        .await;
        merchant.client.get("/payments").await.expect(200);
        for limit in [1, 10, 50, 100] {
            let limit_items = usize::try_from(limit).unwrap();
            for (filters, expected) in [
                ("", Some(limit_items)),
                ("&status=failed", Some(0)),
                ("&status=succeeded", None),
                ("&currency=EUR", Some(0)),
                ("&reference=order-1001", Some(limit_items)),
                ("&customer=cus_77", Some(limit_items)),
                ("&reference=order-1001&customer=cus_77", Some(limit_items)),
                ("&reference=order-1001&customer=cus_78", Some(0)),
            ] {
                let path = format!("/payments?limit={limit}{filters}");
                let (units, items) = page(&stack, &merchant, &path).await;
                assert!(expected.is_none_or(|expected| items == expected), "{items} items: {path}");
                let bound = (limit + SEARCHED + ROWS).min(UNITS_MAX);
                assert!(units <= bound, "{units} units: {path}, {shards} shards");
                most = most.max(units);
            }
        }
    }
    println!("list_page_read_units_max {most}");
}

#[tokio::test]
async fn a_page_of_balance_transactions_costs_little() {
    let stack = metered().await;
    let merchant = stack.new_merchant().await;
    let tenant = merchant.tenant();
    let payment = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &payment)])).await.unwrap();
    let entry = stack.table().items().await.into_iter().find(|item| item["pk"].as_str().unwrap().contains("#journal#"));
    let [pk, sk] = ["pk", "sk"].map(|name| entry.as_ref().unwrap()[name].as_str().unwrap().to_owned());
    let like = stack.table().raw_item(&pk, &sk).await;
    // Entries of the same millisecond. Two digits of an id name its shard, and the last four are changed.
    let entries: Vec<Value> = (0..1000)
        .map(|n| {
            let (mut entry, shard) = (like.clone(), n % 4);
            let id = format!("{}0{shard}{}{n:04}", &sk[..14], &sk[16..26]);
            for (name, value) in [("pk", format!("{tenant}#journal#{shard}")), ("sk", id.clone()), ("id", id)] {
                entry[name] = json!({"S": value});
            }
            entry
        })
        .collect();
    stack.table().put_all(&entries).await;
    merchant.client.get("/balance/transactions").await.expect(200);
    for limit in [1, 10, 50, 100] {
        for (filters, full) in [("", true), ("&currency=USD", true), ("&currency=EUR", false)] {
            let path = format!("/balance/transactions?limit={limit}{filters}");
            let (units, items) = page(&stack, &merchant, &path).await;
            assert_eq!(items, if full { usize::try_from(limit).unwrap() } else { 0 }, "{path}");
            assert!(units <= (limit + SEARCHED + ROWS).min(UNITS_MAX), "{units} units: {path}");
        }
    }
}

#[tokio::test]
async fn a_page_of_refunds_costs_little() {
    let stack = metered().await;
    let merchant = stack.new_merchant().await;
    let tenant = merchant.tenant();
    let payment = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &payment)])).await.unwrap();
    let refund = merchant.client.refund_request(&payment, &unique(), 1).send().await.expect(202).id().to_owned();
    let like = stack.table().raw_item(&format!("{tenant}#{refund}"), "refund").await;
    let refunds: Vec<Value> = (0..PAYMENTS)
        .map(|n| {
            let (mut item, id) = (like.clone(), format!("re_{n:026}"));
            item["asked"]["M"]["metadata"] = padding();
            for (name, value) in [
                ("pk", format!("{tenant}#{id}")),
                ("listing_at", format!("2026-01-31T12:00:00.{n:03}Z#{id}")),
                ("id", id),
            ] {
                item[name] = json!({"S": value});
            }
            item
        })
        .collect();
    stack.table().put_all(&refunds).await;
    let list = format!("/payments/{payment}/refunds");
    merchant.client.get(&list).await.expect(200);
    for limit in [1, 10, 50, 100] {
        for (filters, full) in [("", true), ("&status=failed", false)] {
            let path = format!("{list}?limit={limit}{filters}");
            let (units, items) = page(&stack, &merchant, &path).await;
            assert_eq!(items, if full { usize::try_from(limit).unwrap() } else { 0 }, "{path}");
            assert!(units <= (limit + SEARCHED + ROWS).min(UNITS_MAX), "{units} units: {path}");
        }
    }
}

#[tokio::test]
async fn a_page_for_an_operator_costs_little() {
    let stack = metered().await;
    let merchant = stack.new_merchant().await;
    stack.invoke("update-merchant", &json!({"merchant": merchant.id, "suspended": true})).await.unwrap();
    let like = stack.table().raw_item(&merchant.id, "merchant").await;
    let action = stack.table().partition(&format!("{}#actions", merchant.id)).await.pop().unwrap();
    let [pk, sk] = ["pk", "sk"].map(|name| action[name].as_str().unwrap().to_owned());
    let action = stack.table().raw_item(&pk, &sk).await;
    let planted: Vec<Value> = (0..PAYMENTS)
        .flat_map(|n| {
            let (mut merchant, mut action, id) = (like.clone(), action.clone(), format!("mer_{n:026}"));
            merchant["name"] = json!({"S": "x".repeat(200)});
            for (name, value) in
                [("pk", id.clone()), ("listing_at", format!("2026-01-31T12:00:00.{n:03}Z#{id}")), ("id", id)]
            {
                merchant[name] = json!({"S": value});
            }
            action["sk"] = json!({"S": format!("2026-01-31T12:00:00.{n:03}Z#request-{n}")});
            [merchant, action]
        })
        .collect();
    stack.table().put_all(&planted).await;
    for limit in [1, 10, 100] {
        for (function, mut request) in
            [("list-merchants", json!({})), ("list-operator-actions", json!({"merchant": merchant.id}))]
        {
            request["limit"] = json!(limit);
            stack.store_proxy().take_consumed();
            let listed = stack.invoke(function, &request).await.unwrap();
            assert_eq!(listed["data"].as_array().unwrap().len(), usize::try_from(limit).unwrap());
            let units = Cost::of(&stack.store_proxy().take_consumed()).read_halves.div_ceil(2);
            assert!(units <= (limit + ROWS).min(UNITS_MAX), "{units} units: {function} by {limit}");
        }
    }
}
