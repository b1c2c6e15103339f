//! Bills and figures as tables for people, and as JSON for machines.

use serde_json::{Value, json};

use super::Known;
use super::bill::{Bill, Line};
use super::containers::Size;
use super::deployed::Deployed;
use super::figures::{Figures, Measured, Used};
use super::load::{Batches, Load};
use super::money::Quantity;
use super::serverless::{lambdas_bytes, micros_on_lambda};
use crate::show::{ratio, table};

/// What `make cost` prints.
pub fn text(load: &Load, known: &Known) -> String {
    let (bill, containers) = (known.serverless(load), known.containers(load));
    let together = known.serverless(&load.with(Batches::Together)).total();
    let idle = known.serverless(&Load { requests_a_day: 0, ..*load }).total();
    let rest = [
        format!(
            "At most, each payment alone:   {:>14} $ a month, {}.",
            bill.total().shown(),
            per_thousand(&bill, load)
        ),
        format!("At least, every batch full:    {:>14} $ a month.", together.shown()),
        format!("With no requests and no data:  {:>14} $ a month.", idle.shown()),
        format!(
            "Containers and a database:     {:>14} $ a month ({}).",
            containers.total().shown(),
            Size::of(load).shown()
        ),
    ];
    format!("{}\n\n{}\n{}\n", assumed(load, known), lines(&bill), rest.join("\n"))
}

/// The same for machines; amounts in microdollars.
pub fn json(load: &Load, known: &Known) -> Value {
    let bill_of = |bill: &Bill| {
        let line = |line: &Line| {
            json!({"what": line.what, "quantity": line.quantity.shown(), "unit": line.unit, "price": line.price,
                "microdollars": line.dollars.micros()})
        };
        json!({"lines": bill.lines.iter().map(line).collect::<Vec<_>>(), "microdollars": bill.total().micros()})
    };
    let of = |batches: Batches| bill_of(&known.serverless(&load.with(batches)));
    json!({"requests_a_day": load.requests_a_day, "region": known.prices.region, "prices_of": known.prices.looked_up,
        "at_most": of(Batches::Alone), "at_least": of(Batches::Together), "containers": bill_of(&known.containers(load))})
}

/// Assumptions of the bill.
fn assumed(load: &Load, known: &Known) -> String {
    let requests = load_in_words(load);
    let machine = &known.run.machine;
    let text = |name: &str| machine[name].as_str().unwrap_or_default();
    let prices = &known.prices;
    format!(
        "{requests}\nPrices of {}, {}, without free tiers. Figures measured {} on {}.",
        prices.region,
        prices.looked_up,
        text("date"),
        text("cpu")
    )
}

/// The load in words.
pub fn load_in_words(load: &Load) -> String {
    format!(
        "{} requests a day from {} keys: {} % create a payment, {} % get one, {} % list them, {} % ask for the balance.\n\
         One webhook endpoint each. The processor answers in {} ms, endpoints in {} ms. Payments are kept {} months.",
        Quantity::whole(load.requests_a_day).shown(),
        load.keys,
        load.payments_percent,
        load.gets_percent(),
        load.lists_percent,
        load.balances_percent,
        load.processor_ms,
        load.endpoint_ms,
        load.months
    )
}

/// A bill, line by line.
pub fn lines(bill: &Bill) -> String {
    let row = |line: &Line| {
        let quantity = format!("{} {}", line.quantity.shown(), line.unit);
        vec![line.what.clone(), quantity, line.price.clone(), line.dollars.shown()]
    };
    let mut rows: Vec<_> = bill.lines.iter().map(row).collect();
    rows.push(vec!["**all**".to_owned(), String::new(), String::new(), bill.total().shown()]);
    table(&["what", "a month", "price, from", "dollars"], &rows)
}

/// What a thousand payments cost, in words.
pub fn per_thousand(bill: &Bill, load: &Load) -> String {
    match load.payments().rounded_up() {
        0 => "no payments".to_owned(),
        payments => format!("{} $ for 1,000 payments", (bill.total() * 1000 / payments).shown()),
    }
}

/// What a payment uses, function by function.
pub fn resources(figures: &Figures, deployed: &Deployed) -> String {
    let rows = |measured: &Measured, order: &[&str]| -> Vec<Vec<String>> {
        let named = order.iter().filter_map(|name| Some((*name, measured.functions.get(*name)?)));
        named.map(|(name, used)| row(name, used, measured.count, gb_seconds(name, used, deployed))).collect()
    };
    let of_payments = |measured: &Measured| {
        let order = ["create-payment", "dispatch-changes", "call-processor", "fold-balance", "deliver-webhook"];
        let mut rows = rows(measured, &order);
        let parts = measured.functions.iter().map(|(name, used)| gb_seconds(name, used, deployed));
        let sum = parts.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        rows.push(row("all", &measured.all(), measured.count, sum));
        table(&HEAD, &rows)
    };
    let others: Vec<_> =
        figures.requests.iter().flat_map(|(name, measured)| rows(measured, &[name.as_str()])).collect();
    let parts = [
        format!("#### A payment alone (the mean of {})\n\n{}", figures.alone.count, of_payments(&figures.alone)),
        format!("#### One of {} that come together\n\n{}", figures.together.count, of_payments(&figures.together)),
        format!("#### Other requests, and each minute\n\n{}", table(&HEAD, &others)),
        format!(
            "Beside that: one API Gateway request for each request, {} custom metrics in all, no stream reads (Lambda's \
             own are free). A payment leaves {} bytes in the table and its indexes for ever, and {} for {} days. A call of the store took at least {} \
             ms, one of the queues {} ms. Lambda adds {} bytes of log to each invocation.\n",
            deployed.metrics,
            figures.kept_bytes.checked_div(figures.together.count).unwrap_or_default(),
            figures.expiring_bytes.checked_div(figures.together.count).unwrap_or_default(),
            deployed.retention_days,
            figures.store_ms,
            figures.queue_ms,
            if deployed.lambdas_lines { lambdas_bytes() } else { 0 }
        ),
    ];
    parts.join("\n")
}

const HEAD: [&str; 11] = [
    "function",
    "invocations",
    "ms billed",
    "ms on a core",
    "GB-s here",
    "GB-s on Lambda",
    "write units",
    "read units",
    "SQS requests",
    "log bytes",
    "bytes out",
];

/// Megabytes × microseconds, as measured and as slow as Lambda may be.
fn gb_seconds(name: &str, used: &Used, deployed: &Deployed) -> (u64, u64) {
    let memory = deployed.memory(name);
    (used.billed_ms * 1000 * memory, micros_on_lambda(used, memory) * memory)
}

fn row(name: &str, used: &Used, count: u64, (here, on_lambda): (u64, u64)) -> Vec<String> {
    let each = |value: u64| ratio(value, count);
    // To four digits: a ten-thousandth of a GB-second is 102,400 of these.
    let ten_thousandths = |value: u64| {
        let rounded = value.checked_div(count * 102_400).unwrap_or_default();
        format!("{}.{:04}", rounded / 10_000, rounded % 10_000)
    };
    vec![
        name.to_owned(),
        each(used.invocations),
        each(used.billed_ms),
        ratio(used.cpu_us, count * 1000),
        ten_thousandths(here),
        ten_thousandths(on_lambda),
        each(used.write_units),
        ratio(used.read_half_units, count * 2),
        each(used.queue_requests()),
        used.log_bytes.checked_div(count).unwrap_or_default().to_string(),
        used.bytes_out.checked_div(count).unwrap_or_default().to_string(),
    ]
}
