//! A broken promise.

use std::fmt;

/// In which way a promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was accepted, and something that must follow from it is not there.
    Lost,
    /// Something is there more often than once.
    Doubled,
    /// Debits and credits differ.
    Unbalanced,
    /// Something is not what it has to be.
    Wrong,
}

/// One broken promise, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// In which way.
    pub kind: Kind,
    /// What.
    pub what: String,
}

impl Kind {
    /// All of them, the worst first.
    pub const ALL: [Kind; 4] = [Kind::Lost, Kind::Doubled, Kind::Unbalanced, Kind::Wrong];

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Lost => "lost",
            Kind::Doubled => "doubled",
            Kind::Unbalanced => "unbalanced",
            Kind::Wrong => "wrong",
        }
    }

    /// A violation of this kind.
    pub fn of(self, what: impl Into<String>) -> Violation {
        Violation { kind: self, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.what)
    }
}
