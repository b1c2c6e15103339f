//! The goals, and what was measured of each.

use serde_json::{Map, Value, json};

/// Whether more or less is better.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At least this.
    AtLeast(u64),
    /// At most this.
    AtMost(u64),
}

/// A figure that has a goal.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name in `capacity.json`.
    pub name: &'static str,
    /// The goal.
    pub goal: Goal,
    /// The unit.
    pub unit: &'static str,
    /// What was measured. None if this run did not measure it.
    pub measured: Option<u64>,
}

impl Figure {
    /// Whether the goal is met. None if nothing was measured.
    pub fn is_met(&self) -> Option<bool> {
        self.measured.map(|measured| match self.goal {
            Goal::AtLeast(goal) => measured >= goal,
            Goal::AtMost(goal) => measured <= goal,
        })
    }

    fn goal(&self) -> u64 {
        match self.goal {
            Goal::AtLeast(goal) | Goal::AtMost(goal) => goal,
        }
    }
}

/// The figures as `capacity.json` has them: by name.
pub fn json(figures: &[Figure]) -> Value {
    let of = |figure: &Figure| {
        let sense = match figure.goal {
            Goal::AtLeast(_) => "at least",
            Goal::AtMost(_) => "at most",
        };
        let value = json!({"goal": figure.goal(), "sense": sense, "measured": figure.measured, "unit": figure.unit,
            "met": figure.is_met()});
        (figure.name.to_owned(), value)
    };
    Value::Object(figures.iter().map(of).collect::<Map<_, _>>())
}
