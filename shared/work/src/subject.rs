//! What an invocation worked on and what came of it, as its log line has them.

use std::fmt::Display;

use serde::Serialize;
use spillway_domain::id::MerchantId;

use spillway_store::WorkItem;

/// The most ids that one line names: with what is said of each, less than half of the 256 KB that CloudWatch takes at
/// least.
const IDS_MAX: usize = 500;

/// What came of one piece of work. Nothing of a card, a key, an address or a person may be in it: it is logged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Done {
    /// In words: `declined card_declined`.
    #[serde(skip_serializing_if = "String::is_empty")]
    outcome: String,
    /// Ids of what was made or taken in with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    with: Vec<String>,
    /// The client's request that began it.
    #[serde(skip_serializing_if = "String::is_empty")]
    request_id: String,
}

impl Done {
    /// With this outcome, in words.
    pub fn new(outcome: impl Into<String>) -> Done {
        Done { outcome: outcome.into(), ..Done::default() }
    }

    /// Adds the id of what was made or taken in with it.
    #[must_use]
    pub fn with(mut self, id: impl Display) -> Done {
        self.with.push(id.to_string());
        self
    }

    /// Names the client's request that began it.
    #[must_use]
    pub fn begun_by(mut self, request_id: &str) -> Done {
        request_id.clone_into(&mut self.request_id);
        self
    }

    /// Logs it in a line of its own: for work that failed after this was done, whose result is the failure.
    pub fn log(&self, subject: impl Display) {
        let unnamed = self.with.is_empty().then_some(&[][..]);
        for with in self.with.chunks(IDS_MAX).chain(unnamed) {
            let with = with.join(" ");
            tracing::info!(target: "spillway", %subject, outcome = self.outcome, with, "done before it failed");
        }
    }
}

impl From<Done> for Vec<Done> {
    fn from(done: Done) -> Vec<Done> {
        vec![done]
    }
}

/// One item that an invocation worked on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Subject {
    id: String,
    /// Whose, where the line does not say it of all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) merchant: String,
    #[serde(flatten)]
    done: Done,
}

impl Subject {
    /// The one with this id. What came of it may be what the line as a whole says.
    pub fn new(id: impl Display) -> Subject {
        Subject { id: id.to_string(), ..Subject::default() }
    }

    /// Whose it is.
    #[must_use]
    pub fn of(mut self, merchant: &MerchantId) -> Subject {
        self.merchant = merchant.to_string();
        self
    }

    /// What came of it, beside the ids that belong to it already.
    #[must_use]
    pub fn done(mut self, mut done: Done) -> Subject {
        self.done.with.append(&mut done.with);
        self.done = Done { with: self.done.with, ..done };
        self
    }

    /// The same in parts, of which none names more than `ids_max` others: so many go into one line.
    fn in_parts(mut self, ids_max: usize) -> Vec<Subject> {
        let mut parts = Vec::new();
        while self.done.with.len() > ids_max {
            let rest = self.done.with.split_off(ids_max);
            let next = Subject { done: Done { with: rest, ..Done::default() }, ..self.clone() };
            parts.push(std::mem::replace(&mut self, next));
        }
        parts.push(self);
        parts
    }

    /// How many ids it names, its own included.
    fn ids(&self) -> usize {
        self.done.with.len() + 1
    }
}

impl From<&WorkItem> for Subject {
    fn from(item: &WorkItem) -> Subject {
        let mut names = item.names().into_iter();
        let subject = Subject::new(names.next().unwrap_or_default());
        subject.done(names.fold(Done::default(), Done::with)).of(&item.tenant().merchant)
    }
}

/// The subjects of each line of the log, and the merchant that all of them have in common, which is then named once. A
/// subject with more ids than a line may name is split.
pub fn in_lines(mut subjects: Vec<Subject>) -> (Option<String>, Vec<Vec<Subject>>) {
    let merchant = subjects.first().map(|subject| subject.merchant.clone());
    let merchant =
        merchant.filter(|first| !first.is_empty() && subjects.iter().all(|subject| subject.merchant == *first));
    if merchant.is_some() {
        subjects.iter_mut().for_each(|subject| subject.merchant.clear());
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
    (merchant, lines)
}
