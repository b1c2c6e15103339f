//! What an operator could do about a bill, and what it would save.

use super::Known;
use super::load::Load;
use super::money::Money;

/// Of the provisioned write units, how many of a hundred are used on average.
const USED_PERCENT: u64 = 50;

type Change = (&'static str, fn(&mut Known, &mut Load));

const CHANGES: [Change; 5] = [
    ("provisioned write capacity, half of it used (on demand nothing is paid for at night)", |known, _| {
        let hour = known.prices.get("write_capacity_hour").first();
        let write = known.prices.get("write_unit").flat("provisioned", hour * 100 / (3600 * USED_PERCENT));
        known.prices = known.prices.with("write_unit", write);
    }),
    (
        "an HTTP API instead of the REST API (it has no usage plans: to throttle each merchant is then our code)",
        |known, _| {
            known.prices = known.prices.with("gateway_request", known.prices.get("gateway_http_request").clone());
        },
    ),
    ("`SystemLogLevel: WARN`: Lambda writes no lines about what went well", |known, _| {
        known.deployed.lambdas_lines = false;
    }),
    ("`LogLevel=warn`: nor do the functions; metrics and alarms stay", |known, _| {
        known.deployed.functions_lines = false;
    }),
    ("payments stay 3 months in the table, then only in an export (it would help the other stack too)", |_, load| {
        load.months = load.months.min(3)
    }),
];

/// Each change, with what it saves in a month of this load; then all of them.
pub fn savings(load: &Load, known: &Known) -> Vec<(&'static str, Money)> {
    let usual = known.serverless(load).total();
    let saved = |changes: &[Change]| {
        let (mut known, mut load) = (known.clone(), *load);
        changes.iter().for_each(|(_, change)| change(&mut known, &mut load));
        usual - known.serverless(&load).total()
    };
    let each = CHANGES.iter().map(|change| (change.0, saved(&[*change])));
    each.chain([("all of these", saved(&CHANGES))]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::figures::{Figures, Measured, Run, Used};

    #[test]
    fn each_change_saves_on_its_line() {
        // Each payment writes three units and leaves 1,074 bytes.
        let used = Used { write_units: 3, ..Used::default() };
        let alone = Measured { count: 1, functions: [("create-payment".to_owned(), used)].into() };
        let resources = Figures { together: alone.clone(), alone, kept_bytes: 1074, ..Figures::default() };
        let known = Known::by(Run { machine: serde_json::Value::Null, quick: true, resources }).unwrap();
        let load = Load { payments_percent: 100, lists_percent: 0, balances_percent: 0, ..Load::of(24_000) };
        let saved: Vec<String> = savings(&load, &known).into_iter().map(|(_, saved)| saved.shown()).collect();
        // 730,000 payments. 2,190,000 units at 0.625 a million are 1.36875; a unit-hour of 0.00065 that is half used
        // writes 1,800 units, so they are 0.79083 then. A request at 3.50 or 1.00 a million: 730,000 × 2.50. No lines.
        // Nine months less of 730,000 × 1,074 bytes are 6.5717 GB at 0.45.
        assert_eq!(saved, ["0.58", "1.83", "0.00", "0.00", "2.96", "5.36"]);
    }
}
