//! Operations at a card processor: the request, its repetition while the outcome is unknown, and the meaning of
//! answers.
//!
//! Spillway never guesses an unknown outcome. While the processor stores our idempotency key, the identical call is
//! repeated. Later the operation is looked up by our reference at the processor. An undo is looked up from the start.
//! If a look-up finds nothing, the consequence differs by verb: the table [`Verb::rules`] and
//! [`Progress::consequence`] define it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumMessage, EnumString, IntoStaticStr, VariantArray};

use crate::change::{Change, ChangeError};
use crate::currency::Currency;
use crate::fee::Terms;
use crate::id::ObjectId;
use crate::money::Minor;
use crate::resource::Resource;
use crate::tenant::Tenant;
use crate::text::as_text;
use crate::time::Timestamp;

/// A message may arrive this many milliseconds before its time, because clocks differ.
pub const CLOCK_SKEW_MS: i64 = 1_000;

/// The action of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumMessage, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Verb {
    /// Authorize and capture in one step.
    Authorize,
    /// Give back a charge that was found after its payment had failed.
    Undo,
    /// Give back a charge, or a part of it.
    Refund,
}

as_text!(Verb);

/// The rules of one verb.
pub struct VerbRules {
    /// Whether a look-up comes before each call. For `Undo`, the look-up is for the charge. The undo is called only if
    /// the charge is found.
    pub looks_first: bool,
    /// The consequence if a look-up finds nothing.
    absence: Absence,
    /// Whether a refusal ends the operation. If not, the operation is repeated until it is done.
    may_be_refused: bool,
    /// Whether the change after success needs the merchant's price and settlement delay.
    pub is_priced: bool,
}

/// The consequence if a look-up finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// The last look-up ends the operation as never done. An earlier one does not, because the charge may still appear.
    EndAtLastLookUp,
    /// The operation ends as never done if a second look-up, long enough after the first, finds nothing either.
    EndIfAbsentTwice,
    /// If a second look-up, long enough after the first, finds nothing either, the operation is called again with the
    /// same key.
    CallAgainIfAbsentTwice,
}

impl Verb {
    /// The rules of this verb.
    pub fn rules(self) -> VerbRules {
        let rules = |looks_first, absence, may_be_refused, is_priced| VerbRules {
            looks_first,
            absence,
            may_be_refused,
            is_priced,
        };
        match self {
            // looks first, absence, may be refused, is priced
            Verb::Authorize => rules(false, Absence::EndIfAbsentTwice, true, true),
            Verb::Undo => rules(true, Absence::EndAtLastLookUp, false, false),
            Verb::Refund => rules(false, Absence::CallAgainIfAbsentTwice, true, false),
        }
    }
}

/// One action at a card processor for one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The action.
    pub verb: Verb,
    /// Our idempotency key at the processor. Every repetition sends the same key.
    pub key: String,
    /// Our reference at the processor: the object's id. The operation can be looked up by it.
    pub reference: ObjectId,
    /// Merchant and mode that own the object.
    pub tenant: Tenant,
    /// The name of the processor.
    pub processor: String,
    /// Minor units.
    pub amount: Minor,
    /// The currency of the amount.
    pub currency: Currency,
    /// The card token or the charge that the operation uses.
    pub target: Target,
}

/// The card token or the charge that an operation uses. It must not be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The processor's token of a card: the card to charge or, for an undo, the card whose charge is to be given back.
    Token(String),
    /// The processor's reference of the charge to give back.
    Charge(String),
}

/// The progress of one operation, stored in the object that waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The action.
    pub verb: Verb,
    /// The time when the object began to wait. The processor is assumed to store our key from then on.
    pub since: Timestamp,
    /// Number of calls and look-ups that left the outcome unknown.
    #[serde(rename = "asks")]
    pub tries: u32,
    /// The time of the next call or look-up. `None` means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// The time at which a look-up first found nothing since the last call. A call clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent_since: Option<Timestamp>,
}

/// The schedule of calls and look-ups while an outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownOutcomePolicy {
    /// Seconds to wait after the first, second, … unknown outcome. The last value repeats.
    pub waits_s: Vec<u32>,
    /// Milliseconds for which the processor stores our idempotency key.
    pub repeatable_for_ms: i64,
    /// The least time, in milliseconds, between the two look-ups that must both find nothing.
    pub absent_again_ms: i64,
    /// If no charge was found, the payment fails. These are the milliseconds from that failure to the last look-up for
    /// the charge.
    pub last_look_ms: i64,
}

/// A step at the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Call the operation. Every call is identical.
    Call,
    /// Look the operation up, because the processor no longer stores our key, or because the verb requires it.
    LookUp,
}

/// The payment method that was charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentMethod {
    /// Always `card` so far.
    #[serde(rename = "type")]
    pub method_type: String,
    /// The card scheme in lower case, such as `visa`.
    pub brand: String,
    /// The last four digits of the card number.
    pub last4: String,
}

/// The reason of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The reason for programs, such as `card_declined`.
    pub code: String,
    /// The reason for people.
    pub message: String,
}

/// The processor's confirmation that an operation is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The processor's own reference of the charge or refund.
    pub reference: String,
    /// The payment method that was charged. None for a refund.
    pub method: Option<PaymentMethod>,
}

/// The processor's answer to a call or a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The operation is done. The answer to a look-up for `Undo`: the charge exists.
    Done(Receipt),
    /// The operation is refused permanently.
    Refused(Failure),
    /// A look-up found nothing: no such operation or, for `Undo`, no charge.
    Absent,
    /// There was no answer, or it leaves the outcome unknown.
    Unknown,
}

/// The final outcome of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The operation is done.
    Done(Receipt),
    /// The operation is refused permanently.
    Refused(Failure),
    /// The processor does not know the operation, so it was never done.
    NeverDone,
}

/// The consequence of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// Call the operation now.
    CallNow,
    /// Store this conclusion.
    Store(Conclusion),
}

/// The result of the steps so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// The operation has ended.
    Ended(Ending),
    /// The operation goes on. Its next step comes at `next_at`.
    Continue(Progress),
}

impl Conclusion {
    /// What is still to be stored of this conclusion after another write changed the object during the step, often
    /// because the message was delivered twice. None if nothing is left to store. `before`: the progress before the
    /// step. `stored_now`: the progress in the changed object.
    pub fn carried_over(&self, before: &Progress, stored_now: &Progress) -> Option<Conclusion> {
        match self {
            _ if before == stored_now => Some(self.clone()),
            // A final answer holds, even if the other copy stored an unknown outcome.
            Conclusion::Ended(Ending::Done(_) | Ending::Refused(_)) if before.verb == stored_now.verb => {
                Some(self.clone())
            }
            // The other copy failed the payment, but the charge was made. Undo it now, because the last look-up is much
            // later.
            Conclusion::Ended(Ending::Done(_)) if stored_now.verb == Verb::Undo && stored_now.next_at.is_some() => {
                Some(Conclusion::Continue(Progress { next_at: None, ..stored_now.clone() }))
            }
            _ => None,
        }
    }
}

/// A resource with operations at a card processor.
pub trait HasOperation: Resource {
    /// The present operation. None if the resource does not wait for the processor.
    fn operation(&self) -> Option<Operation>;

    /// The same resource with another progress of its operation.
    fn with_progress(&self, progress: Option<Progress>) -> Self;

    /// The change that stores nothing but this progress.
    fn progressed(&self, next: Progress) -> Change<Self> {
        Change::step(self.clone(), self.with_progress(Some(next)))
    }

    /// The change after the end of the present operation. Errors if the operation is priced and `terms` is `None`, if
    /// the resource's status does not allow the change, or if a journal entry is invalid.
    fn settle(
        &self, ending: Ending, terms: Option<&Terms>, now: Timestamp, policy: &UnknownOutcomePolicy,
    ) -> Result<Change<Self>, ChangeError>;
}

impl Progress {
    /// The progress of a new operation, which is called now.
    pub fn begin(verb: Verb, since: Timestamp) -> Progress {
        Progress { verb, since, tries: 0, next_at: None, absent_since: None }
    }

    /// The progress of a new operation, which is first called or looked up at `at`.
    pub fn begin_at(verb: Verb, since: Timestamp, at: Timestamp) -> Progress {
        Progress { next_at: Some(at), ..Progress::begin(verb, since) }
    }

    /// The step to take at the time `now`. None if the message is early.
    pub fn next_step(&self, now: Timestamp, policy: &UnknownOutcomePolicy) -> Option<Step> {
        match self.next_at {
            Some(at) if at.since(now) > CLOCK_SKEW_MS => None,
            _ if !self.verb.rules().looks_first && now.since(self.since) < policy.repeatable_for_ms => Some(Step::Call),
            _ => Some(Step::LookUp),
        }
    }

    /// The consequence of the answer to `step`. `spread`, from 0 to 1000, spreads the repetitions of operations that
    /// failed at the same time: 0 shortens a wait by a fifth, 1000 leaves it whole.
    pub fn consequence(
        &self, step: Step, answer: Answer, now: Timestamp, policy: &UnknownOutcomePolicy, spread: u32,
    ) -> Consequence {
        let VerbRules { looks_first, absence, may_be_refused, .. } = self.verb.rules();
        // A call invalidates earlier look-ups: it may have created the operation that they did not find.
        let before = match step {
            Step::Call => &Progress { absent_since: None, ..self.clone() },
            Step::LookUp => self,
        };
        let ended = |ending| Consequence::Store(Conclusion::Ended(ending));
        let again = |progress| Consequence::Store(Conclusion::Continue(progress));
        let unknown = |absent| again(before.after_unknown(absent, now, policy, spread));
        match (step, answer) {
            (Step::LookUp, Answer::Done(_)) if looks_first => Consequence::CallNow,
            (_, Answer::Done(receipt)) => ended(Ending::Done(receipt)),
            (_, Answer::Refused(failure)) if may_be_refused => ended(Ending::Refused(failure)),
            (Step::LookUp, Answer::Absent) => match absence {
                Absence::EndAtLastLookUp => match self.since.plus_millis(policy.last_look_ms) {
                    last_look if last_look.since(now) > CLOCK_SKEW_MS => {
                        let absent_since = self.absent_since.or(Some(now));
                        again(Progress { absent_since, ..self.again_at(last_look) })
                    }
                    _ => ended(Ending::NeverDone),
                },
                Absence::EndIfAbsentTwice if self.absence_is_confirmed(now, policy) => ended(Ending::NeverDone),
                Absence::CallAgainIfAbsentTwice if self.absence_is_confirmed(now, policy) => Consequence::CallNow,
                Absence::EndIfAbsentTwice | Absence::CallAgainIfAbsentTwice => unknown(true),
            },
            (_, Answer::Refused(_) | Answer::Absent | Answer::Unknown) => unknown(false),
        }
    }

    fn again_at(&self, at: Timestamp) -> Progress {
        Progress { tries: self.tries.saturating_add(1), next_at: Some(at), ..self.clone() }
    }

    /// Whether the first look-up that found nothing was long enough ago.
    fn absence_is_confirmed(&self, now: Timestamp, policy: &UnknownOutcomePolicy) -> bool {
        self.absent_since.is_some_and(|since| now.since(since) >= policy.absent_again_ms)
    }

    /// The progress after an unknown outcome. `absent`: whether a look-up found nothing.
    fn after_unknown(&self, absent: bool, now: Timestamp, policy: &UnknownOutcomePolicy, spread: u32) -> Progress {
        let index = usize::try_from(self.tries).unwrap_or(usize::MAX).min(policy.waits_s.len().saturating_sub(1));
        let wait_ms = i64::from(policy.waits_s.get(index).copied().unwrap_or(1)) * 1000;
        let spread_wait_ms = wait_ms - wait_ms / 5 + wait_ms / 5 * i64::from(spread.min(1000)) / 1000;
        // A wait that begins before 23/24 of the key's life is cut to end at 23/24. So one more call is made before the
        // processor deletes the key. (With 23 hours: at about 22 hours.)
        let planned_call_at = self.since.plus_millis(policy.repeatable_for_ms - policy.repeatable_for_ms / 24);
        let next_at = match now.plus_millis(spread_wait_ms) {
            _ if absent && self.absent_since.is_none() => now.plus_millis(policy.absent_again_ms),
            at if now < planned_call_at => at.min(planned_call_at),
            at => at,
        };
        let absent_since = if absent { self.absent_since.or(Some(now)) } else { self.absent_since };
        Progress { absent_since, ..self.again_at(next_at) }
    }
}

#[cfg(test)]
mod tests;
