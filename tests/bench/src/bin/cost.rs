//! `make cost REQUESTS=500000`: what that many requests a day cost a month.

use std::path::Path;
use std::process::ExitCode;

use spillway_bench::cost::figures::Run;
use spillway_bench::cost::load::Load;
use spillway_bench::cost::{Known, report};
use spillway_tests::tool::wants_json;

fn main() -> ExitCode {
    let json = std::env::var("BENCH_JSON").unwrap_or_else(|_| ".local/bench.json".to_owned());
    match print(Run::of_bench(Path::new(&json))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Uses the figures of the last `make bench`, or else those in the repository.
fn print(measured: Option<Run>) -> Result<(), String> {
    let load = Load::from_environment()?;
    let known = Known::by(measured.map_or_else(Run::committed, Ok)?)?;
    match wants_json() {
        true => println!("{:#}", report::json(&load, &known)),
        false => print!("{}", report::text(&load, &known)),
    }
    Ok(())
}
