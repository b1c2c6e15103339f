//! The report: text for people, JSON for programs.

use serde::Serialize;

use crate::error::TraceError;
use crate::find::Found;
use crate::history::{History, Step, Wait};
use crate::log::LogLine;
use crate::target::Target;

/// The history of one item, or the log lines of a request.
#[derive(Debug, Serialize)]
pub struct Report {
    kind: &'static str,
    id: String,
    /// Absent for a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    history: Vec<Step>,
    waits: Vec<Wait>,
    /// None if the logs were not read.
    log: Option<Vec<LogLine>>,
}

impl Report {
    /// The report of an item.
    pub fn new(target: &Target, found: &Found, history: History, log: Option<Vec<LogLine>>) -> Report {
        Report {
            kind: target.what(),
            id: target.id(),
            merchant: Some(found.tenant.merchant.to_string()),
            mode: Some(found.tenant.mode.as_str()),
            history: history.steps,
            waits: history.waits,
            log,
        }
    }

    /// The report of a request, whose items have reports of their own.
    pub fn of_request(id: &str, lines: Vec<LogLine>) -> Report {
        let (history, waits) = (Vec::new(), Vec::new());
        Report { kind: "request", id: id.to_owned(), merchant: None, mode: None, history, waits, log: Some(lines) }
    }

    fn lines(&self) -> Vec<String> {
        let owner = match (&self.merchant, self.mode) {
            (Some(merchant), Some(mode)) => format!(", {merchant}, {mode} mode"),
            _ => String::new(),
        };
        let mut lines = vec![format!("{} {}{owner}", self.kind, self.id)];
        lines.extend(self.history.iter().map(|step| format!("{:<24}  {:<10} {}", step.at, step.what, step.text)));
        if self.merchant.is_some() {
            lines.push(String::new());
            lines.extend(self.waits.iter().map(waiting));
            if self.waits.is_empty() {
                lines.push("Nothing waits.".to_owned());
            }
        }
        if let Some(log) = &self.log {
            lines.push(String::new());
            lines.extend(log.iter().map(logged));
            if log.is_empty() {
                lines.push("No log line names it.".to_owned());
            }
        }
        lines.iter().map(|line| line.trim_end().to_owned()).collect()
    }
}

fn waiting(wait: &Wait) -> String {
    let next = wait.next_at.as_ref().map(|at| format!(" Next attempt at {at}.")).unwrap_or_default();
    let claims = match wait.claims {
        0 => String::new(),
        1 => ", after once already".to_owned(),
        claims => format!(", after {claims} times already"),
    };
    let due = wait.due_at.as_ref().map(|at| format!(" The sweep enqueues it at {at}{claims}.")).unwrap_or_default();
    format!("waits: {} for {}, since {}.{next}{due}", wait.id, wait.waits_for, wait.since)
}

fn logged(line: &LogLine) -> String {
    format!("{:<24}  {:<20} {:<34}  {}", line.at, line.function, line.outcome, line.ids.join(" "))
}

/// The reports as text, with an empty line between two.
pub fn text(reports: &[Report]) -> String {
    reports.iter().map(|report| report.lines().join("\n")).collect::<Vec<_>>().join("\n\n")
}

/// The reports as a JSON list.
pub fn json(reports: &[Report]) -> Result<String, TraceError> {
    Ok(serde_json::to_string_pretty(reports)?)
}
