//! `make trace ID=pay_…`: the history of one payment, from the running stack's table.

use std::process::ExitCode;

use serde_json::Value;
use spillway_tests::table::{Item, Table};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let data = std::env::var("DATA").unwrap_or_else(|_| ".local".to_owned());
    let id = std::env::args().nth(1).unwrap_or_default();
    match trace(&data, &id).await {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

async fn trace(data: &str, id: &str) -> Result<Vec<String>, String> {
    if !id.starts_with("pay_") {
        return Err("Name a payment: make trace ID=pay_…".to_owned());
    }
    let path = format!("{data}/dev.json");
    let description =
        std::fs::read_to_string(&path).map_err(|_| format!("No stack runs here: {path} is not there."))?;
    let description: Value = serde_json::from_str(&description).map_err(|_| format!("{path} can't be read."))?;
    let table = Table::of(&description).ok_or_else(|| format!("{path} names no table."))?;
    let items = table.try_items().await.map_err(|_| format!("The stack of {path} does not answer."))?;
    let steps = steps(&items, id);
    if steps.is_empty() { Err(format!("There is no payment {id}.")) } else { Ok(steps) }
}

/// Time and text of each step, sorted.
fn steps(items: &[Item], id: &str) -> Vec<String> {
    let mut steps: Vec<(String, String)> = Vec::new();
    let mut events: Vec<String> = Vec::new();
    for item in items.iter().filter(|item| text(item, "source") == id || text(item, "pk").contains(id)) {
        let (pk, sk) = (text(item, "pk"), text(item, "sk"));
        let mut step = |at: &str, what: String| steps.push((text(item, at), what));
        if sk == "payment" {
            step(
                "created_at",
                format!(
                    "accepted   {} {}, request {}",
                    item["asked"]["amount"],
                    item["asked"]["currency"].as_str().unwrap_or_default(),
                    text(item, "request_id")
                ),
            );
            if text(item, "status") == "processing" {
                step("due_at", format!("due        asked {} times, not settled yet", item["asking"]["asks"]));
            } else {
                step("updated_at", format!("{:<10} {}", text(item, "status"), failure(item)));
            }
        } else if pk.starts_with("sandbox#") {
            step("called_at", format!("processor  {sk}, asked {}", counted(item, "calls", "time")));
            if item.get("charges").is_some() {
                step("charged_at", "processor  charged".to_owned());
            }
        } else if sk.starts_with("txn_") {
            step("created_at", format!("entry      {sk}: {}", postings(item)));
        } else if sk.starts_with("move#") {
            steps.push(("~".to_owned(), format!("movement   {} on {sk}, not folded away yet", shown(item, "amount"))));
        } else if sk.starts_with("evt_") {
            step("timestamp", format!("event      {sk} {}", text(item, "type")));
            events.push(sk);
        }
    }
    for item in items.iter().filter(|item| events.iter().any(|event| text(item, "pk").ends_with(&format!("#{event}"))))
    {
        let what = format!("delivery   to {}: {}", text(item, "endpoint"), delivery(item));
        steps.push((text(item, "updated_at"), what));
    }
    steps.sort();
    steps.into_iter().map(|(at, what)| format!("{:<24}  {what}", if at == "~" { "" } else { at.as_str() })).collect()
}

/// How far a delivery is; for a pending one, when it is attempted next.
fn delivery(delivery: &Item) -> String {
    let (status, attempts) = (text(delivery, "status"), counted(delivery, "attempts", "attempt"));
    let (answer, next) = (text(delivery, "last_answer"), text(delivery, "next_attempt_at"));
    match (status.as_str(), answer.as_str()) {
        ("pending", _) if delivery.contains_key("planned_at") => {
            format!("pending after {attempts}, another is under way")
        }
        ("pending", "") => format!("put off, to be attempted at {next}"),
        ("pending", _) => format!("pending after {attempts}, last answer {answer}, again at {next}"),
        (_, "") => format!("{status}: the endpoint took no more events before the first attempt"),
        _ => format!("{status} after {attempts}, last answer {answer}"),
    }
}

fn postings(entry: &Item) -> String {
    let legs = entry.get("postings").and_then(Value::as_array).into_iter().flatten();
    let legs: Vec<String> = legs
        .map(|leg| {
            format!(
                "{} {} {}",
                leg["side"].as_str().unwrap_or_default(),
                leg["account"].as_str().unwrap_or_default(),
                leg["amount"]
            )
        })
        .collect();
    legs.join(", ")
}

fn failure(payment: &Item) -> String {
    payment.get("failure").and_then(|failure| failure["code"].as_str()).unwrap_or_default().to_owned()
}

fn text(item: &Item, name: &str) -> String {
    item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn shown(item: &Item, name: &str) -> String {
    item.get(name).map(ToString::to_string).unwrap_or_default()
}

/// A count with its noun: `1 attempt`, `2 attempts`.
fn counted(item: &Item, name: &str, what: &str) -> String {
    let count = item.get(name).and_then(Value::as_u64).unwrap_or_default();
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
