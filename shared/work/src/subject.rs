//! The subjects of an invocation and their outcomes, for its log line.

use std::fmt::Display;

use serde::Serialize;
use spillway_domain::id::MerchantId;
use spillway_domain::tenant::{Mode, Tenant};
use spillway_domain::trace::Trace;

use spillway_store::WorkItem;

/// The most ids that one line names. Such a line is less than half of the 256 KB that CloudWatch accepts.
const IDS_MAX: usize = 500;

/// The outcome of the work on one item, for the log. It must not contain data of a card, a key, an address or a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Outcome {
    /// The outcome in words, such as `declined card_declined`.
    #[serde(skip_serializing_if = "String::is_empty")]
    outcome: String,
    /// Ids of other objects of the work, such as the entries that it created.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    with: Vec<String>,
    /// The id of the client's request that caused the work.
    #[serde(skip_serializing_if = "String::is_empty")]
    request_id: String,
    /// The trace that the client sent with this request.
    #[serde(skip_serializing_if = "String::is_empty")]
    trace_id: String,
}

impl Outcome {
    /// An outcome with this text.
    pub fn new(outcome: impl Into<String>) -> Outcome {
        Outcome { outcome: outcome.into(), ..Outcome::default() }
    }

    /// Adds the id of another object of the work.
    #[must_use]
    pub fn with(mut self, id: impl Display) -> Outcome {
        self.with.push(id.to_string());
        self
    }

    /// Sets the id of the client's request that caused the work.
    #[must_use]
    pub fn caused_by(mut self, request_id: &str) -> Outcome {
        request_id.clone_into(&mut self.request_id);
        self
    }

    /// Sets the trace that the client sent with this request. Without one, the trace's id is the request's id without
    /// dashes, and the line need not repeat it.
    #[must_use]
    pub fn traced(mut self, trace: Option<&Trace>) -> Outcome {
        self.trace_id = trace.map_or_else(String::new, |trace| trace.id().to_owned());
        self
    }

    /// Logs the outcome in a separate line. This is for work that failed later, whose outcome in the invocation's line is
    /// the failure.
    pub fn log(&self, subject: impl Display) {
        let unnamed = self.with.is_empty().then_some(&[][..]);
        for with in self.with.chunks(IDS_MAX).chain(unnamed) {
            let with = with.join(" ");
            tracing::info!(target: "spillway", %subject, outcome = self.outcome, with, "done before it failed");
        }
    }
}

impl From<Outcome> for Vec<Outcome> {
    fn from(outcome: Outcome) -> Vec<Outcome> {
        vec![outcome]
    }
}

/// The merchant and mode that own a subject, or all subjects of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Owner {
    /// The merchant's id. Empty if it is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub merchant: String,
    /// None if it is not known, or if the subject belongs to both modes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

impl From<&MerchantId> for Owner {
    fn from(merchant: &MerchantId) -> Owner {
        Owner { merchant: merchant.to_string(), mode: None }
    }
}

impl From<&Tenant> for Owner {
    fn from(tenant: &Tenant) -> Owner {
        Owner { mode: Some(tenant.mode), ..Owner::from(&tenant.merchant) }
    }
}

/// One item that an invocation worked on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Subject {
    id: String,
    /// Empty if the line names the owner of all subjects.
    #[serde(flatten)]
    pub(crate) owner: Owner,
    #[serde(flatten)]
    outcome: Outcome,
}

impl Subject {
    /// The subject with this id, without an outcome of its own.
    pub fn new(id: impl Display) -> Subject {
        Subject { id: id.to_string(), ..Subject::default() }
    }

    /// Sets the merchant, or the tenant, that owns the subject.
    #[must_use]
    pub fn of(mut self, owner: impl Into<Owner>) -> Subject {
        self.owner = owner.into();
        self
    }

    /// Sets the outcome of the work. The ids that the subject already has stay in front.
    #[must_use]
    pub fn outcome(mut self, mut outcome: Outcome) -> Subject {
        self.outcome.with.append(&mut outcome.with);
        self.outcome = Outcome { with: self.outcome.with, ..outcome };
        self
    }

    /// Splits the subject into parts with at most `ids_max` other ids each, because a line has room for so many.
    fn in_parts(mut self, ids_max: usize) -> Vec<Subject> {
        let mut parts = Vec::new();
        while self.outcome.with.len() > ids_max {
            let rest = self.outcome.with.split_off(ids_max);
            let next = Subject { outcome: Outcome { with: rest, ..Outcome::default() }, ..self.clone() };
            parts.push(std::mem::replace(&mut self, next));
        }
        parts.push(self);
        parts
    }

    /// The number of ids that the subject names, including its own.
    fn ids(&self) -> usize {
        self.outcome.with.len() + 1
    }
}

impl From<&WorkItem> for Subject {
    fn from(item: &WorkItem) -> Subject {
        let mut names = item.names().into_iter();
        let subject = Subject::new(names.next().unwrap_or_default());
        subject.outcome(names.fold(Outcome::default(), Outcome::with)).of(item.tenant())
    }
}

/// Distributes subjects over log lines. If all subjects have the same owner, it is returned and removed from the
/// subjects. A subject with more ids than a line may name is split.
pub fn in_lines(mut subjects: Vec<Subject>) -> (Option<Owner>, Vec<Vec<Subject>>) {
    let owner = subjects.first().map(|subject| subject.owner.clone());
    let owner =
        owner.filter(|first| !first.merchant.is_empty() && subjects.iter().all(|subject| subject.owner == *first));
    if owner.is_some() {
        subjects.iter_mut().for_each(|subject| subject.owner = Owner::default());
    }
    let (mut lines, mut ids): (Vec<Vec<Subject>>, usize) = (vec![Vec::new()], 0);
    for part in subjects.into_iter().flat_map(|subject| subject.in_parts(IDS_MAX - 1)) {
        ids += part.ids();
        match lines.last_mut() {
            Some(line) if ids <= IDS_MAX => line.push(part),
            _ => {
                ids = part.ids();
                lines.push(vec![part]);
            }
        }
    }
    (owner, lines)
}
