//! `make capacity`: prints what breaks first and the goals, and writes `.local/capacity.json` (CAPACITY_JSON=).
//! `PARTS=payments,folds` runs these parts only, QUICK=1 smaller loads.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use spillway_capacity::goals::{self, Figure};
use spillway_capacity::plan::Plan;
use spillway_capacity::report;
use spillway_capacity::runs;

#[allow(clippy::unwrap_used, reason = "like the tests, it is never deployed")]
fn main() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let quick = variable("QUICK").is_some_and(|value| value != "0");
    let plan = if quick { Plan::QUICK } else { Plan::FULL };
    let wanted = |part: &str| variable("PARTS").is_none_or(|parts| parts.split(',').any(|wanted| wanted == part));
    let began = Instant::now();
    let parts = Mutex::new(runs::ALL.into_iter().enumerate().filter(|(_, (name, _))| wanted(name)));
    let results = Mutex::new(BTreeMap::new());
    // Each part has a clock of its own.
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = parts.lock().unwrap().next();
                    let Some((place, (name, run))) = next else { return };
                    let (part_began, result) = (Instant::now(), run(&plan));
                    eprintln!("{name}: {} s", part_began.elapsed().as_secs());
                    results.lock().unwrap().insert(place, result);
                }
            });
        }
    });
    let (mut rows, mut figures) = (Vec::new(), Vec::<Figure>::new());
    for result in results.into_inner().unwrap().into_values() {
        rows.extend(result.rows);
        figures.extend(result.figures);
    }
    if !rows.is_empty() {
        println!("What breaks first, in virtual time. {}\n\n{}", plan.note, report::rows(&rows));
    }
    println!("{}", report::goals(&figures));
    let path = variable("CAPACITY_JSON").unwrap_or_else(|| ".local/capacity.json".to_owned());
    let text = format!("{:#}\n", goals::json(&figures));
    let written = Path::new(&path).parent().map_or(Ok(()), std::fs::create_dir_all);
    match written.and_then(|()| std::fs::write(&path, text)) {
        Ok(()) => {
            println!("The figures are in {path}. The run took {} s.", began.elapsed().as_secs());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("capacity: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
