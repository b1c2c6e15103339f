//! A broken promise.

use std::fmt;

/// Kind of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something that must follow from an accepted request is missing.
    Lost,
    /// Something exists more than once.
    Doubled,
    /// Debits and credits differ.
    Unbalanced,
    /// Something differs from what it must be.
    Wrong,
}

/// One broken promise, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Kind.
    pub kind: Kind,
    /// Description.
    pub what: String,
}

impl Kind {
    /// All kinds, the worst first.
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
