//! The result of chaos, as text and as JSON.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::deliveries::Faults;
use crate::outcomes::{Outcomes, outcome_lines};
use crate::request_log::Errors;
use crate::store_proxy::Met;
use crate::tool::{count, shown};
use crate::verdict::verdict;
use crate::violation::Violation;

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    /// Seed of the payments and of the order of the faults.
    pub seed: u64,
    /// Duration of the run.
    pub took: Duration,
    /// Time from the last fault until all work had ended.
    pub awaited: Duration,
    /// Accepted payments.
    pub payments: usize,
    /// Accepted refunds.
    pub refunds: usize,
    /// Outcomes of the payments, as the API shows them.
    pub outcomes: Outcomes,
    /// Outcomes of the refunds, as the API shows them, and reasons of refusals.
    pub refund_outcomes: Outcomes,
    /// Transient errors after which requests were repeated.
    pub errors: Errors,
    /// Number of requests repeated on purpose.
    pub repeated: usize,
    /// Number of faults by kind.
    pub faults: Met,
    /// Number of receiver failures by kind.
    pub receiver_faults: Faults,
    /// Received events.
    pub webhooks: usize,
    /// Delivery attempts.
    pub attempts: usize,
    /// Journal entries.
    pub entries: usize,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// The stack's folder, kept if a promise was broken.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// The report as text.
    pub fn text(&self) -> String {
        let times = |what: &str, times: &usize| format!("{:>10} × {what}", count(*times));
        let took = format!("in {}, the last {} of it without faults", shown(self.took), shown(self.awaited));
        let mut lines = vec![format!("{:<14}{:>8}   {took}", "Payments", count(self.payments))];
        lines.extend(outcome_lines(&self.outcomes));
        lines.push(format!("\n{:<14}{:>8}", "Refunds", count(self.refunds)));
        lines.extend(outcome_lines(&self.refund_outcomes));
        lines.push("\nRequests sent again".to_owned());
        lines.extend(self.errors.iter().map(|(error, number)| times(&format!("after {error}"), number)));
        lines.push(times("on purpose: the answer must then be the same", &self.repeated));
        lines.push("\nFaults".to_owned());
        let faults = self.faults.iter().chain(&self.receiver_faults);
        lines.extend(faults.map(|(what, number)| times(what, number)));
        let again = count(self.attempts.saturating_sub(self.webhooks));
        lines.push(format!("\n{:<14}{:>8}   posted again {again} times", "Webhooks", count(self.webhooks)));
        lines.push(format!("{:<14}{:>8}", "Entries", count(self.entries)));
        lines.push(format!("\n{}", verdict(&self.violations)));
        if let Some(kept) = &self.kept {
            lines.push(format!("The stack's data is kept in {}.", kept.display()));
        }
        lines.join("\n") + "\n"
    }

    /// The report as JSON.
    pub fn json(&self) -> Value {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        json!({
            "seed": self.seed,
            "took_ms": millis(self.took),
            "awaited_ms": millis(self.awaited),
            "payments": self.payments,
            "outcomes": self.outcomes,
            "refunds": self.refunds,
            "refund_outcomes": self.refund_outcomes,
            "errors": self.errors,
            "requests_repeated": self.repeated,
            "faults": self.faults,
            "receiver_faults": self.receiver_faults,
            "webhooks": self.webhooks,
            "webhook_attempts": self.attempts,
            "entries": self.entries,
            "violations": self.violations.iter().map(ToString::to_string).collect::<Vec<String>>(),
        })
    }
}
