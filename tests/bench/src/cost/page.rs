//! docs/cost.md: the part of it that is calculated.

use std::fs;
use std::path::Path;

use super::Known;
use super::bill::Bill;
use super::changes::savings;
use super::containers::{Size, crossover, times};
use super::load::{Batches, Load};
use super::money::Quantity;
use super::report::{lines, load_in_words, per_thousand, resources};
use crate::show::{between, table};

/// Where the part begins and ends.
pub const BEGIN: &str = "<!-- figures: made by `make cost-page`, not by hand -->";
const LOADS: [u64; 3] = [5_000, 500_000, 50_000_000];

/// All that is calculated.
pub fn calculated(known: &Known) -> String {
    let machine = &known.run.machine;
    let text = |name: &str| machine[name].as_str().unwrap_or_default();
    let quick = if known.run.quick { " A quick run: times and what follows from them are rough." } else { "" };
    [
        format!(
            "Measured {} on {} cores ({}), {}.{quick} Prices of {}, looked up {}.\n",
            text("date"),
            machine["cores"],
            text("cpu"),
            text("system"),
            known.prices.region,
            known.prices.looked_up
        ),
        format!("### A month, in dollars\n\n{}", comparison(known)),
        format!("### Where the two cross\n\n{}", crossing(known)),
        format!("### What dominates, and what to do about it\n\n{}", operator(known)),
        format!("### 500,000 requests a day, line by line\n\n{}", lines(&known.serverless(&Load::of(LOADS[1])))),
        format!("### What a payment uses\n\n{}", resources(&known.run.resources, &known.deployed)),
    ]
    .join("\n")
}

fn comparison(known: &Known) -> String {
    let loads = LOADS.map(Load::of);
    let row = |name: &str, of: &dyn Fn(&Load) -> String| {
        let mut row = vec![name.to_owned()];
        row.extend(loads.iter().map(of));
        row
    };
    let least = |load: &Load| known.serverless(&load.with(Batches::Together)).total();
    let rows = [
        row("**Spillway**, each payment alone: at most", &|load| known.serverless(load).total().shown()),
        row("the same for 1,000 payments", &|load| {
            per_thousand(&known.serverless(load), load).trim_end_matches(" $ for 1,000 payments").to_owned()
        }),
        row("Spillway, every batch full: at least", &|load| least(load).shown()),
        row("of it table, recovery and logs kept", &|load| kept(&known.serverless(load)).shown()),
        row("Spillway with no requests and no data", &|_| known.serverless(&Load::of(0)).total().shown()),
        row("**containers and a database**", &|load| known.containers(load).total().shown()),
        row("sized", &|load| Size::of(load).shown()),
    ];
    let day = LOADS.map(|requests| format!("{} a day", Quantity::whole(requests).shown()));
    let head: Vec<&str> = std::iter::once("").chain(day.iter().map(String::as_str)).collect();
    let words = load_in_words(&loads[0]);
    let assumed = words.split_once(": ").map_or("", |(_, rest)| rest).replace('\n', " ");
    format!("{}\nAssumed: {} keys; {assumed}\n", table(&head, &rows), loads[0].keys)
}

fn kept(bill: &Bill) -> super::money::Money {
    let names = ["DynamoDB: table", "DynamoDB: point-in-time recovery", "CloudWatch Logs: kept a month"];
    names.iter().map(|name| bill.dollars(name)).sum()
}

fn crossing(known: &Known) -> String {
    let dearer = |batches: Batches| {
        move |requests: u64| {
            let load = Load::of(requests).with(batches);
            known.serverless(&load).total() > known.containers(&load).total()
        }
    };
    let shown = |found: Option<u64>| match found {
        None => "never, up to a billion requests a day".to_owned(),
        Some(requests) => format!("from about {} requests a day on", Quantity::whole(rounded(requests)).shown()),
    };
    let most = Load::of(LOADS[2]);
    let (spillway, containers) = (known.serverless(&most).total(), known.containers(&most).total());
    let compared = match spillway > containers {
        true => format!("Spillway costs {} times as much", times(spillway, containers)),
        false => format!("the containers cost {} times as much", times(containers, spillway)),
    };
    format!(
        "Spillway is the dearer one {} if each payment comes alone, and {} if every batch is full. At 50 million a day \
         {compared}.\n",
        shown(crossover(dearer(Batches::Alone))),
        shown(crossover(dearer(Batches::Together)))
    )
}

/// Two digits: the bill is no more exact than that.
fn rounded(requests: u64) -> u64 {
    let unit = 10_u64.pow(requests.max(1).ilog10().saturating_sub(1));
    (requests + unit / 2) / unit * unit
}

fn operator(known: &Known) -> String {
    let load = Load::of(LOADS[2]);
    let bill = known.serverless(&load);
    let total = bill.total();
    let parts = bill.dearest().into_iter().take(5);
    let parts: Vec<String> = parts.map(|line| format!("{} {} %", line.what, line.dollars.percent_of(total))).collect();
    let rows: Vec<Vec<String>> = savings(&load, known)
        .into_iter()
        .map(|(change, saved)| vec![change.to_owned(), saved.shown_whole(), format!("{} %", saved.percent_of(total))])
        .collect();
    format!(
        "At 50 million requests a day, of {} dollars: {}.\n\n{}",
        total.shown_whole(),
        parts.join(", "),
        table(&["change", "saves a month", "of the bill"], &rows)
    )
}

/// Writes what is calculated between the markers in `page`. The error is a sentence.
pub fn write(known: &Known, page: &Path) -> Result<(), String> {
    let text = fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let written = between(&text, BEGIN, &calculated(known));
    let written = written.ok_or_else(|| format!("{} lacks its markers", page.display()))?;
    fs::write(page, written).map_err(|error| format!("{}: {error}", page.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::figures::Run;

    #[test]
    fn the_page_is_what_is_calculated() {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cost.md")).unwrap();
        let known = Known::by(Run::committed().unwrap()).unwrap();
        let calculated = between(&page, BEGIN, &calculated(&known)).expect("docs/cost.md has its markers");
        assert!(page == calculated, "docs/cost.md is not what prices, figures and template come to: make cost-page");
    }

    #[test]
    fn a_crossover_is_told_with_two_digits() {
        assert_eq!([999, 1_049, 1_050, 23_499_999].map(rounded), [1_000, 1_000, 1_100, 23_000_000]);
    }
}
