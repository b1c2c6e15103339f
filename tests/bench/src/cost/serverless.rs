//! The bill of Spillway as it is deployed.

use super::bill::Bill;
use super::deployed::Deployed;
use super::figures::{Figures, Measured, Used};
use super::load::{Batches, HOURS, Load};
use super::money::Quantity;
use super::prices::Prices;

/// Bytes of a GB in AWS's bills.
pub const GB: u128 = 1 << 30;
/// "At 1,769 MB, a function has the equivalent of one vCPU", and less in proportion:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>.
pub const MEGABYTES_OF_A_CPU: u64 = 1769;
/// Bytes that CloudWatch adds to each line:
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>.
pub const BYTES_OF_A_LINE: u64 = 26;
/// Percentage of the ingested bytes that compressed storage takes.
pub const KEPT_PERCENT: u128 = 15;
/// Estimated bytes of a request to a card processor: one of Stripe's, with headers.
pub const PROCESSOR_BYTES: u64 = 2000;
/// Lambda polls a queue with five requests at once, each of 20 seconds, also while the queue is empty and with any
/// maximum concurrency: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>.
const LOOKS_A_MINUTE: u64 = 15;

/// Lambda's own lines about an invocation, at the level INFO. Source: Lambda Telemetry API, "Event schema".
const LAMBDAS_LINES: [&str; 2] = [
    r#"{"time":"2026-01-31T12:00:00.123Z","type":"platform.start","record":{"requestId":"79b4f56e-95b1-4643-9700-2807f4e68189","version":"12"}}"#,
    r#"{"time":"2026-01-31T12:00:00.123Z","type":"platform.report","record":{"requestId":"79b4f56e-95b1-4643-9700-2807f4e68189","metrics":{"durationMs":12.345,"billedDurationMs":13,"memorySizeMB":256,"maxMemoryUsedMB":32},"status":"success"}}"#,
];

/// Resources of a function, and how often they are used in a month.
struct Part<'figures> {
    function: &'figures str,
    used: &'figures Used,
    /// Number of occurrences that the resources are for.
    per: u64,
    a_month: Quantity,
}

/// A month of this load.
pub fn bill(load: &Load, figures: &Figures, deployed: &Deployed, prices: &Prices) -> Bill {
    let parts = parts(load, figures, deployed);
    let sum = |field: &dyn Fn(&Part) -> u64| -> Quantity {
        parts.iter().map(|part| part.a_month.share(u128::from(field(part)), u128::from(part.per))).sum()
    };
    let minutes = Quantity::whole(HOURS * 60);
    let moved = sum(&|part| part.used.queue_requests());
    let log_bytes = sum(&|part| log_bytes(part.used, deployed));
    let kept_gb = load.stored_gb(figures, deployed.retention_days);
    let mut bill = Bill::default();
    let mut add = |price: &str, quantity: Quantity| bill.add(prices.get(price), quantity);
    add("gateway_request", load.requests());
    add("lambda_request", sum(&|part| part.used.invocations));
    // A GB is 1,024 MB, a second a million microseconds.
    let megabyte_micros = sum(&|part| micros(part, load, deployed) * deployed.memory(part.function));
    add("lambda_gb_second", megabyte_micros.share(1, 1024 * 1_000_000));
    add("write_unit", sum(&|part| part.used.write_units));
    add("read_unit", sum(&|part| part.used.read_half_units).share(1, 2));
    add("stream_read", Quantity::default());
    add("table_gb", kept_gb);
    add("recovery_gb", kept_gb);
    add("queue_request", moved + minutes * deployed.polled_queues * LOOKS_A_MINUTE);
    add("fair_queue_request", moved);
    add("lambda_log_gb", log_bytes.share(1, GB));
    add("log_kept_gb", log_bytes.share(KEPT_PERCENT, 100 * GB));
    add("metric", Quantity::whole(deployed.metrics));
    add("alarm_metric", Quantity::whole(deployed.alarm_metrics));
    add("composite_alarm", Quantity::whole(deployed.composite_alarms));
    add("dashboard", Quantity::whole(deployed.dashboards));
    add("schedule", minutes);
    add("secret", Quantity::whole(1));
    add("out_gb", (sum(&|part| part.used.bytes_out) + load.payments() * PROCESSOR_BYTES).share(1, GB));
    bill
}

fn parts<'figures>(load: &Load, figures: &'figures Figures, deployed: &Deployed) -> Vec<Part<'figures>> {
    let payments = match load.batches {
        Batches::Alone => &figures.alone,
        Batches::Together => &figures.together,
    };
    let mut parts = Vec::new();
    let mut add = |measured: &'figures Measured, a_month: Quantity| {
        let part = |(function, used): (&'figures String, &'figures Used)| Part {
            function,
            used,
            per: measured.count,
            a_month,
        };
        parts.extend(measured.functions.iter().map(part));
    };
    add(payments, load.payments());
    let others = [
        ("get-payment", load.of_requests(load.gets_percent())),
        ("list-payments", load.of_requests(load.lists_percent)),
        ("get-balance", load.of_requests(load.balances_percent)),
        ("authenticate", load.authorizations(deployed.remembered_s)),
        ("enqueue-due", Quantity::whole(HOURS * 60)),
    ];
    for (name, a_month) in others {
        if let Some(measured) = figures.requests.get(name) {
            add(measured, a_month);
        }
    }
    parts
}

/// Billed microseconds, including waits for processors and receivers that the measurement did not have.
fn micros(part: &Part, load: &Load, deployed: &Deployed) -> u64 {
    let used = part.used;
    let waited_ms = match part.function {
        "call-processor" => load.processor_ms,
        "deliver-webhook" => load.endpoint_ms,
        _ => 0,
    };
    micros_on_lambda(used, deployed.memory(part.function)) + used.invocations * waited_ms * 1000
}

/// The measured time, with CPU time stretched as Lambda gives a small function less of a core.
pub fn micros_on_lambda(used: &Used, memory: u64) -> u64 {
    used.billed_ms * 1000 + used.cpu_us * MEGABYTES_OF_A_CPU.saturating_sub(memory) / memory.max(1)
}

/// Bytes that CloudWatch bills for the function's lines and Lambda's own.
fn log_bytes(used: &Used, deployed: &Deployed) -> u64 {
    let (bytes, lines) = match deployed.functions_lines {
        true => (used.log_bytes, used.log_lines),
        false => (used.metric_bytes, used.metric_lines),
    };
    let functions = bytes + lines * BYTES_OF_A_LINE;
    let lambdas = if deployed.lambdas_lines { used.invocations * lambdas_bytes() } else { 0 };
    functions + lambdas
}

/// Bytes of Lambda's own lines for one invocation.
pub fn lambdas_bytes() -> u64 {
    LAMBDAS_LINES.iter().map(|line| u64::try_from(line.len()).unwrap_or_default() + BYTES_OF_A_LINE).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two payments, each with one invocation of this function.
    fn figures(function: &str, used: Used) -> Figures {
        let functions = [(function.to_owned(), used)].into();
        let of_two = Measured { count: 2, functions };
        let (alone, together) = (of_two.clone(), of_two);
        Figures { alone, together, kept_bytes: 2048, expiring_bytes: 2048, ..Figures::default() }
    }

    /// 24,000 payments a day and no other requests: 730,000 a month.
    fn month(figures: &Figures) -> Bill {
        let load = Load { payments_percent: 100, lists_percent: 0, balances_percent: 0, ..Load::of(24_000) };
        bill(&load, figures, &Deployed::read(), &Prices::read().unwrap())
    }

    fn shown(bill: &Bill, what: &str) -> (String, String) {
        let line = bill.lines.iter().find(|line| line.what == what).unwrap();
        (line.quantity.shown(), line.dollars.shown())
    }

    #[test]
    fn a_month_is_what_a_payment_uses_times_730_000() {
        let used = Used {
            invocations: 2,
            billed_ms: 20,
            cpu_us: 512,
            log_lines: 2,
            log_bytes: 748,
            write_units: 6,
            read_half_units: 4,
            sends: 2,
            bytes_out: 294_912,
            ..Used::default()
        };
        let bill = month(&figures("create-payment", used));
        let is = |what: &str, quantity: &str, dollars: &str| {
            assert_eq!(shown(&bill, what), (quantity.to_owned(), dollars.to_owned()), "{what}");
        };
        // 730,000 at 3.50 and at 0.20 a million.
        is("API Gateway, REST: requests", "730,000", "2.56");
        is("Lambda: invocations", "730,000", "0.15");
        // 10 ms each, and 256 us of a core, which with 256 of 1,769 MB take 1,513 us longer: 11.513 ms of a quarter GB.
        is("Lambda, arm64: time × memory", "2,101", "0.03");
        // Three units each at 0.625 a million; two halves each at 0.125.
        is("DynamoDB: write units", "2,190,000", "1.37");
        is("DynamoDB: read units", "730,000", "0.09");
        // Twelve months of 1 KB each, 8,760,000, and 30 days of 1 KB each, 720,000: / 1,048,576 GB.
        is("DynamoDB: table", "9.04", "2.26");
        is("DynamoDB: point-in-time recovery", "9.04", "1.81");
        // One each, and 3 queues × 15 looks × 43,800 minutes.
        is("SQS: requests", "2,701,000", "1.08");
        is("SQS: fairness between merchants", "730,000", "0.07");
        // 374 bytes and 26 more are 400 each: 730,000 × 400 / 2^30.
        is("CloudWatch Logs: lines of functions", "0.27", "0.14");
        // 147,456 bytes and the processor's 2,000: 730,000 × 149,456 / 2^30.
        is("Data sent to the internet", "102", "9.14");
    }

    #[test]
    fn lambdas_own_lines_are_billed_at_the_level_info() {
        let used = Used { invocations: 2, ..Used::default() };
        let mut deployed = Deployed::read();
        deployed.lambdas_lines = true;
        let load = Load { payments_percent: 100, lists_percent: 0, balances_percent: 0, ..Load::of(24_000) };
        let bill = bill(&load, &figures("create-payment", used), &deployed, &Prices::read().unwrap());
        // 730,000 × 423 / 2^30, cut to two places.
        assert_eq!(lambdas_bytes(), 423);
        assert_eq!(shown(&bill, "CloudWatch Logs: lines of functions").0, "0.28");
    }

    #[test]
    fn waiting_time_is_billed() {
        let used = Used { invocations: 2, ..Used::default() };
        // 730,000 × 0.5 s of an eighth of a GB; 0.2 s; nothing.
        for (function, gb_seconds) in
            [("call-processor", "45,625"), ("deliver-webhook", "18,250"), ("fold-balance", "0")]
        {
            let bill = month(&figures(function, used));
            assert_eq!(shown(&bill, "Lambda, arm64: time × memory").0, gb_seconds, "{function}");
        }
    }

    #[test]
    fn the_sweep_is_billed_every_minute_without_requests() {
        let tick = Used { invocations: 1, read_half_units: 144, ..Used::default() };
        let mut figures = figures("create-payment", Used { invocations: 2, write_units: 2, ..Used::default() });
        let measured = Measured { count: 1, functions: [("enqueue-due".to_owned(), tick)].into() };
        figures.requests.insert("enqueue-due".to_owned(), measured);
        let bill = bill(&Load::of(0), &figures, &Deployed::read(), &Prices::read().unwrap());
        // 43,800 minutes, 72 units each, at 0.125 a million.
        assert_eq!(shown(&bill, "DynamoDB: read units"), ("3,153,600".to_owned(), "0.39".to_owned()));
        assert_eq!(shown(&bill, "DynamoDB: write units").0, "0");
        assert_eq!(shown(&bill, "SQS: requests"), ("1,971,000".to_owned(), "0.79".to_owned()));
    }
}
