//! `make bench` measures speed, size and cost of the functions on this machine; `make performance` writes a run's
//! figures into docs/performance.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "like the tests, it is never deployed")]

mod cached;
mod encrypted;
mod end_to_end;
mod events;
mod flood;
mod goals;
mod instructions;
mod load;
mod page;
mod plan;
mod receivers;
mod resources;
mod shards;
mod single;
mod stand_in;
mod steps;
mod sweep;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use spillway_bench::cost::deployed::Deployed;
use spillway_bench::cost::figures::Run;
use spillway_bench::cost::report;
use spillway_bench::show;
use spillway_tests::machine::machine;
use tokio::signal::unix::{SignalKind, signal};

use plan::Plan;

#[tokio::main]
async fn main() -> ExitCode {
    let json = variable("BENCH_JSON").unwrap_or_else(|| ".local/bench.json".to_owned());
    let result = match std::env::args().nth(1) {
        Some(page) => page::write(Path::new(&json), Path::new(&page)),
        None => {
            let (mut hangup, mut terminate) =
                (signal(SignalKind::hangup()).unwrap(), signal(SignalKind::terminate()).unwrap());
            // What was started ends with the future.
            tokio::select! {
                result = bench(Path::new(&json)) => result,
                _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
                _ = terminate.recv() => Err("interrupted".to_owned()),
                _ = hangup.recv() => Err("interrupted".to_owned()),
            }
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(log) => {
            // The last line of an ended runner says why it ended.
            eprintln!("bench: {}", log.lines().last().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

async fn bench(json: &Path) -> Result<(), String> {
    let quick = variable("QUICK").is_some_and(|value| value != "0");
    let plan = if quick { Plan::QUICK } else { Plan::FULL };
    // `PARTS=units,resources` measures these parts only.
    let wanted = |part: &str| variable("PARTS").is_none_or(|parts| parts.split(',').any(|wanted| wanted == part));
    let needed = |function: &&&str| **function != single::EMPTY || wanted("single") || wanted("instructions");
    for function in single::FUNCTIONS.iter().filter(needed) {
        let binary = single::binary(function);
        if !binary.exists() {
            return Err(format!("there is no {}: start this with `make bench`, which builds it", binary.display()));
        }
    }
    let mut figures = json!({"quick": quick, "machine": machine()});
    // Written after each part, so that the failure of a later one does not lose it.
    let mut keep = |part: &str, measured: Value| {
        figures[part] = measured;
        write(json, &figures).map_err(|error| format!("{}: {error}", json.display()))
    };
    if wanted("single") {
        keep("single", single::measure(&plan).await?)?;
    }
    if wanted("cache") {
        keep("cache", cached::measure(&plan).await?)?;
    }
    if wanted("end_to_end") {
        keep("end_to_end", end_to_end::measure(&plan).await?)?;
    }
    if wanted("flood") {
        keep("flood", flood::measure(&plan).await?)?;
    }
    if wanted("receivers") {
        keep("receivers", receivers::measure(&plan).await?)?;
    }
    if wanted("units") {
        keep("units", steps::measure(&plan).await?)?;
    }
    if wanted("resources") {
        keep("resources", json!(resources::measure(&plan).await?))?;
    }
    if wanted("memory") {
        match resources::memory::measure(&plan).await {
            Ok(memory) => keep("memory", memory)?,
            // Control groups are root's.
            Err(error) => eprintln!("memory: {}", error.lines().last().unwrap_or_default()),
        }
    }
    if wanted("shards") {
        keep("shards", shards::measure().await?)?;
    }
    if wanted("sweep") {
        keep("sweep", sweep::measure(&plan).await?)?;
    }
    if wanted("instructions") {
        keep("instructions", instructions::measure(&plan).await?)?;
    }
    figures["goals"] = goals::judge(&figures);
    write(json, &figures).map_err(|error| format!("{}: {error}", json.display()))?;
    if page::PARTS.iter().any(|part| wanted(part)) {
        println!("{}", page::tables(&figures));
    }
    if let Some(run) = Run::of_bench(json) {
        println!("### What a payment uses\n\n{}", report::resources(&run.resources, &Deployed::read()));
    }
    println!("The figures are in {}.", json.display());
    Ok(())
}

fn write(json: &Path, figures: &Value) -> std::io::Result<()> {
    if let Some(folder) = json.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(json, format!("{figures:#}\n"))
}
