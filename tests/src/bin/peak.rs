//! `make peak`: a growing business and its weekend on its own stack, by the clock. `peak docs/scale.md docs/images/peak.svg`
//! writes the figures of the last runs into that page, and their plot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use spillway_tests::machine::machine;
use spillway_tests::peak::{self, Plan, Progress, curve, plot, report};
use spillway_tests::progress::Bar;
use spillway_tests::show::between;
use spillway_tests::target::environment::variable;
use spillway_tests::tool::{self, count, shown};
use spillway_tests::verdict::verdict;

const BEGIN: &str = "<!-- peak: made by `make peak-docs`, not by hand -->";
/// The plot in the page.
const PLOT: &str =
    "![Requests a second, time of an answer, age of the oldest message and events under way](images/peak.svg)";
/// Requests a second that the stage lets in for each method of a route, if `STAGE_RATE` is not set.
const STAGE_RATE: u64 = 40;
/// The files of the runs without a cache, with kills, and with a cache.
const FILES: [&str; 3] = [".local/peak.json", ".local/peak-kills.json", ".local/peak-cache.json"];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args().skip(1).filter(|word| word != "--json").map(PathBuf::from).collect();
    match arguments.as_slice() {
        [page, image] => tool::run(async { write_docs(page, image).map(|()| true) }).await,
        _ => tool::run(peak()).await,
    }
}

async fn peak() -> Result<bool, String> {
    let is_set = |name: &str| variable(name).is_some_and(|value| value != "0");
    let (quick, json, kills, cache_url) = (is_set("QUICK"), tool::wants_json(), is_set("KILLS"), variable("CACHE_URL"));
    let seconds = |name, default_ms: u64| {
        let set = tool::number(name, 0, 0..=600)?;
        Ok::<_, String>(if set == 0 { Duration::from_millis(default_ms) } else { Duration::from_secs(set) })
    };
    let hour = seconds("HOUR_SECONDS", if quick { 500 } else { 5_000 })?;
    let flash = seconds("FLASH_SECONDS", if quick { 10_000 } else { 60_000 })?;
    let stage_rate = tool::number("STAGE_RATE", STAGE_RATE, 1..=10_000)?;
    let plan = Plan { curve: curve::weekend(hour, flash), seed: tool::seed()?, kills, cache_url, stage_rate };
    let length = curve::length(&plan.curve);
    if !json {
        let cache = plan.cache_url.as_deref().map_or_else(String::new, |url| format!(", with the cache {url}"));
        let killing = if kills { ", a process killed each second of the flash" } else { "" };
        println!("\nSpillway: a weekend in {}{cache}{killing} (SEED={})\n", shown(length), plan.seed);
    }
    let mut bar = Bar::of(length.as_secs(), json);
    let outcome = peak::run(&plan, |progress| bar.set(progress.at.as_secs(), &line(progress, length))).await;
    bar.clear();
    let peak::Outcome { mut figures, violations } = outcome?;
    figures["machine"] = machine();
    figures["quick"] = json!(quick);
    figures["stage_rate"] = json!(stage_rate);
    figures["hour_ms"] = json!(u64::try_from(hour.as_millis()).unwrap_or(u64::MAX));
    figures["flash_ms"] = json!(u64::try_from(flash.as_millis()).unwrap_or(u64::MAX));
    let file = file(&plan);
    write(&file, &format!("{figures:#}\n"))?;
    write(&file.with_extension("svg"), &plot::svg(&figures))?;
    if json {
        println!("{figures}");
    } else {
        println!("{}\n{}", report::tables(std::slice::from_ref(&figures)), verdict(&violations));
        println!("The figures are in {}, and their plot beside it.", file.display());
    }
    report::fault(&figures).map_or(Ok(true), Err)
}

fn line(progress: &Progress, length: Duration) -> String {
    let [arrived, under_way] = [progress.arrived, progress.under_way].map(count);
    let left = length.saturating_sub(progress.at).as_secs();
    format!("{left:>4} s left · {arrived} requests · {under_way} events under way")
}

/// The file of a run: `PEAK_JSON`, or the one of its kind.
fn file(plan: &Plan) -> PathBuf {
    let [usual, with_kills, with_cache] = FILES;
    let of_kind = match (plan.kills, &plan.cache_url) {
        (_, Some(_)) => with_cache,
        (true, None) => with_kills,
        (false, None) => usual,
    };
    variable("PEAK_JSON").unwrap_or_else(|| of_kind.to_owned()).into()
}

/// Writes the tables of the last runs between the markers of `page`, and the plot of the first one to `image`.
fn write_docs(page: &Path, image: &Path) -> Result<(), String> {
    let files = variable("PEAK_JSON").map_or_else(|| FILES.map(str::to_owned).to_vec(), |file| vec![file]);
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    let runs: Vec<Value> = texts.filter_map(|text| serde_json::from_str(&text).ok()).collect();
    let first = runs.first().ok_or("There are no figures yet: run `make peak` first.")?;
    let text = fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let text = between(&text, BEGIN, &format!("{PLOT}\n\n{}", report::tables(&runs)));
    let text = text.ok_or_else(|| format!("{} has no markers for the figures.", page.display()))?;
    write(page, &text)?;
    write(image, &plot::svg(first))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
}
