//! However many refunds of a payment race, and whatever outcome is unknown: the refunds never exceed the payment, and
//! each is made once. Writes of one item conflict as in DynamoDB.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{join, join_all};
use serde_json::json;
use spillway_tests::client::{Answer, unique};
use spillway_tests::oracle::{Books, settled};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Merchant, Options, Stack, eventually};

/// How long a write holds its items.
const HOLD: Duration = Duration::from_millis(15);

async fn start(options: Options) -> (Stack, Merchant, String) {
    let stack = Stack::start(options.store_proxy()).await;
    let merchant = stack.new_merchant().await;
    let payment = merchant.client.paid(1000, "USD").await["id"].as_str().unwrap().to_owned();
    (stack, merchant, payment)
}

async fn all_at_once(merchant: &Merchant, payment: &str, keys: &[String], amount: u64) -> Vec<Answer> {
    let requests: Vec<_> = keys.iter().map(|key| merchant.client.refund_request(payment, key, amount)).collect();
    join_all(requests.iter().map(|request| request.send())).await
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("refund-{number}")).collect()
}

#[tokio::test]
async fn of_50_concurrent_refunds_of_30_exactly_33_of_1000_pass() {
    let (stack, merchant, payment) = start(Options::new()).await;
    let keys = keys(50);
    stack.store_proxy().set_conflicts(HOLD);
    let answers = all_at_once(&merchant, &payment, &keys, 30).await;
    let statuses: BTreeSet<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert!(statuses.is_subset(&BTreeSet::from([202, 409, 503])), "{statuses:?}");
    stack.store_proxy().heal();
    // A client that gets 503 repeats its request.
    let again = all_at_once(&merchant, &payment, &keys, 30).await;
    let accepted = again.iter().filter(|answer| answer.status == 202).count();
    let refused = again.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((accepted, refused), (33, 17));
    settled(&stack, &merchant.tenant(), 1).await;
    assert_eq!(merchant.client.payment(&payment).await["amount_refunded"], 990);
    // 1000 less the fee of 59 and 33 times 30.
    assert_eq!(merchant.client.balance("USD").await, (0, 941 - 990));
}

#[tokio::test]
async fn sixteen_concurrent_refunds_need_no_retry() {
    let (stack, merchant, payment) = start(Options::new()).await;
    stack.store_proxy().set_conflicts(HOLD);
    let answers = all_at_once(&merchant, &payment, &keys(16), 10).await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
    stack.store_proxy().heal();
    settled(&stack, &merchant.tenant(), 1).await;
    assert_eq!(merchant.client.payment(&payment).await["amount_refunded"], 160);
}

#[tokio::test]
async fn an_unknown_refund_is_repeated_under_the_same_key() {
    let options = Options::new().knob("PROCESSOR_WAITS_SECONDS", "1").unkilled();
    let (stack, merchant, payment) = start(options).await;
    // The sandbox refunds, and its reply is lost.
    let given = Matching::operation("UpdateItem").with("sandbox#re_").with("\"refunds\"");
    stack.store_proxy().fault(8, given, Fault::LoseReply);
    let id = merchant.client.refund_request(&payment, &unique(), 1000).send().await.expect(202).id().to_owned();
    let books = settled(&stack, &merchant.tenant(), 1).await;
    assert_eq!(books.others[&id]["status"], "succeeded");
    let calls = &books.charges[&id];
    assert_eq!((calls.len(), &calls[0]["refunds"]), (1, &json!(1)), "{calls:?}");
}

#[tokio::test]
async fn a_refund_that_the_processor_lost_is_sent_again() {
    // Look-ups only, with waits of a second.
    let options = Options::new()
        .knob("REPEATABLE_FOR_SECONDS", 0)
        .knob("PROCESSOR_WAITS_SECONDS", 1)
        .knob("ABSENT_AGAIN_SECONDS", 1)
        .unkilled();
    let stack = Stack::start(options.store_proxy()).await;
    let merchant = stack.new_merchant().await;
    let payment = merchant.client.pay(1000, "USD", "tok_visa").await;
    // It is charged already at the first look-up.
    let charged = json!({"Key": {"pk": {"S": format!("sandbox#{payment}")}, "sk": {"S": format!("{payment}/authorize")}},
        "UpdateExpression": "SET charges = :one, calls = :one", "ExpressionAttributeValues": {":one": {"N": "1"}}});
    stack.table().call("UpdateItem", charged).await;
    merchant.client.finished(&payment).await;
    let id = merchant.client.refund_request(&payment, &unique(), 1000).send().await.expect(202).id().to_owned();
    eventually("the refund has ended", Deadline::LATER, async || {
        stack.run_due().await;
        let refund = merchant.client.get(&format!("/refunds/{id}")).await.expect(200).body;
        if refund["status"] == "succeeded" { Ok(()) } else { Err(refund.to_string()) }
    })
    .await;
    assert!(stack.log().contains("has lost it"), "somebody is told");
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.charges[&id][0]["refunds"], 1);
}

#[tokio::test]
async fn a_change_between_read_and_commit_causes_no_second_call() {
    let (stack, merchant, payment) = start(Options::new().unkilled()).await;
    let commit = stack.store_proxy().hold(1, Matching::operation("TransactWriteItems").with("refund_sent"));
    let changed = async {
        commit.reached(1).await;
        let refunds = merchant.client.get(&format!("/payments/{payment}/refunds")).await.expect(200).body;
        let id = refunds["data"][0]["id"].as_str().unwrap();
        let key = format!("{}#{id}", merchant.tenant());
        let next = json!({":two": {"N": "2"}, ":note": {"S": "kept"}});
        stack.table().update(&key, "refund", "SET version = :two, note = :note", next).await;
        commit.forward();
    };
    let request = merchant.client.refund_request(&payment, "refund-1", 1000);
    let (answer, ()) = join(request.send(), changed).await;
    let id = answer.expect(202).id().to_owned();
    let refund = eventually("the refund has ended", Deadline::SOON, async || {
        let refund = stack.table().item(&format!("{}#{id}", merchant.tenant()), "refund").await.unwrap();
        if refund["status"] == "succeeded" { Ok(refund) } else { Err(format!("{refund:?}")) }
    })
    .await;
    assert_eq!((&refund["version"], &refund["note"]), (&json!(3), &json!("kept")));
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!((&books.charges[&id][0]["calls"], &books.charges[&id][0]["refunds"]), (&json!(1), &json!(1)));
}

/// AWS does not promise to report every failed condition.
#[tokio::test]
async fn a_replay_is_recognized_by_the_guards_failure_alone() {
    let (stack, merchant, payment) = start(Options::new().unkilled()).await;
    let request = merchant.client.refund_request(&payment, "refund-1", 1000);
    let first = request.send().await.expect(202);
    let fault = Fault::Canceled(1, "ConditionalCheckFailed");
    stack.store_proxy().fault(1, Matching::operation("TransactWriteItems").with("refundable"), fault);
    let again = request.send().await.expect(202);
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, "true"));
}
