//! The time and the cost of each function with several sizes of memory, under the CPU share that Lambda gives them, with
//! TLS: the measurements behind each `MemorySize` of the template.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use spillway_bench::cost::figures::Measured;
use spillway_tests::{Options, Template};

use super::meter::Scene;
use super::requests;
use super::walk::Batches;
use crate::plan::Plan;

/// Sizes that are tried, in MB.
pub const SIZES: [u64; 5] = [128, 256, 512, 1024, 1769];

/// Time and invocations of each function with each size.
pub async fn measure(plan: &Plan) -> Result<Value, String> {
    let mut all: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for size in SIZES {
        eprintln!("memory: {size} MB");
        let template = with_memory(Template::without_triggers(), size);
        let mut scene = Scene::set(Options::new().template(template).knob("CPU_SHARES", 1)).await?;
        scene.walk(1, Batches::OfOne).await?;
        let mut walked = Measured::default();
        for _ in 0..plan.sized {
            walked += scene.walk(1, Batches::OfOne).await?;
        }
        walked += scene.fold_the_rest().await?;
        let mut used = walked.functions;
        for (function, measured) in requests(&scene).await? {
            used.insert(function.to_owned(), measured.all());
        }
        for (function, used) in used.into_iter().filter(|(_, used)| used.invocations > 0) {
            let figures = json!({"invocations": used.invocations, "billed_ms": used.billed_ms});
            all.entry(function).or_default().insert(size.to_string(), figures);
        }
    }
    Ok(json!(all))
}

/// The template with this memory for all functions.
fn with_memory(template: Template, size: u64) -> Template {
    let ids: Vec<String> = template.of_type("AWS::Serverless::Function").into_keys().map(str::to_owned).collect();
    ids.iter().fold(template, |template, id| {
        let path = ["Resources", id, "Properties"];
        let mut properties = template.get(&path).cloned().unwrap_or_default();
        properties["MemorySize"] = json!(size);
        template.with(&path, properties)
    })
}
