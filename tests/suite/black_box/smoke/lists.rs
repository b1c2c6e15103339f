//! `GET /v1/payments`

use spillway_tests::pages::{ids, walk};
use spillway_tests::{Deadline, Target, eventually};

#[tokio::test]
async fn pages_show_each_payment_once_newest_first() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let currency = super::currency(&client).await;
    let mut payments = Vec::new();
    for _ in 0..3 {
        payments.push(client.paid(1250, &currency).await);
    }
    let from = format!("&created_from={}", payments[0]["created_at"].as_str().unwrap());
    payments.reverse();
    eventually("the list has them all", Deadline::SOON, async || {
        // Lists lag, and the key may have other payments.
        let pages = walk(&client, "/payments", 1, &from).await;
        let of_this_test = |id: &&serde_json::Value| payments.iter().any(|payment| payment["id"] == id["id"]);
        let listed: Vec<_> = pages.iter().flatten().filter(of_this_test).cloned().collect();
        if listed == payments { Ok(()) } else { Err(format!("{:?}", ids(&listed))) }
    })
    .await;
}

#[tokio::test]
async fn invalid_cursors_and_parameters_are_refused() {
    let target = Target::start().await;
    let client = target.any_client().await;
    client.get("/payments?cursor=x").await.expect_problem(400, "invalid_cursor");
    client.get("/payments?custmer=cus_77").await.expect_problem(400, "unknown_parameter");
    for query in ["limit=0", "limit=101", "status=Failed", "created_from=yesterday"] {
        client.get(&format!("/payments?{query}")).await.expect_problem(400, "invalid_parameters");
    }
}
