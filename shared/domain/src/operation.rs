//! Asking a card processor: what is asked for, how the asking goes on, and what an answer means.
//!
//! An outcome that is not known is never guessed. While the processor keeps our idempotency key, asking repeats the
//! identical call. Later it only looks the operation up by our reference. What it means that nothing is found differs
//! by operation: [`Asking::conclude`] is the one place that says so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::change::{Change, ChangeError};
use crate::currency::Currency;
use crate::fee::Terms;
use crate::id::ObjectId;
use crate::money::Minor;
use crate::resource::Resource;
use crate::tenant::Tenant;
use crate::text::as_text;
use crate::time::Timestamp;

/// A message may come this much before its time: clocks differ.
pub const CLOCK_SKEW_MS: i64 = 1_000;

/// What a card processor is asked to do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumMessage, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Verb {
    /// Authorize and capture at once.
    Authorize,
    /// Give back a charge that appeared after its payment had failed.
    Undo,
    /// Give back all or a part of a charge.
    Refund,
}

as_text!(Verb);

/// How a processor is asked for one verb, and what its answers mean.
struct Manner {
    /// The operation may not be done blindly: it is looked up before each call.
    looks_first: bool,
    /// What it means that a look-up finds nothing.
    absence: Absence,
    /// A refusal is the outcome. Otherwise the processor is asked until it is done.
    may_be_refused: bool,
    /// Doing it takes the terms of a capture.
    is_priced: bool,
}

/// What it means that a look-up finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// There is nothing to do, if the time of the last look has come. Until then it may still appear.
    IsTheEnd,
    /// It was never done, if a second look-up finds nothing either, long enough after the first.
    TwiceIsTheEnd,
    /// The same, but it never ends by silence: it is called again, under the same key.
    TwiceIsCalledAgain,
}

impl Verb {
    /// The one table of the verbs.
    fn manner(self) -> Manner {
        let manner = |looks_first, absence, may_be_refused, is_priced| Manner {
            looks_first,
            absence,
            may_be_refused,
            is_priced,
        };
        match self {
            //                              looks first, absence,             refused, priced
            Verb::Authorize => manner(false, Absence::TwiceIsTheEnd, true, true),
            Verb::Undo => manner(true, Absence::IsTheEnd, false, false),
            Verb::Refund => manner(false, Absence::TwiceIsCalledAgain, true, false),
        }
    }

    /// Whether it is looked up before each call.
    pub fn looks_first(self) -> bool {
        self.manner().looks_first
    }

    /// Whether doing it takes the terms of a capture.
    pub fn is_priced(self) -> bool {
        self.manner().is_priced
    }
}

/// One thing that a card processor is asked to do for one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What to do.
    pub verb: Verb,
    /// Our idempotency key at the processor: the same for every repetition.
    pub key: String,
    /// Our id of the object, by which the operation can be looked up.
    pub reference: ObjectId,
    /// Merchant and mode that own the object.
    pub tenant: Tenant,
    /// The name of the processor.
    pub processor: String,
    /// Minor units.
    pub amount: Minor,
    /// Of the amount.
    pub currency: Currency,
    /// What it is done to.
    pub target: Target,
}

/// What an operation is done to. Never logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// What is charged, as the processor names it.
    Token(String),
    /// The charge, as the processor names it.
    Charge(String),
}

/// How the asking for one operation goes on, as stored in the object that waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// What the processor is asked to do.
    pub verb: Verb,
    /// When the object began to wait: the processor keeps our key from then on.
    pub since: Timestamp,
    /// How often the processor was asked and did not tell the outcome.
    pub asks: u32,
    /// The time of the next ask. None: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// When a look-up first found nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent_since: Option<Timestamp>,
}

/// How often and how long an unknown outcome is asked for, and how sure an absence must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownOutcomePolicy {
    /// Seconds after the first, second, … answer that did not tell; the last one repeats.
    pub waits_s: Vec<u32>,
    /// Milliseconds for which the processor keeps our idempotency key.
    pub repeatable_for_ms: i64,
    /// Milliseconds between two look-ups that must both find nothing.
    pub absent_again_ms: i64,
    /// Milliseconds from failing for want of an answer to a last look at the processor.
    pub last_look_ms: i64,
}

/// What to do at the processor now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Nothing before this time: the message is early.
    Wait(Timestamp),
    /// Make the call, identical each time.
    Call,
    /// Only look the operation up: the processor no longer keeps our key, or may not be asked to do it blindly.
    LookUp,
}

/// What a card was charged with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentMethod {
    /// Always `card` so far.
    #[serde(rename = "type")]
    pub method_type: String,
    /// The scheme, in lower case.
    pub brand: String,
    /// The number's last four digits.
    pub last4: String,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
}

/// What the processor did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The processor's own reference.
    pub reference: String,
    /// What was charged. None where nothing was.
    pub method: Option<PaymentMethod>,
}

/// What the processor says, to a call or a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done(Receipt),
    /// Refused for good.
    Refused(Failure),
    /// It knows of no such operation. Only a look-up can tell.
    Absent,
    /// No answer, or one that does not tell.
    Unknown,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It is done.
    Done(Receipt),
    /// Refused for good.
    Refused(Failure),
    /// It was never done, as far as the processor can tell.
    NeverDone,
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// The operation ended.
    Ended(Ending),
    /// Make the call now.
    Call,
    /// The outcome is not known yet: ask again at the time that this names.
    AskAgain(Asking),
}

impl Conclusion {
    /// What follows for an object that waited for `then` when the processor was asked, and that waits for `now` since
    /// another copy of the message changed it. None if nothing is left to do.
    pub fn carried_over(&self, then: &Asking, now: &Asking) -> Option<Conclusion> {
        match self {
            _ if then == now => Some(self.clone()),
            // A final answer holds, whatever the other copy noted of an answer that told nothing.
            Conclusion::Ended(Ending::Done(_) | Ending::Refused(_)) if then.verb == now.verb => Some(self.clone()),
            // The other copy gave up, but it was done: it is undone at once. The last look would come much later.
            Conclusion::Ended(Ending::Done(_)) if now.verb == Verb::Undo && now.next_at.is_some() => {
                Some(Conclusion::AskAgain(Asking { next_at: None, ..now.clone() }))
            }
            _ => None,
        }
    }
}

/// A resource for which a card processor is asked.
pub trait Asks: Resource {
    /// What the processor is asked to do. None if nothing.
    fn operation(&self) -> Option<Operation>;

    /// The same with another state of the asking.
    fn with_asking(&self, asking: Option<Asking>) -> Self;

    /// The change that only notes when the processor is asked again.
    fn ask_again(&self, next: Asking) -> Change<Self> {
        Change::step(self.clone(), self.with_asking(Some(next)))
    }

    /// What the end of the present operation changes. `terms` must be there where the operation is priced.
    fn settle(
        &self, ending: Ending, terms: Option<&Terms>, now: Timestamp, policy: &UnknownOutcomePolicy,
    ) -> Result<Change<Self>, ChangeError>;
}

impl Asking {
    /// The first ask, at once.
    pub fn begin(verb: Verb, since: Timestamp) -> Asking {
        Asking { verb, since, asks: 0, next_at: None, absent_since: None }
    }

    /// The first ask, at `at`.
    pub fn begin_at(verb: Verb, since: Timestamp, at: Timestamp) -> Asking {
        Asking { next_at: Some(at), ..Asking::begin(verb, since) }
    }

    /// What to do now.
    pub fn next(&self, now: Timestamp, policy: &UnknownOutcomePolicy) -> Ask {
        match self.next_at {
            Some(at) if at.since(now) > CLOCK_SKEW_MS => Ask::Wait(at),
            _ if !self.verb.manner().looks_first && now.since(self.since) < policy.repeatable_for_ms => Ask::Call,
            _ => Ask::LookUp,
        }
    }

    /// What follows from the answer to `ask`. `spread` permille of the last fifth of a wait are added to it, so that
    /// what failed together is not asked together.
    pub fn conclude(
        &self, ask: Ask, answer: Answer, now: Timestamp, policy: &UnknownOutcomePolicy, spread: u32,
    ) -> Conclusion {
        let Manner { looks_first, absence, may_be_refused, .. } = self.verb.manner();
        // A call begins anew what absences tell: what was not there before it may be there after it.
        let asked = match ask {
            Ask::Call => &Asking { absent_since: None, ..self.clone() },
            Ask::LookUp | Ask::Wait(_) => self,
        };
        let again = |absent| Conclusion::AskAgain(asked.in_vain(absent, now, policy, spread));
        match (ask, answer) {
            (Ask::LookUp, Answer::Done(_)) if looks_first => Conclusion::Call,
            (_, Answer::Done(receipt)) => Conclusion::Ended(Ending::Done(receipt)),
            (_, Answer::Refused(failure)) if may_be_refused => Conclusion::Ended(Ending::Refused(failure)),
            (Ask::LookUp, Answer::Absent) => match absence {
                Absence::IsTheEnd => match self.since.plus_millis(policy.last_look_ms) {
                    last_look if last_look.since(now) > CLOCK_SKEW_MS => {
                        let absent_since = self.absent_since.or(Some(now));
                        Conclusion::AskAgain(Asking { absent_since, ..self.again_at(last_look) })
                    }
                    _ => Conclusion::Ended(Ending::NeverDone),
                },
                Absence::TwiceIsTheEnd if self.was_absent_long_ago(now, policy) => Conclusion::Ended(Ending::NeverDone),
                Absence::TwiceIsCalledAgain if self.was_absent_long_ago(now, policy) => Conclusion::Call,
                Absence::TwiceIsTheEnd | Absence::TwiceIsCalledAgain => again(true),
            },
            (_, Answer::Refused(_) | Answer::Absent | Answer::Unknown) => again(false),
        }
    }

    fn again_at(&self, at: Timestamp) -> Asking {
        Asking { asks: self.asks.saturating_add(1), next_at: Some(at), ..self.clone() }
    }

    fn was_absent_long_ago(&self, now: Timestamp, policy: &UnknownOutcomePolicy) -> bool {
        self.absent_since.is_some_and(|since| now.since(since) >= policy.absent_again_ms)
    }

    /// The outcome was not told (`absent`: nothing was found): when to ask again.
    fn in_vain(&self, absent: bool, now: Timestamp, policy: &UnknownOutcomePolicy, spread: u32) -> Asking {
        let index = usize::try_from(self.asks).unwrap_or(usize::MAX).min(policy.waits_s.len().saturating_sub(1));
        let wait_ms = i64::from(policy.waits_s.get(index).copied().unwrap_or(1)) * 1000;
        let spread_wait_ms = wait_ms - wait_ms / 5 + wait_ms / 5 * i64::from(spread.min(1000)) / 1000;
        // The last identical call comes well before the processor forgets the key.
        let last_call_at = self.since.plus_millis(policy.repeatable_for_ms - policy.repeatable_for_ms / 24);
        let next_at = match now.plus_millis(spread_wait_ms) {
            _ if absent && self.absent_since.is_none() => now.plus_millis(policy.absent_again_ms),
            at if now < last_call_at => at.min(last_call_at),
            at => at,
        };
        let absent_since = if absent { self.absent_since.or(Some(now)) } else { self.absent_since };
        Asking { absent_since, ..self.again_at(next_at) }
    }
}

#[cfg(test)]
mod tests;
