//! The goals, compared with a run's figures.

use serde_json::{Value, json};

use crate::show::{self, mb, ms, ratio};
use crate::single::{EMPTY, FUNCTIONS};

const WARM_POST_US: u64 = 8_000;
const WEBHOOK_US: u64 = 500_000;
const CACHE_US: u64 = 5_000;
const PER_SECOND: u64 = 150;
const MEMORY_BYTES: u64 = 20_000_000;
const BINARY_BYTES: u64 = 7_000_000;
const UNITS_ALONE: u64 = 19;
const UNITS_FULL: u64 = 17;

/// Milliseconds that deliver-webhook takes longer for a server that never answers than for one that works, and the time
/// of all its copies.
pub fn receivers_share(receivers: &Value) -> (u64, u64) {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let busy_ms =
        number(&receivers["beside_hangs"]["busy_ms"]).saturating_sub(number(&receivers["beside_works"]["busy_ms"]));
    (busy_ms, number(&receivers["capacity_ms"]))
}

/// Each goal of a measured part with its figure and whether it is met.
pub fn judge(figures: &Value) -> Value {
    let single = &figures["single"];
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let most =
        |field: &str| FUNCTIONS.iter().map(|function| number(&single[*function][field])).max().unwrap_or_default();
    let (memory, binary) = (most("peak_memory_bytes"), most("binary_bytes"));
    let read = |state: &str| number(&figures["cache"][state]["p99_us"]);
    let absent = read("absent");
    let costs = ["cold", "dead", "stopped"].map(|state| read(state).saturating_sub(absent)).into_iter().max();
    let costs = costs.unwrap_or_default();
    let parts = |kind: &str| figures["end_to_end"][kind].as_array().cloned().unwrap_or_default();
    let (full, paced) = (parts("full"), parts("paced"));
    let one = |parts: &[Value], field: &str| parts.first().map_or(Value::Null, |part| part[field]["p50_us"].clone());
    let (post, webhook) = (one(&full, "post"), one(&paced, "webhook"));
    let per_second = full.iter().map(|part| number(&part["settled_per_second"])).max().unwrap_or_default();
    let lost: u64 = full.iter().chain(&paced).map(|part| number(&part["lost"])).sum();
    let units =
        |kind: &str| (number(&figures["units"][kind]["write_units"]), number(&figures["units"][kind]["payments"]));
    let ((alone, _), (folded, payments)) = (units("alone"), units("full"));
    let flood = &figures["flood"];
    let (quiet, beside) = (number(&flood["alone"]["p99_us"]), number(&flood["beside_the_flood"]["p99_us"]));
    let refused = number(&flood["beside_the_flood"]["refused"]);
    let receivers = &figures["receivers"];
    let (prompt, beside_hangs) = (number(&receivers["alone"]["p99_us"]), number(&receivers["beside_hangs"]["p99_us"]));
    let (busy_ms, capacity_ms) = receivers_share(receivers);
    let goal = |part: &str, name: &str, goal: String, figure: String, met: bool| {
        let is_measured = !figures[part].is_null();
        is_measured.then(|| json!({"name": name, "goal": goal, "figure": figure, "met": met}))
    };
    let start = |function: &str, name: &str| {
        let [own, empty] = [function, EMPTY].map(|function| number(&single[function]["ready"]["p50_us"]));
        let met = own * 2 <= empty * 3 && empty > 0;
        goal("single", name, "at most 1.5 ×".to_owned(), format!("{} ×", ratio(own, empty)), met)
    };
    let goals = [
        start("create-payment", "create-payment, spawn → ready, as the empty function's"),
        start("get-payment", "get-payment, which has the cache's client, likewise"),
        goal(
            "end_to_end",
            "POST /v1/payments at the gateway, warm, median",
            format!("at most {}", ms(&json!(WARM_POST_US))),
            ms(&post),
            post.as_u64().is_some_and(|us| us <= WARM_POST_US),
        ),
        goal(
            "cache",
            "p99 of a read with a cold, dead or stopped cache, above none",
            format!("at most {}", ms(&json!(CACHE_US))),
            ms(&json!(costs)),
            costs <= CACHE_US && absent > 0,
        ),
        goal(
            "end_to_end",
            "accepted → webhook, median",
            format!("at most {}", ms(&json!(WEBHOOK_US))),
            ms(&webhook),
            webhook.as_u64().is_some_and(|us| us <= WEBHOOK_US),
        ),
        goal(
            "end_to_end",
            "payments a second, end to end",
            format!("at least {PER_SECOND}, none lost"),
            format!("{per_second}, {lost} lost"),
            per_second >= PER_SECOND && lost == 0,
        ),
        goal(
            "single",
            "peak memory of a function",
            format!("at most {}", mb(&json!(MEMORY_BYTES))),
            mb(&json!(memory)),
            memory <= MEMORY_BYTES && memory > 0,
        ),
        goal(
            "single",
            "stripped binary of a function",
            format!("at most {}", mb(&json!(BINARY_BYTES))),
            mb(&json!(binary)),
            binary <= BINARY_BYTES && binary > 0,
        ),
        goal(
            "units",
            "write units of a payment alone",
            format!("at most {UNITS_ALONE}"),
            alone.to_string(),
            alone <= UNITS_ALONE && alone > 0,
        ),
        goal(
            "units",
            "write units of a payment in a full fold",
            format!("at most {UNITS_FULL}, and its share of the balance's"),
            ratio(folded, payments),
            folded / payments.max(1) <= UNITS_FULL && payments > 0,
        ),
        goal(
            "flood",
            "another merchant's p99 beside a flood, as alone",
            "at most 2 ×, none refused".to_owned(),
            format!("{} ×, {} refused", ratio(beside, quiet), show::count(&json!(refused))),
            beside <= quiet * 2 && refused == 0 && quiet > 0,
        ),
        goal(
            "receivers",
            "another merchant's webhook p99 beside a server that never answers, as alone",
            "at most 2 ×".to_owned(),
            format!("{} ×", ratio(beside_hangs, prompt)),
            beside_hangs <= prompt * 2 && prompt > 0,
        ),
        goal(
            "receivers",
            "share of the senders' time for a server that never answers",
            "at most 1 %".to_owned(),
            format!("{} %", ratio(busy_ms * 100, capacity_ms)),
            busy_ms * 100 <= capacity_ms && capacity_ms > 0,
        ),
    ];
    goals.into_iter().flatten().collect()
}
