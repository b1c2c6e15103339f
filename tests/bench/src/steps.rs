//! Cost of a payment in the store by step, as the store reports it.

use serde_json::{Value, json};
use spillway_tests::receiver::Receiver;
use spillway_tests::units::{Cost, Steps, walk};
use spillway_tests::{Options, Stack, Template};

use crate::plan::Plan;

/// Costs of a single payment, and of many in one fold.
pub async fn measure(plan: &Plan) -> Result<Value, String> {
    eprintln!("write units: one payment alone, then {} folded together", plan.folded);
    let stack = Stack::try_start(Options::new().store_proxy().template(Template::without_triggers())).await?;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let alone = walk(&stack, &merchant, 1).await;
    let full = walk(&stack, &merchant, plan.folded).await;
    Ok(json!({"alone": described(&alone, 1), "full": described(&full, plan.folded)}))
}

fn described(steps: &Steps, payments: usize) -> Value {
    let parts = [
        ("create", steps.create),
        ("result", steps.result),
        ("fold", steps.fold),
        ("deletion", steps.deletions),
        ("delivery", steps.delivery),
    ];
    let units: u64 = parts.iter().map(|(_, cost)| cost.write_units).sum();
    let mut described: Value = parts.iter().map(|(name, cost)| ((*name).to_owned(), cost_of(cost))).collect();
    described["sandbox"] = cost_of(&steps.sandbox);
    described["payments"] = json!(payments);
    described["write_units"] = json!(units);
    described
}

fn cost_of(cost: &Cost) -> Value {
    json!({"calls": cost.calls, "write_units": cost.write_units, "read_half_units": cost.read_halves})
}
