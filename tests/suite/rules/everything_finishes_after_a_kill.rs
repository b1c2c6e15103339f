//! All processes are killed in the middle of 200 payments and restarted: every payment ends, posted and delivered.

use std::collections::BTreeSet;
use std::ops::Range;

use futures::future::join;
use futures::{StreamExt, stream};
use serde_json::json;
use spillway_tests::oracle::{Books, settled};
use spillway_tests::receiver::Receiver;
use spillway_tests::store_proxy::{Held, Hold, Matching};
use spillway_tests::{Client, Deadline, Merchant, Options, Stack, Template, clock, eventually};

const PAYMENTS: usize = 200;
const AT_ONCE: usize = 16;
/// Number of commits before the kill: at most one for each payment. (Copies of a message commit too.)
const COMMITS: usize = 50;
/// Number of payments still processing at the kill; the others are committed.
const PROCESSING: Range<usize> = PAYMENTS - COMMITS..PAYMENTS;

/// Sends all requests; `Err` without an answer.
async fn send_all(client: &Client, keys: &[String]) -> Vec<Result<String, String>> {
    let requests = keys.iter().map(|key| {
        let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
        (key.clone(), client.payment_request(key, &payment))
    });
    // (No async closure here: with one, rustc 1.95 crashes when it compiles this incrementally.)
    let sent = stream::iter(requests).map(|(key, request)| async move {
        match request.send_until_served().await {
            Ok(answer) if answer.status == 202 => Ok(answer.id().to_owned()),
            _ => Err(key),
        }
    });
    sent.buffer_unordered(AT_ONCE).collect().await
}

/// Caller of the sweep.
#[derive(Clone, Copy, PartialEq)]
enum Due {
    /// The test, repeatedly.
    ByHand,
    /// The runner's schedule, which runs at its start and then every minute.
    BySchedule,
}

async fn all_finish(stack: &Stack, merchant: &Merchant, receiver: &Receiver, ids: &BTreeSet<String>, due: Due) {
    eventually("every payment is final, counted and delivered", Deadline::LATER, async || {
        if due == Due::ByHand {
            stack.run_due().await;
        }
        let told: BTreeSet<String> = receiver
            .attempts()
            .iter()
            .map(|attempt| attempt.json()["data"]["id"].as_str().unwrap().to_owned())
            .collect();
        let books = Books::read(&stack.table(), &merchant.tenant()).await;
        let faults = books.faults();
        if &told == ids && faults.is_empty() {
            Ok(())
        } else {
            Err(format!("{} delivered, {} faults: {:?}", told.len(), faults.len(), faults.first()))
        }
    })
    .await;
    let books = settled(stack, &merchant.tenant(), ids.len()).await;
    assert_eq!(&books.payments.keys().cloned().collect::<BTreeSet<_>>(), ids);
    let client = stack.client(merchant.client.secret());
    assert_eq!(client.balance("USD").await, (0, 1184 * i64::try_from(ids.len()).unwrap()));
    // Several deliveries of one event count once.
    let events: BTreeSet<String> = receiver.attempts().iter().map(|attempt| attempt.id().to_owned()).collect();
    assert_eq!(events.len(), ids.len());
}

/// Waits until only the held commits remain, and their work is overdue.
async fn stands_in_the_middle(stack: &Stack, merchant: &Merchant, hold: &Hold) {
    hold.reached(1).await;
    eventually("the first payments are committed, and all others are due", Deadline::LATER, async || {
        let (books, now) = (Books::read(&stack.table(), &merchant.tenant()).await, clock::now());
        let processing: Vec<_> = books.payments.values().filter(|each| each["status"] == "processing").collect();
        let due = processing.iter().filter(|each| each["due_at"].as_str().unwrap() < now.as_str()).count();
        if PROCESSING.contains(&processing.len()) && due == processing.len() {
            Ok(())
        } else {
            Err(format!("{} of {PAYMENTS} are processing, {due} of them due", processing.len()))
        }
    })
    .await;
}

/// Reads the state of a killed stack in one without triggers, and kills that too.
async fn died_in_the_middle(stack: &mut Stack, merchant: &Merchant) {
    stack.set_template(Template::without_triggers());
    stack.restart().await;
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let processing = books.payments.values().filter(|payment| payment["status"] == "processing").count();
    assert!(books.payments.len() == PAYMENTS && PROCESSING.contains(&processing), "{processing} are processing");
    let charged = books.payments.keys().filter(|id| books.charged(id) == 1).count();
    assert!(charged > books.entries.len(), "none was charged and not yet posted");
    let queues = stack.queues();
    let waiting = queues.depth(&queues.url("ProcessorQueue").await).await;
    assert!(waiting > 0, "the queues' file holds no message that could be lost");
    stack.kill().await;
    stack.set_template(Template::read());
}

async fn kill_in_the_middle(queues_survive: bool, due: Due) {
    let options = Options::new().store_proxy().knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1);
    let mut stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let commit = Matching::operation("TransactWriteItems").with("#journal#");
    let hold = stack.store_proxy().hold_at(Held::Before, COMMITS, usize::MAX, commit);
    let keys: Vec<String> = (0..PAYMENTS).map(|number| format!("order-{number}")).collect();
    let accepted = send_all(&merchant.client, &keys).await;
    assert!(accepted.iter().all(Result::is_ok), "{accepted:?}");
    stands_in_the_middle(&stack, &merchant, &hold).await;
    stack.kill().await;
    hold.close();
    stack.store_proxy().heal();
    died_in_the_middle(&mut stack, &merchant).await;
    if !queues_survive {
        stack.delete_queues();
    }
    stack.restart().await;
    let ids: BTreeSet<String> = accepted.into_iter().map(Result::unwrap).collect();
    assert_eq!(ids.len(), PAYMENTS);
    all_finish(&stack, &merchant, &receiver, &ids, due).await;
    for attempt in receiver.attempts() {
        attempt.verify(endpoint["secret"].as_str().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn every_accepted_payment_finishes_after_a_kill() {
    kill_in_the_middle(true, Due::ByHand).await;
}

#[tokio::test]
async fn every_accepted_payment_finishes_without_its_messages() {
    kill_in_the_middle(false, Due::ByHand).await;
}

#[tokio::test]
async fn the_schedule_alone_finishes_all_work_after_lost_queues() {
    kill_in_the_middle(false, Due::BySchedule).await;
}

#[tokio::test]
async fn requests_repeated_after_a_kill_are_not_lost() {
    let options = Options::new().store_proxy().knob("FIRST_DUE_SECONDS", 2).knob("CLAIM_SECONDS", 2);
    let mut stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let keys: Vec<String> = (0..PAYMENTS).map(|number| format!("order-{number}")).collect();
    // From here on the store executes calls, and their replies are lost.
    let put = Matching::operation("PutItem").with("fingerprint");
    let hold = stack.store_proxy().hold_at(Held::After, PAYMENTS / 2, usize::MAX, put);
    let killing = async {
        hold.reached(1).await;
        eventually("some payments have succeeded", Deadline::SOON, async || {
            let books = Books::read(&stack.table(), &merchant.tenant()).await;
            let entries = books.entries.len();
            if entries > 0 { Ok(()) } else { Err(format!("{} accepted, {entries} posted", books.payments.len())) }
        })
        .await;
        stack.kill().await;
        hold.close();
        stack.store_proxy().heal();
    };
    let (sent, ()) = join(send_all(&merchant.client, &keys), killing).await;
    stack.restart().await;
    let (accepted, lost): (Vec<_>, Vec<_>) = sent.into_iter().partition(Result::is_ok);
    let lost: Vec<String> = lost.into_iter().map(Result::unwrap_err).collect();
    assert!(!lost.is_empty(), "no request was lost");
    let again = send_all(&stack.client(merchant.client.secret()), &lost).await;
    let ids: BTreeSet<String> = accepted.into_iter().chain(again).map(Result::unwrap).collect();
    assert_eq!(ids.len(), PAYMENTS);
    all_finish(&stack, &merchant, &receiver, &ids, Due::ByHand).await;
}
