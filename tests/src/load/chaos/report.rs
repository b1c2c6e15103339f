//! What chaos has shown, as text for people and as JSON for machines.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::inbox::Faults;
use crate::outcomes::{Outcomes, outcome_lines};
use crate::store_proxy::Met;
use crate::tool::{count, shown};
use crate::witness::Violation;

/// Most violations that are shown to people.
const SHOWN_MAX: usize = 20;

/// What chaos has shown.
#[derive(Debug)]
pub struct Report {
    /// Of payments and faults.
    pub seed: u64,
    /// The whole run.
    pub took: Duration,
    /// Of that, from the last fault until everything had ended.
    pub awaited: Duration,
    /// Payments that were accepted.
    pub payments: usize,
    /// What became of them, as the API shows it.
    pub outcomes: Outcomes,
    /// Requests that were sent again for want of a 202.
    pub again: usize,
    /// Requests that were repeated after their 202.
    pub repeated: usize,
    /// What went wrong, by kind, as often as it happened.
    pub faults: Met,
    /// How the merchants' servers answered badly, by kind.
    pub receiver_faults: Faults,
    /// Events that came.
    pub webhooks: usize,
    /// How often they came.
    pub attempts: usize,
    /// Journal entries.
    pub entries: usize,
    /// Every promise that was broken.
    pub violations: Vec<Violation>,
    /// Where the stack's folder was kept, if one was broken.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Everything, laid out to be read.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: String| text.extend([line.as_str(), "\n"]);
        let took = format!("{}, the last {} without faults", shown(self.took), shown(self.awaited));
        line(format!("Payments      {:>8}   in {took}", count(self.payments)));
        outcome_lines(&self.outcomes).into_iter().for_each(&mut line);
        line(format!(
            "Requests sent again {} times without a 202, {} times after one",
            count(self.again),
            count(self.repeated)
        ));
        line("\nFaults".to_owned());
        let faults = self.faults.iter().chain(&self.receiver_faults);
        faults.for_each(|(kind, times)| line(format!("  {kind:<32}{:>8}", count(*times))));
        let again = self.attempts.saturating_sub(self.webhooks);
        line(format!("\nWebhooks      {:>8}   and {} of them again", count(self.webhooks), count(again)));
        line(format!("Entries       {:>8}", count(self.entries)));
        line(format!("Violations    {:>8}", count(self.violations.len())));
        self.violations.iter().take(SHOWN_MAX).for_each(|violation| line(format!("  {violation}")));
        if self.violations.len() > SHOWN_MAX {
            line("  …".to_owned());
        }
        if let Some(kept) = &self.kept {
            line(format!("The stack's data is kept in {}.", kept.display()));
        }
        text
    }

    /// Everything as one object.
    pub fn json(&self) -> Value {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        json!({
            "seed": self.seed,
            "took_ms": millis(self.took),
            "awaited_ms": millis(self.awaited),
            "payments": self.payments,
            "outcomes": self.outcomes,
            "requests_again": self.again,
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
