//! The history of an item: its steps in order of time, and what it still waits for.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::table::Item;

/// Something that happened at a known time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// RFC 3339 with milliseconds, so texts sort as times do.
    pub at: String,
    /// The kind of step in one word, such as `entry`.
    pub what: String,
    pub text: String,
}

/// An item that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// The id of the waiting item. For a delivery, the ids of its event and its endpoint.
    pub id: String,
    /// What the item waits for.
    #[serde(rename = "for")]
    pub waits_for: String,
    /// The time since which it waits.
    pub since: String,
    /// The time of the next attempt or call. None if the next one is made as soon as a message arrives.
    pub next_at: Option<String>,
    /// The time from which the sweep sends the item's message again. None if the item has no due time.
    pub due_at: Option<String>,
    /// How often the sweep has sent it since the due time was set.
    pub claims: u64,
}

impl Wait {
    /// What the item with this due time waits for.
    pub fn of(item: &Item, id: &str, waits_for: impl Into<String>, since: &str) -> Wait {
        Wait {
            id: id.to_owned(),
            waits_for: waits_for.into(),
            since: since.to_owned(),
            next_at: None,
            due_at: some_text(item, "due_at"),
            claims: number(item, "due_claims"),
        }
    }
}

/// The steps and waits of an item, and the ids by which the logs name it.
#[derive(Debug, Default)]
pub struct History {
    pub steps: Vec<Step>,
    pub waits: Vec<Wait>,
    pub names: BTreeSet<String>,
}

impl History {
    /// Adds a step. Without a time there is no step.
    pub fn step(&mut self, at: &str, what: &str, text: impl Into<String>) {
        if !at.is_empty() {
            self.steps.push(Step { at: at.to_owned(), what: what.to_owned(), text: text.into() });
        }
    }

    /// Adds an id by which log lines are found.
    pub fn name(&mut self, id: &str) {
        self.names.insert(id.to_owned());
    }
}

/// A text of an item. Empty if it is missing, or not a text.
pub fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A text of an item. None if it is missing, empty, or not a text.
pub fn some_text(item: &Item, name: &str) -> Option<String> {
    Some(text(item, name)).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A number of an item. 0 if it is missing, or no whole number.
pub fn number(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// The texts of a list, separated by spaces.
pub fn texts(item: &Item, name: &str) -> String {
    let texts = item.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join(" ")
}

/// A count with its noun: `1 attempt`, `2 attempts`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
