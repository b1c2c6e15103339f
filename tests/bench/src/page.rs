//! A run's figures as tables, for the terminal and docs/performance.md.

use std::fs;
use std::path::Path;

use serde_json::Value;
use spillway_bench::cost::deployed::Deployed;
use spillway_bench::cost::figures::Run;
use spillway_bench::cost::money::Quantity;
use spillway_bench::cost::prices::Prices;

use crate::goals::receivers_share;
use crate::resources::memory::SIZES;
use crate::show::{between, count, mb, ms, none, ratio, table};
use crate::single::{EMPTY, FUNCTIONS};

const BEGIN: &str = "<!-- figures: made by `make performance`, not by hand -->";

/// The parts of a run that these tables show.
pub const PARTS: [&str; 10] =
    ["single", "cache", "end_to_end", "flood", "receivers", "units", "memory", "sweep", "shards", "instructions"];

/// Makes a part's table of a run's figures.
type Table = fn(&Value) -> String;

/// The tables of the parts that a run has measured.
pub fn tables(figures: &Value) -> String {
    let machine = &figures["machine"];
    let text = |name: &str| machine[name].as_str().unwrap_or_default();
    let quick = if figures["quick"] == true { " A quick run: too few samples to judge by." } else { "" };
    let parts: [(&str, &str, Table); PARTS.len()] = [
        ("single", "Each function alone", single),
        ("cache", "The cache", cache),
        ("end_to_end", "End to end", end_to_end),
        ("flood", "One merchant floods", flood),
        ("receivers", "One merchant's server never answers", receivers),
        ("units", "Calls and units of the store", units),
        ("memory", "Memory, time and cost", memory),
        ("sweep", "The sweep after an outage", sweep),
        ("shards", "Lists over many shards", shards),
        ("instructions", "Instructions", instructions),
    ];
    let measured = parts.into_iter().filter(|(part, ..)| !figures[part].is_null());
    let machine =
        format!("{}, {} cores ({}), {}.{quick}\n", text("date"), machine["cores"], text("cpu"), text("system"));
    let head = [machine, section("Goals", &goals(figures))];
    head.into_iter()
        .chain(measured.map(|(_, title, table)| section(title, &table(figures))))
        .collect::<Vec<_>>()
        .join("\n")
}

fn section(title: &str, text: &str) -> String {
    format!("### {title}\n\n{text}")
}

fn goals(figures: &Value) -> String {
    let rows = figures["goals"].as_array().into_iter().flatten().map(|goal| {
        let text = |name: &str| goal[name].as_str().unwrap_or_default().to_owned();
        let met = if goal["met"] == true { "met" } else { "missed" };
        vec![text("name"), text("goal"), text("figure"), met.to_owned()]
    });
    table(&["what", "goal", "measured", ""], &rows.collect::<Vec<_>>())
}

fn single(figures: &Value) -> String {
    let row = |function: &&str| {
        let of = &figures["single"][*function];
        vec![
            function.to_string(),
            ms(&of["ready"]["p50_us"]),
            ms(&of["first_event"]["p50_us"]),
            ms(&of["warm_event"]["p50_us"]),
            ms(&of["warm_event"]["p99_us"]),
            ms(&of["rested_event"]["p50_us"]),
            mb(&of["peak_memory_bytes"]),
            mb(&of["binary_bytes"]),
        ]
    };
    let head =
        ["function", "spawn → ready", "first event", "warm p50", "warm p99", "after a rest", "peak memory", "binary"];
    table(&head, &FUNCTIONS.iter().map(row).collect::<Vec<_>>())
}

fn cache(figures: &Value) -> String {
    let states = [
        ("absent", "no cache"),
        ("warm", "that has them"),
        ("cold", "that has none of them"),
        ("dead", "that was killed"),
        ("stopped", "that never answers"),
    ];
    let row = |(state, name): (&str, &str)| {
        let of = &figures["cache"][state];
        vec![name.to_owned(), count(&of["count"]), count(&of["hits"]), ms(&of["p50_us"]), ms(&of["p99_us"])]
    };
    table(&["final refunds, with a cache", "reads", "reads of the table saved", "p50", "p99"], &states.map(row))
}

fn end_to_end(figures: &Value) -> String {
    let rows = |kind: &str, how: &str| {
        let parts = figures["end_to_end"][kind].as_array().cloned().unwrap_or_default();
        let row = |part: &Value| {
            vec![
                format!("{} {how}", part["clients"]),
                count(&part["payments"]),
                ms(&part["post"]["p50_us"]),
                ms(&part["post"]["p99_us"]),
                count(&part["accepted_per_second"]),
                count(&part["settled_per_second"]),
                ms(&part["webhook"]["p50_us"]),
                ms(&part["webhook"]["p99_us"]),
                count(&part["lost"]),
            ]
        };
        parts.iter().map(row).collect::<Vec<_>>()
    };
    let head = [
        "clients",
        "payments",
        "POST p50",
        "POST p99",
        "accepted/s",
        "end to end/s",
        "→ webhook p50",
        "→ webhook p99",
        "lost",
    ];
    let all = [rows("paced", "at 10 a second"), rows("full", "at full speed")].concat();
    table(&head, &all)
}

fn flood(figures: &Value) -> String {
    let flood = &figures["flood"];
    let row = |name: &str, of: &Value| {
        vec![name.to_owned(), count(&of["count"]), count(&of["refused"]), ms(&of["p50_us"]), ms(&of["p99_us"])]
    };
    let rows = [
        row("alone", &flood["alone"]),
        row("beside one within its rate", &flood["beside_one_within_its_rate"]),
        row("beside one at three times its rate", &flood["beside_the_flood"]),
    ];
    let of = &flood["flood"];
    let told = format!(
        "\nThe flood: {} requests a second, {} accepted, {} refused, of which {} without Retry-After.\n",
        count(&of["sent_per_second"]),
        count(&of["accepted"]),
        count(&of["refused"]),
        count(&of["without_retry_after"])
    );
    table(&["another merchant's POST", "accepted", "refused", "p50", "p99"], &rows) + &told
}

fn receivers(figures: &Value) -> String {
    let receivers = &figures["receivers"];
    let row = |name: &str, of: &Value| {
        let busy = of["busy_ms"].as_u64().map_or_else(none, |busy_ms| format!("{} s", ratio(busy_ms, 1000)));
        vec![name.to_owned(), count(&of["count"]), count(&of["lost"]), ms(&of["p50_us"]), ms(&of["p99_us"]), busy]
    };
    let rows = [
        row("alone", &receivers["alone"]),
        row("beside 100 events a second for a server that works", &receivers["beside_works"]),
        row("beside 100 events a second for one that never answers", &receivers["beside_hangs"]),
    ];
    let (busy_ms, capacity_ms) = receivers_share(receivers);
    let told = format!(
        "\nThe server that never answers got {} attempts for {} events. The attempts took {} % of the time of all \
         copies of deliver-webhook. When it answered again, it had all events after {}.\n",
        count(&receivers["attempts"]),
        count(&receivers["events"]),
        ratio(busy_ms * 100, capacity_ms),
        ms(&receivers["delivered_after_us"])
    );
    table(&["another merchant's webhooks", "payments", "lost", "p50", "p99", "deliver-webhook"], &rows) + &told
}

fn units(figures: &Value) -> String {
    let mut rows = Vec::new();
    let steps = [
        ("create", "create: create-payment"),
        ("result", "result: call-processor"),
        ("fold", "fold: fold-balance"),
        ("deletion", "deletion of its movement: fold-balance"),
        ("delivery", "delivery: deliver-webhook"),
        ("sandbox", "the sandbox processor's own items"),
    ];
    for (step, name) in steps {
        let mut row = vec![name.to_owned()];
        for kind in ["alone", "full"] {
            let all = &figures["units"][kind];
            let (payments, of) = (all["payments"].as_u64().unwrap_or_default(), &all[step]);
            let each = |field: &str, parts: u64| ratio(of[field].as_u64().unwrap_or_default(), payments * parts);
            row.extend([each("calls", 1), each("write_units", 1), each("read_half_units", 2)]);
        }
        rows.push(row);
    }
    let sum = |kind: &str| {
        let all = &figures["units"][kind];
        ratio(all["write_units"].as_u64().unwrap_or_default(), all["payments"].as_u64().unwrap_or_default())
    };
    let empty = String::new;
    rows.push(vec![
        "write units without the sandbox's".to_owned(),
        empty(),
        sum("alone"),
        empty(),
        empty(),
        sum("full"),
        empty(),
    ]);
    let folded = count(&figures["units"]["full"]["payments"]);
    let full = |what: &str| format!("of {folded} folded together: {what}");
    let head =
        ["a payment's step", "alone: calls", "write units", "read units", &full("calls"), "write units", "read units"];
    table(&head, &rows)
}

fn memory(figures: &Value) -> String {
    let all = figures["memory"].as_object().into_iter().flatten();
    let (deployed, prices) = (Deployed::read(), Prices::read());
    let row = |(function, sizes): (&String, &Value)| {
        let cell = |size: &u64| {
            let number = |name: &str| sizes[size.to_string()][name].as_u64().unwrap_or_default();
            let (invocations, billed_ms) = (number("invocations"), number("billed_ms"));
            // Of ten million invocations.
            let mb_ms = (billed_ms * size * 10_000_000).checked_div(invocations).unwrap_or_default();
            let cost = prices.as_ref().map_or_else(
                |_| none(),
                |prices| {
                    let gb_seconds = Quantity::whole(mb_ms).share(1, 1024 * 1000);
                    prices.get("lambda_gb_second").of_month(gb_seconds).shown()
                },
            );
            let mark = if deployed.memory(function) == *size { "**" } else { "" };
            format!("{mark}{} ms, {cost} ${mark}", ratio(billed_ms, invocations))
        };
        [vec![function.clone()], SIZES.iter().map(cell).collect()].concat()
    };
    let head = [vec!["function".to_owned()], SIZES.iter().map(|size| format!("{size} MB")).collect()].concat();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let told = "\nBilled milliseconds of an invocation, and dollars of ten million invocations' time. The template's size \
         is bold. The processor's and the merchants' answer times, for which memory is paid too, are not in it.\n";
    table(&head, &all.map(row).collect::<Vec<_>>()) + told
}

fn sweep(figures: &Value) -> String {
    let of = &figures["sweep"];
    let number = |name: &str| of[name].as_u64().unwrap_or_default();
    let row = |what: &str, figure: String| vec![what.to_owned(), figure];
    let rows = [
        row("items a minute, on a table without limits, beside that table", count(&of["items_per_minute"])),
        row("CPU time of the function for an item", format!("{} µs", ratio(number("cpu_ns_per_item"), 1000))),
        row("items a minute that one core can do", count(&of["items_per_minute_and_core"])),
        row("calls of an item", ratio(number("calls_per_100_items"), 100)),
        row("peak memory", mb(&(number("peak_memory_kb") * 1024).into())),
        row(
            &format!("claim of another merchant's retry behind {} dead deliveries", count(&of["dead"])),
            ms(&(number("neighbour_late_ms") * 1000).into()),
        ),
    ];
    table(&["what", "measured"], &rows)
}

fn shards(figures: &Value) -> String {
    let row = |of: &Value| {
        let at = |start: &str| [ms(&of[start]["us"]), ms(&of[start]["cpu_us"])];
        [vec![count(&of["shards"])], at("cold").to_vec(), at("warm").to_vec()].concat()
    };
    let rows: Vec<_> = figures["shards"].as_array().into_iter().flatten().map(row).collect();
    table(&["shards", "first list of a process", "CPU time", "next list", "CPU time"], &rows)
}

fn instructions(figures: &Value) -> String {
    let all = &figures["instructions"];
    let row =
        |function: &str| vec![function.to_owned(), count(&all[function]["start"]), count(&all[function]["each_event"])];
    table(&["function", "start", "each event"], &["create-payment", EMPTY].map(row))
}

/// Writes the tables of the run in `json` between the markers in `page`, and its figures to the file that `make cost`
/// reads. `Err` is a sentence.
pub fn write(json: &Path, page: &Path) -> Result<(), String> {
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let figures = read(json).map_err(|why| format!("{why}: run `make bench` first"))?;
    let figures: Value = serde_json::from_str(&figures).map_err(|error| format!("{}: {error}", json.display()))?;
    let text = read(page)?;
    let written =
        between(&text, BEGIN, &tables(&figures)).ok_or_else(|| format!("{} lacks its markers", page.display()))?;
    fs::write(page, written).map_err(|error| format!("{}: {error}", page.display()))?;
    Run::of_bench(json).map_or(Ok(()), |run| run.commit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_run_has_the_tables_of_its_parts() {
        let tables = tables(&serde_json::json!({"single": {}}));
        assert!(tables.contains("| create-payment ") && !tables.contains("shards"), "{tables}");
    }
}
