//! `make smoke URL=https://…/v1 KEY=sk_test_…`: checks a stack from outside with one API key of test mode. It runs the
//! tests of `suite/black_box/smoke/` and prints each by its name. It makes small payments in test mode under its own
//! idempotency keys.

use std::process::{ExitCode, Stdio};
use std::time::Instant;

use spillway_tests::target::environment::{Deployed, variable};
use spillway_tests::{make, tool};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Most failed checks that are shown with their reason.
const FAILURES_MAX: usize = 10;

/// Most lines of a failed check's output, and most characters of each.
const SAID_MAX: (usize, usize) = (12, 300);

/// Path of the checks among the tests.
const CHECKS: &str = "black_box::smoke::";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tool::run(smoke()).await
}

async fn smoke() -> Result<bool, String> {
    let usage = "Give the API's address and a test key: make smoke URL=https://…/v1 KEY=sk_test_…";
    let (Some(url), Some(key)) = (variable("URL"), variable("KEY")) else { return Err(usage.to_owned()) };
    let url = url.trim_end_matches('/');
    reach(&Deployed::with_key(url, &key, variable("PLAN_KEY"))?, url).await?;
    built().await?;
    println!("\nSpillway: {url}\n");
    let results = checked(suite().env("SPILLWAY_URL", url).env("SPILLWAY_KEY", key)).await?;
    if results.held + results.failed.len() == 0 {
        return Err("There was nothing to check.".to_owned());
    }
    for failure in results.failed.iter().take(FAILURES_MAX) {
        println!("\n{failure}");
    }
    let more = results.failed.len().saturating_sub(FAILURES_MAX);
    if more > 0 {
        println!("\nand {more} more.");
    }
    let count = results.held + results.failed.len();
    println!("\n{} of {count} checks held.", results.held);
    Ok(results.failed.is_empty())
}

/// `Err` says why the checks can't start.
async fn reach(deployed: &Deployed, url: &str) -> Result<(), String> {
    let Some(client) = &deployed.only else { return Err("There is no key.".to_owned()) };
    let health = client.request(reqwest::Method::GET, "/health").without("authorization").try_send().await;
    let health = health.map_err(|error| format!("Nothing answers at {url}: {}.", reason(&error)))?;
    if health.body["object"] != "health" {
        let answered = format!("{url}/health answered {}, and no Spillway does.", health.status);
        return Err(format!("{answered} The stack's output ApiUrl is the address; it ends in /v1."));
    }
    let balance = client.request(reqwest::Method::GET, "/balance").try_send().await;
    let balance = balance.map_err(|error| format!("{url} does not answer: {}.", reason(&error)))?;
    let detail = balance.body["detail"].as_str().unwrap_or(&balance.text).to_owned();
    match balance.status.as_u16() {
        200 => Ok(()),
        401 => Err("The key is not valid there: it is wrong, has expired, or was revoked.".to_owned()),
        status => Err(format!("The key may not read the balance, and the checks need every scope: {status} {detail}")),
    }
}

/// The innermost cause of a failed connection.
fn reason(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

/// Builds the tests unless they are built.
async fn built() -> Result<(), String> {
    if variable("SUITE").is_some() {
        return Ok(());
    }
    let mut cargo = make::command("cargo");
    cargo.args(["build", "--quiet", "--workspace", "--test", "suite"]);
    let status = Command::from(cargo).kill_on_drop(true).status().await;
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err("The checks can't be built: Cargo says why above.".to_owned()),
    }
}

/// The test program: `SUITE`, or `cargo test`.
fn suite() -> Command {
    let mut command = match variable("SUITE") {
        Some(program) => make::command(program),
        None => {
            let mut cargo = make::command("cargo");
            cargo.args(["test", "--workspace", "--test", "suite", "--"]);
            cargo
        }
    };
    // One after the other: they share a merchant.
    command.args([CHECKS, "--test-threads", "1"]).env("RUST_BACKTRACE", "0");
    for name in ["SPILLWAY_LAMBDA_URL", "SPILLWAY_PLAN_KEY"] {
        command.env_remove(name);
    }
    command.envs(variable("PLAN_KEY").map(|value| ("SPILLWAY_PLAN_KEY", value)));
    Command::from(command)
}

/// Results of the checks.
#[derive(Default)]
struct Results {
    held: usize,
    /// Name and reason of each failed check.
    failed: Vec<String>,
}

/// Runs the test program and prints a line after each check.
async fn checked(suite: &mut Command) -> Result<Results, String> {
    let missing = |error| format!("The checks can't be run: {error}");
    let suite = suite.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child: Child = suite.spawn().map_err(missing)?;
    let (Some(shown), Some(mut noise)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("The checks can't be followed.".to_owned());
    };
    let mut noise_text = String::new();
    let read_noise = noise.read_to_string(&mut noise_text);
    let (results, _) = tokio::join!(followed(shown), read_noise);
    let status = child.wait().await.map_err(missing)?;
    let results = results.map_err(missing)?;
    if !status.success() && results.failed.is_empty() {
        return Err(format!("The checks ended too early:\n{}", noise_text.trim_end()));
    }
    Ok(results)
}

/// Reads the output of the test harness: a line for each test, and at the end the output of each failed one.
async fn followed(shown: tokio::process::ChildStdout) -> std::io::Result<Results> {
    let (mut results, mut lines, mut began) = (Results::default(), BufReader::new(shown).lines(), Instant::now());
    let mut saying = false;
    while let Some(line) = lines.next_line().await? {
        let verdict = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "));
        if let Some((name, verdict)) = verdict {
            let shown = if verdict == "ok" { "ok    " } else { "FAILED" };
            println!("  {shown}  {}  ({})", sentence(name), tool::shown(began.elapsed()));
            results.held += usize::from(verdict == "ok");
            began = Instant::now();
        } else if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            results.failed.push(sentence(name));
            saying = true;
        } else if line.starts_with("running ") {
            began = Instant::now();
        } else if line == "failures:" {
            saying = false;
        } else if saying
            && !is_noise(&line)
            && let Some(failure) = results.failed.last_mut()
        {
            let (lines, characters) = SAID_MAX;
            if failure.lines().count() <= lines {
                failure.push_str("\n    ");
                failure.extend(line.chars().take(characters));
            }
        }
    }
    Ok(results)
}

/// A test's name as a sentence.
fn sentence(name: &str) -> String {
    name.rsplit("::").next().unwrap_or(name).replace('_', " ")
}

fn is_noise(line: &str) -> bool {
    line.is_empty() || line.starts_with("note: ") || line.starts_with("thread '")
}
