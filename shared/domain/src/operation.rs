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
    /// There is nothing to do.
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
                Absence::IsTheEnd => Conclusion::Ended(Ending::NeverDone),
                Absence::TwiceIsTheEnd if self.was_absent_long_ago(now, policy) => Conclusion::Ended(Ending::NeverDone),
                Absence::TwiceIsCalledAgain if self.was_absent_long_ago(now, policy) => Conclusion::Call,
                Absence::TwiceIsTheEnd | Absence::TwiceIsCalledAgain => again(true),
            },
            (_, Answer::Refused(_) | Answer::Absent | Answer::Unknown) => again(false),
        }
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
        Asking {
            asks: self.asks.saturating_add(1),
            next_at: Some(next_at),
            absent_since: if absent { self.absent_since.or(Some(now)) } else { self.absent_since },
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn policy() -> UnknownOutcomePolicy {
        UnknownOutcomePolicy {
            waits_s: vec![10, 60, 86_400],
            repeatable_for_ms: 24 * HOUR,
            absent_again_ms: HOUR,
            last_look_ms: 24 * HOUR,
        }
    }

    fn noon() -> Timestamp {
        Timestamp::parse("2026-01-31T12:00:00Z").unwrap()
    }

    fn after(hours: i64) -> Timestamp {
        noon().plus_millis(hours * HOUR)
    }

    fn receipt() -> Receipt {
        let method = PaymentMethod { method_type: "card".into(), brand: "visa".into(), last4: "4242".into() };
        Receipt { reference: "ch_1".into(), method: Some(method) }
    }

    fn refusal() -> Failure {
        Failure { code: "card_declined".into(), message: "Declined.".into() }
    }

    fn asking(verb: Verb) -> Asking {
        Asking::begin(verb, noon())
    }

    fn again(conclusion: Conclusion) -> Asking {
        match conclusion {
            Conclusion::AskAgain(asking) => asking,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_authorization_is_called_while_the_key_is_kept() {
        for (hours, ask) in [(0, Ask::Call), (23, Ask::Call), (24, Ask::LookUp), (9000, Ask::LookUp)] {
            assert_eq!(asking(Verb::Authorize).next(after(hours), &policy()), ask, "{hours} h");
        }
    }

    #[test]
    fn an_undo_looks_first() {
        assert_eq!(asking(Verb::Undo).next(noon(), &policy()), Ask::LookUp);
    }

    #[test]
    fn an_early_message_waits() {
        let waiting = Asking::begin_at(Verb::Authorize, noon(), noon().plus_millis(10_000));
        assert_eq!(waiting.next(noon().plus_millis(8_999), &policy()), Ask::Wait(noon().plus_millis(10_000)));
        assert_eq!(waiting.next(noon().plus_millis(9_000), &policy()), Ask::Call);
    }

    #[test]
    fn each_answer_has_one_conclusion() {
        use Answer::{Absent, Done, Refused, Unknown};
        let absent_before = Asking { absent_since: Some(noon()), ..asking(Verb::Authorize) };
        let lost_refund = Asking { absent_since: Some(noon()), ..asking(Verb::Refund) };
        let again = None;
        let ended = |ending| Some(Conclusion::Ended(ending));
        // Verb and history, ask, answer, hour: conclusion; None stands for asking again.
        for (asking, ask, answer, hour, expected) in [
            (asking(Verb::Authorize), Ask::Call, Done(receipt()), 0, ended(Ending::Done(receipt()))),
            (asking(Verb::Authorize), Ask::Call, Refused(refusal()), 0, ended(Ending::Refused(refusal()))),
            (asking(Verb::Authorize), Ask::Call, Unknown, 0, again.clone()),
            (asking(Verb::Authorize), Ask::Call, Absent, 0, again.clone()),
            (asking(Verb::Authorize), Ask::LookUp, Done(receipt()), 30, ended(Ending::Done(receipt()))),
            (asking(Verb::Authorize), Ask::LookUp, Unknown, 30, again.clone()),
            (asking(Verb::Authorize), Ask::LookUp, Absent, 30, again.clone()),
            (absent_before.clone(), Ask::LookUp, Absent, 1, ended(Ending::NeverDone)),
            (absent_before.clone(), Ask::LookUp, Unknown, 1, again.clone()),
            (absent_before, Ask::LookUp, Absent, 0, again.clone()),
            (asking(Verb::Undo), Ask::LookUp, Done(receipt()), 0, Some(Conclusion::Call)),
            (asking(Verb::Undo), Ask::LookUp, Absent, 0, ended(Ending::NeverDone)),
            (asking(Verb::Undo), Ask::LookUp, Unknown, 0, again.clone()),
            (asking(Verb::Undo), Ask::Call, Done(receipt()), 0, ended(Ending::Done(receipt()))),
            (asking(Verb::Undo), Ask::Call, Refused(refusal()), 0, again.clone()),
            (asking(Verb::Undo), Ask::Call, Unknown, 0, again.clone()),
            (asking(Verb::Refund), Ask::Call, Done(receipt()), 0, ended(Ending::Done(receipt()))),
            (asking(Verb::Refund), Ask::Call, Refused(refusal()), 0, ended(Ending::Refused(refusal()))),
            (asking(Verb::Refund), Ask::LookUp, Done(receipt()), 30, ended(Ending::Done(receipt()))),
            (asking(Verb::Refund), Ask::LookUp, Absent, 30, again.clone()),
            (lost_refund, Ask::LookUp, Absent, 1, Some(Conclusion::Call)),
            (asking(Verb::Refund), Ask::Call, Unknown, 0, again),
        ] {
            let row = format!("{asking:?} {ask:?} {answer:?}");
            match (asking.conclude(ask, answer, after(hour), &policy(), 0), expected) {
                (Conclusion::AskAgain(next), None) => assert_eq!(next.asks, asking.asks + 1, "{row}"),
                (concluded, expected) => assert_eq!(Some(concluded), expected, "{row}"),
            }
        }
    }

    #[test]
    fn an_absence_counts_only_an_hour_after_the_first() {
        let absent = Asking { absent_since: Some(noon()), ..asking(Verb::Authorize) };
        let conclude = |at| absent.conclude(Ask::LookUp, Answer::Absent, at, &policy(), 0);
        assert_eq!(conclude(noon().plus_millis(HOUR)), Conclusion::Ended(Ending::NeverDone));
        assert_eq!(again(conclude(noon().plus_millis(HOUR - 1))).absent_since, Some(noon()));
    }

    #[test]
    fn after_a_further_call_two_absences_are_needed_again() {
        let lost = Asking { absent_since: Some(noon()), ..asking(Verb::Refund) };
        let called = again(lost.conclude(Ask::Call, Answer::Unknown, after(1), &policy(), 0));
        assert_eq!(called.absent_since, None);
        let absent = again(called.conclude(Ask::LookUp, Answer::Absent, after(2), &policy(), 0));
        assert_eq!(absent.absent_since, Some(after(2)));
        assert_eq!(absent.conclude(Ask::LookUp, Answer::Absent, after(3), &policy(), 0), Conclusion::Call);
        // A look-up without an answer forgets nothing.
        let unknown = again(absent.conclude(Ask::LookUp, Answer::Unknown, after(3), &policy(), 0));
        assert_eq!(unknown.absent_since, Some(after(2)));
    }

    #[test]
    fn waits_grow_and_a_last_call_fits_before_the_key_is_forgotten() {
        let wait_s = |asks, at_hour, spread| {
            let (now, asking) = (after(at_hour), Asking { asks, ..asking(Verb::Authorize) });
            let next = again(asking.conclude(Ask::Call, Answer::Unknown, now, &policy(), spread));
            next.next_at.unwrap().since(now) / 1000
        };
        assert_eq!((wait_s(0, 0, 1000), wait_s(0, 0, 0)), (10, 8));
        assert_eq!(wait_s(1, 0, 1000), 60);
        assert_eq!(wait_s(2, 1, 1000), 22 * 3600, "to the 23rd of 24 hours");
        assert_eq!(wait_s(9, 23, 1000), 24 * 3600, "afterwards only look-ups are left");
    }

    #[test]
    fn the_look_after_a_first_absence_comes_when_it_can_decide() {
        let now = after(30);
        let asking = Asking { asks: 9, ..asking(Verb::Authorize) };
        let absent = again(asking.conclude(Ask::LookUp, Answer::Absent, now, &policy(), 1000));
        assert_eq!((absent.absent_since, absent.next_at), (Some(now), Some(now.plus_millis(HOUR))));
        let unknown = absent.conclude(Ask::LookUp, Answer::Unknown, after(31), &policy(), 1000);
        assert_eq!(again(unknown).absent_since, Some(now));
    }
}
