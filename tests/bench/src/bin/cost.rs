//! `make cost REQUESTS=500000`: what that many requests a day cost a month; and `make cost-page`, which puts the last
//! run's figures and what they cost into the repository.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use spillway_bench::cost::figures::Run;
use spillway_bench::cost::load::Load;
use spillway_bench::cost::{Known, page, report};
use spillway_tests::tool::wants_json;

/// Where the figures of the repository are.
const FIGURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/figures.json");

fn main() -> ExitCode {
    let json = std::env::var("BENCH_JSON").unwrap_or_else(|_| ".local/bench.json".to_owned());
    let measured = Run::of_bench(Path::new(&json));
    let page = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let done = match page {
        Some(page) => write(measured, Path::new(&page)),
        None => print(measured),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// By one's own run, or, where there is none, by that of the repository.
fn print(measured: Option<Run>) -> Result<(), String> {
    let load = Load::from_environment()?;
    let known = Known::by(measured.map_or_else(Run::committed, Ok)?)?;
    match wants_json() {
        true => println!("{:#}", report::json(&load, &known)),
        false => print!("{}", report::text(&load, &known)),
    }
    Ok(())
}

/// A whole run of one's own takes the place of that of the repository.
fn write(measured: Option<Run>, page: &Path) -> Result<(), String> {
    let run = match measured.filter(|run| !run.quick) {
        Some(run) => {
            fs::write(FIGURES, run.text()?).map_err(|error| format!("{FIGURES}: {error}"))?;
            run
        }
        None => Run::committed()?,
    };
    page::write(&Known::by(run)?, page)
}
