//! The figures of peaks as Markdown for people, and the judgement.

use std::time::Duration;

use serde_json::Value;

use crate::machine;
use crate::show::{count, none, ratio, table};
use crate::tool::shown;

/// Most requests of a million that may fail: 99.99 % must be answered without a 5xx.
const FAILED_OF_A_MILLION: u64 = 100;

/// The table of a run's parts, and one line for each run below it. The first run is the one whose parts are shown.
pub fn tables(runs: &[Value]) -> String {
    let Some(first) = runs.first() else { return String::new() };
    format!("{}\n{}\n{}", told(first), parts(first), compared(runs))
}

/// The machine, and what the table does not show.
fn told(run: &Value) -> String {
    let quick = if run["quick"] == true { " **A quick run: too few requests to judge by.**" } else { "" };
    let polls = &run["polls"];
    format!(
        "{}{quick} An hour takes {} s, the flash {} s; seed {}. {} payments, {} refunds, {} events in {} deliveries. {} of \
         {} polled payments were still processing. The clients sent 99 % of their requests at most {} late. The stage let in {} \
         requests a second for each method of a route.\n",
        machine::sentence(&run["machine"]),
        seconds(&run["hour_ms"]),
        seconds(&run["flash_ms"]),
        run["seed"],
        count(&run["payments"]),
        count(&run["refunds"]),
        count(&run["webhooks"]["events"]),
        count(&run["webhooks"]["attempts"]),
        count(&polls["still_processing"]),
        count(&polls["sent"]),
        micros(&run["lag_p99_us"]),
        count(&run["stage_rate"]),
    )
}

fn parts(run: &Value) -> String {
    let head = [
        "part",
        "requests/s",
        "requests",
        "sent",
        "without a 5xx",
        "429",
        "p50",
        "p99",
        "p99.9",
        "oldest message",
        "events under way",
    ];
    let row = |part: &Value| {
        let name = part["name"].as_str().unwrap_or_default();
        let per_second = ratio(number(&part["arrived"]) * 1000, number(&part["length_ms"]));
        let figures = [
            if part["arrived"] == 0 { none() } else { per_second },
            count(&part["arrived"]),
            count(&part["sent"]),
            share_served(number(&part["failed"]), number(&part["sent"])),
            count(&part["refused"]),
            micros(&part["p50_us"]),
            micros(&part["p99_us"]),
            micros(&part["p999_us"]),
            millis(&part["oldest_message_ms"]),
            count(&part["events_under_way"]),
        ];
        let bold = |text: String| if part["is_flash"] == true { format!("**{text}**") } else { text };
        std::iter::once(name.to_owned()).chain(figures).map(bold).collect::<Vec<String>>()
    };
    let all = run["parts"].as_array().into_iter().flatten().chain([&run["whole"]]);
    table(&head, &all.map(row).collect::<Vec<_>>())
}

fn compared(runs: &[Value]) -> String {
    let head = [
        "run",
        "answers without a 5xx",
        "requests served",
        "p99",
        "p99 in the flash",
        "p99 of a 429",
        "oldest message",
        "drained after",
        "oracle",
    ];
    let row = |run: &Value| {
        let (whole, callers) = (&run["whole"], &run["callers"]);
        let flash = run["parts"].as_array().into_iter().flatten().find(|part| part["is_flash"] == true);
        let violations = run["violations"].as_array().map_or(0, Vec::len);
        vec![
            name(run),
            share_served(number(&whole["failed"]), number(&whole["sent"])),
            share_served(number(&callers["failed"]), number(&callers["requests"])),
            micros(&whole["p99_us"]),
            flash.map_or_else(none, |flash| micros(&flash["p99_us"])),
            micros(&whole["refusal_p99_us"]),
            millis(&whole["oldest_message_ms"]),
            millis(&run["drained_ms"]),
            if violations == 0 { "nothing lost or doubled".to_owned() } else { format!("{violations} faults") },
        ]
    };
    table(&head, &runs.iter().map(row).collect::<Vec<_>>())
}

fn name(run: &Value) -> String {
    let cache = if run["cache"].is_null() { "without a cache" } else { "with a cache" };
    match run["killed"].as_u64() {
        Some(killed) => format!("{cache}, {killed} processes killed in the flash"),
        None => cache.to_owned(),
    }
}

/// Why a run is a failure, as a sentence; `None` if it is none. A killed process breaks the call that it holds, so with
/// kills the requests count as their callers see them, after the repeats.
pub fn fault(run: &Value) -> Option<String> {
    let of = if run["killed"].is_null() { &run["whole"] } else { &run["callers"] };
    let (what, all) = if run["killed"].is_null() { ("answers", &of["sent"]) } else { ("requests", &of["requests"]) };
    let (failed, all) = (number(&of["failed"]), number(all));
    if failed * 1_000_000 > all * FAILED_OF_A_MILLION {
        let share = share_served(failed, all);
        return Some(format!("Only {share} of {all} {what} were served without a 5xx; 99.99 % must be."));
    }
    let violations = run["violations"].as_array().map_or(0, Vec::len);
    (violations > 0).then(|| format!("The oracle found {violations} broken promises."))
}

/// `99.987 %`, rounded down, so that only a run without any failure shows 100 %.
fn share_served(failed: u64, all: u64) -> String {
    match ((all - failed.min(all)) * 100_000).checked_div(all) {
        Some(share) => format!("{}.{:03} %", share / 1000, share % 1000),
        None => none(),
    }
}

/// Of milliseconds, `0.5`.
fn seconds(value: &Value) -> String {
    let ms = number(value);
    if ms.is_multiple_of(1000) { (ms / 1000).to_string() } else { format!("{}.{}", ms / 1000, ms % 1000 / 100) }
}

fn micros(value: &Value) -> String {
    value.as_u64().map_or_else(none, |us| shown(Duration::from_micros(us)))
}

fn millis(value: &Value) -> String {
    value.as_u64().map_or_else(none, |ms| shown(Duration::from_millis(ms)))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}
