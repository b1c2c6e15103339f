//! Payments and refunds under load on a table whose writes conflict as in DynamoDB, without other faults.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use spillway_tests::deliveries::Deliveries;
use spillway_tests::judge::judge;
use spillway_tests::load_merchant::{LoadMerchant, all_delivered};
use spillway_tests::request_log::Repeat;
use spillway_tests::workload::{EVERYTHING, Workload};
use spillway_tests::{Deadline, Options, Stack};

const ORDERS: usize = 120;
const CLIENTS: usize = 8;
/// How long a write holds its items.
const HOLD: Duration = Duration::from_millis(15);

#[tokio::test]
async fn clients_see_503_only_and_nothing_is_lost_or_doubled() {
    let options = Options::new().knob("PROCESSOR_WAITS_SECONDS", 1).fold_at_once().unkilled();
    let stack = Stack::start(options.store_proxy()).await;
    let deliveries = Arc::new(Deliveries::start(1).await.unwrap());
    let merchant = Arc::new(LoadMerchant::create(&stack, &deliveries, "Acme").await.unwrap());
    stack.store_proxy().set_conflicts(HOLD);
    let orders = Workload::new(4, "order", EVERYTHING).take(ORDERS);
    let served = stream::iter(orders).for_each_concurrent(CLIENTS, async |order| {
        if let Some(payment) =
            merchant.requests.pay(&merchant.client, order.clone(), Deadline::LATER, Repeat::AtOnce).await
        {
            merchant.refund(&order, &payment, Deadline::LATER).await;
        }
    });
    served.await;
    let merchants = [Arc::clone(&merchant)];
    assert!(all_delivered(&merchants, Deadline::LATER).await, "every event came");
    assert!(stack.store_proxy().take_met()["store write in conflict"] > 0);
    stack.store_proxy().heal();
    let judged = judge(&stack, &merchants, Deadline::SOON, true, |_| ()).await;
    assert_eq!(judged.violations, []);
    let (accepted, refused) = (judged.evidence[0].accepted_refunds().len(), merchant.requests.refunds());
    let refused = refused.iter().filter(|sent| sent.refused.is_some()).count();
    assert!(accepted > 0 && refused > 0, "{accepted} refunds accepted, {refused} refused");
    let errors = merchant.requests.errors();
    assert!(errors.keys().all(|error| error == "503 unavailable"), "{errors:?}");
}
