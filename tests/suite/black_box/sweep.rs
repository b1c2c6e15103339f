//! The sweep: an operator may run it at any time.

use serde_json::json;
use spillway_tests::pages::walk;
use spillway_tests::{Deadline, Target, event, eventually};

#[tokio::test]
async fn repeated_sweeps_finish_open_work_once() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let id = client.pay(1250, "USD", "tok_unavailable").await;
    let payment = eventually("the payment is final", Deadline::LATER, async || {
        let found = target.invoke("enqueue-due", &event::tick()).await.map_err(|error| error.to_string())?;
        assert!(found.as_str().is_some_and(|found| found.starts_with("enqueued ")), "{found}");
        let payment = client.payment(&id).await;
        if payment["status"] == "processing" { Err(payment.to_string()) } else { Ok(payment) }
    })
    .await;
    target.run_due().await;
    assert_eq!((&payment["status"], &payment["version"]), (&json!("succeeded"), &json!(2)), "{payment}");
    assert_eq!(client.balance("USD").await, (0, 1184));
    assert_eq!(walk(&client, "/balance/transactions", 10, "").await.concat().len(), 1);
    assert_eq!(client.payment(&id).await, payment);
}
