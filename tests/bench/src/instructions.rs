//! Instructions of a request, counted by callgrind: independent of other load on the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use spillway_local::Single;
use spillway_tests::{Deadline, eventually, process};

use crate::plan::Plan;
use crate::single::{self, EMPTY, Scene};
use crate::{events, show};

/// Instructions by function: of its start with the first event, and of each later event. Null without valgrind, or if
/// it can't run the program.
pub async fn measure(plan: &Plan) -> Result<Value, String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("instructions: left out, valgrind is not installed");
        return Ok(Value::Null);
    }
    let scene = Scene::set().await?;
    let mut all = json!({});
    for function in ["create-payment", EMPTY] {
        let (few, many) = (plan.counted_events, plan.counted_events * 2);
        eprintln!("instructions: {function} with {few} events and with {many}");
        let counted = match (count(&scene, function, few).await, count(&scene, function, many).await) {
            (Ok(few_sum), Ok(many_sum)) => (few_sum, many_sum),
            (Err(why), _) | (_, Err(why)) => {
                eprintln!("instructions: left out, valgrind can't run it: {why}");
                return Ok(Value::Null);
            }
        };
        let events = u64::try_from(few).unwrap_or(1);
        // The start is the same in both and cancels out.
        let each = counted.1.saturating_sub(counted.0) / events;
        let start = counted.0.saturating_sub(each * events);
        eprintln!("instructions: {} for each event", show::count(&json!(each)));
        all[function] = json!({"each_event": each, "start": start});
    }
    Ok(all)
}

/// Instructions of a process that handled this many events.
async fn count(scene: &Scene, function: &str, events: usize) -> Result<u64, String> {
    let folder = scene.stack.data().join(format!("callgrind-{events}"));
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let (script, counts) = (folder.join(function), folder.join(format!("{function}.counts")));
    write_script(&script, &counts, &single::binary(function)).map_err(|error| error.to_string())?;
    let mut environment = scene.environment();
    // Callgrind slows the program down fifty times.
    environment.insert("STORE_DEADLINE_MS".to_owned(), "9000".to_owned());
    let running = Single::start(&script, environment, None).await?;
    for _ in 0..events {
        let event = events::create_payment(&scene.merchant);
        let (answer, _) = running.invoke(event.to_string().into_bytes()).await?;
        let answer = serde_json::from_slice(&answer).unwrap_or_default();
        if !single::is_right(function, &answer) {
            return Err(format!("it answered {answer}"));
        }
    }
    // Callgrind writes what it has counted when its program ends by a signal that can be caught.
    process::signal(running.pid(), "TERM");
    let sum = eventually("callgrind has written its counts", Deadline::SOON, async || {
        let text = fs::read_to_string(&counts).unwrap_or_default();
        let sum = text.lines().rev().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
        sum.and_then(|sum| sum.trim().parse::<u64>().ok()).ok_or_else(|| "no sum".to_owned())
    });
    let sum = sum.await;
    running.end().await;
    Ok(sum)
}

fn write_script(script: &Path, counts: &Path, program: &Path) -> std::io::Result<()> {
    let (counts, program) = (counts.display(), program.display());
    let text =
        format!("#!/bin/sh\nexec valgrind --quiet --tool=callgrind --callgrind-out-file='{counts}' '{program}'\n");
    fs::write(script, text)?;
    fs::set_permissions(script, fs::Permissions::from_mode(0o755))
}
