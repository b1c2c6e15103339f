//! The tables that are printed.

use spillway_bench::show::table;
use spillway_limits::{Limit, Refusals};

use crate::goals::{Figure, Goal};

/// A row of "what breaks first".
#[derive(Clone, Debug)]
pub struct Row {
    /// The load.
    pub load: String,
    /// The settings.
    pub settings: String,
    /// What was carried.
    pub carried: String,
    /// The limit that was met first beyond it.
    pub first_limit: String,
    /// What moves the limit.
    pub moved_by: &'static str,
}

/// The limit with the most refusals in words, with the ids taken out of its key.
pub fn first_limit(refusals: &Refusals) -> String {
    let words = |limit: &Limit| match limit.partition() {
        Some(partition) => format!("{}: {}", limit.reason(), shape(partition)),
        None => match limit {
            Limit::Quota(_) => format!("{}: the quota of the table", limit.reason()),
            _ => "the table's warm throughput".to_owned(),
        },
    };
    let mut by_words = std::collections::BTreeMap::new();
    for (limit, count) in refusals {
        *by_words.entry(words(limit)).or_insert(0) += count;
    }
    by_words
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map_or_else(|| "no limit of the table".to_owned(), |(words, _)| words)
}

/// A partition key without what differs from merchant to merchant: `mer_…#test#movements#3` is `movements#s`.
fn shape(partition: &str) -> String {
    let known = ["movements", "events", "journal", "payments", "balances", "webhooks"];
    let parts: Vec<&str> = partition.split('#').collect();
    match parts.iter().position(|part| known.contains(part)) {
        Some(at) => format!("{}{}", parts[at], if parts.len() > at + 1 { "#s" } else { "" }),
        None if parts[0] == "due" => format!("due#{}#n", parts.get(1).unwrap_or(&"")),
        None => parts[0].split('_').next().unwrap_or_default().to_owned() + "_…",
    }
}

/// The rows as a table.
pub fn rows(rows: &[Row]) -> String {
    let cells = rows.iter().map(|row| {
        vec![
            row.load.clone(),
            row.settings.clone(),
            row.carried.clone(),
            row.first_limit.clone(),
            row.moved_by.to_owned(),
        ]
    });
    table(&["load", "settings", "carried", "first limit met beyond it", "moved by"], &cells.collect::<Vec<_>>())
}

/// The goals as a table.
pub fn goals(figures: &[Figure]) -> String {
    let cells = figures.iter().map(|figure| {
        let goal = match figure.goal {
            Goal::AtLeast(goal) => format!("at least {goal}"),
            Goal::AtMost(goal) => format!("at most {goal}"),
        };
        let measured = figure.measured.map_or_else(|| "not measured here".to_owned(), |measured| measured.to_string());
        let met = match figure.is_met() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        };
        vec![figure.name.to_owned(), goal, measured, figure.unit.to_owned(), met.to_owned()]
    });
    table(&["name", "goal", "measured", "unit", ""], &cells.collect::<Vec<_>>())
}
