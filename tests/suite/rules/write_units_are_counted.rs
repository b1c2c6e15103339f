//! A payment costs at most 19 write units, and 17 when folds are full, in the store's own figures: with one webhook
//! endpoint and items of at most 1 KB, as the table in ARCHITECTURE.md says it step by step.

use spillway_tests::receiver::Receiver;
use spillway_tests::units::{Cost, Steps, walk};
use spillway_tests::{Merchant, Options, Stack, Template};

/// The item, its place in the list, its due time.
const CREATE: u64 = 3;
/// A transaction of payment, entry, movement and event, two each; the payment's due time goes, the event's comes.
const RESULT: u64 = 10;
/// The delivery, the event, and its due time that goes.
const DELIVERY: u64 = 3;
/// Movements in a fold.
const FOLD: u64 = 500;

async fn stack_and_merchant() -> (Stack, Merchant, Receiver) {
    let stack = Stack::start(Options::new().store_proxy().template(Template::still())).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    (stack, merchant, receiver)
}

/// What is written for so many payments in every step but the fold.
fn each_step_writes_what_it_may(steps: &Steps, payments: u64) {
    let units = |cost: Cost| cost.write_units;
    let written = [steps.create, steps.result, steps.delivery].map(units);
    assert_eq!(written, [CREATE, RESULT, DELIVERY].map(|each| each * payments), "{steps:?}");
}

#[tokio::test]
async fn a_payment_alone_writes_at_most_nineteen_units() {
    let (stack, merchant, _receiver) = stack_and_merchant().await;
    // The balance is new, with a due time of its own.
    let first = walk(&stack, &merchant, 1).await;
    each_step_writes_what_it_may(&first, 1);
    assert_eq!((first.fold.write_units, first.deletions.write_units), (2, 0), "{first:?}");
    // The next fold takes away what the one before it had folded.
    let second = walk(&stack, &merchant, 1).await;
    each_step_writes_what_it_may(&second, 1);
    assert_eq!((second.fold.write_units, second.deletions.write_units), (1, 1), "{second:?}");
    let dearest = CREATE + RESULT + DELIVERY + first.fold.write_units + second.deletions.write_units;
    assert_eq!(dearest, 19);
}

#[tokio::test]
async fn payments_of_a_full_fold_write_seventeen_units_each() {
    let (stack, merchant, _receiver) = stack_and_merchant().await;
    let full = walk(&stack, &merchant, usize::try_from(FOLD).unwrap()).await;
    each_step_writes_what_it_may(&full, FOLD);
    let next = walk(&stack, &merchant, 1).await;
    assert_eq!(next.deletions.write_units, FOLD, "{next:?}");
    // The balance lists what it has folded, 46 bytes each: 23 KB and a little, once for all of them.
    let balance = full.fold.write_units;
    assert!((24..=26).contains(&balance), "{full:?}");
}
