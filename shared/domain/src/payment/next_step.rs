//! What to do next for a payment, above all while its outcome is unknown: it is never guessed.

use super::{Change, Failure, PROCESSOR_UNAVAILABLE, Payment, Status};
use crate::time::Timestamp;

/// A message may come this much before its time: clocks differ.
pub const CLOCK_SKEW_MS: i64 = 1_000;

/// What a message about a payment leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask the processor to authorize and capture: the identical call each time.
    Authorize,
    /// The processor no longer keeps our key: only look for a charge under our reference.
    LookUp,
    /// It failed without an answer: should a charge have appeared since, undo it.
    LastLook,
    /// Nothing is to be done in this state: the message is late or repeated.
    Nothing,
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

impl Payment {
    /// What to do now for a payment in this state.
    pub fn next_step(&self, now: Timestamp, policy: &UnknownOutcomePolicy) -> Step {
        let early = self.next_ask_at.is_some_and(|at| at.since(now) > CLOCK_SKEW_MS);
        match self.status {
            Status::Processing if early => Step::Nothing,
            Status::Processing if now.since(self.status_since) < policy.repeatable_for_ms => Step::Authorize,
            Status::Processing => Step::LookUp,
            Status::Failed if self.last_look_at.is_some_and(|at| at <= now) => Step::LastLook,
            Status::Succeeded | Status::Failed => Step::Nothing,
        }
    }

    /// The processor did not know of a charge when it was looked up. Failed if that was so before, long enough ago;
    /// none if it must be looked up again.
    pub fn absent(&self, now: Timestamp, policy: &UnknownOutcomePolicy) -> Option<Change> {
        let since = self.absent_since?;
        (now.since(since) >= policy.absent_again_ms).then(|| {
            let message = "The processor never answered and knows of no charge.".to_owned();
            let mut change = self.failed(Failure { code: PROCESSOR_UNAVAILABLE.to_owned(), message }, now);
            change.payment.last_look_at = Some(now.plus_millis(policy.last_look_ms));
            change
        })
    }

    /// The processor did not tell (`absent`: it told that it knows of no charge): when to ask again. `spread` permille
    /// of the last fifth of the wait are added, so that what failed together is not asked together.
    pub fn asked_in_vain(&self, absent: bool, now: Timestamp, policy: &UnknownOutcomePolicy, spread: u32) -> Payment {
        let index = usize::try_from(self.asks).unwrap_or(usize::MAX).min(policy.waits_s.len().saturating_sub(1));
        let wait_ms = i64::from(policy.waits_s.get(index).copied().unwrap_or(1)) * 1000;
        let spread_wait_ms = wait_ms - wait_ms / 5 + wait_ms / 5 * i64::from(spread.min(1000)) / 1000;
        // The last identical call comes well before the processor forgets the key.
        let last_call_at = self.status_since.plus_millis(policy.repeatable_for_ms - policy.repeatable_for_ms / 24);
        let first_absence = absent && self.absent_since.is_none();
        let next_ask_at = match now.plus_millis(spread_wait_ms) {
            _ if first_absence => now.plus_millis(policy.absent_again_ms),
            at if now < last_call_at => at.min(last_call_at),
            at => at,
        };
        Payment {
            asks: self.asks.saturating_add(1),
            next_ask_at: Some(next_ask_at),
            absent_since: if absent { self.absent_since.or(Some(now)) } else { self.absent_since },
            ..self.clone()
        }
    }
}
