//! The sandbox processor. Its answer to a charge depends on the token and on the number of calls with the same
//! idempotency key. Its answer to a refund depends on the prefix of the charge's reference. A charge or refund moves
//! the money again if the last move with its key is older than `repeatable_for_ms`. An undo is only counted. The
//! sandbox stores its calls in its own items of the table.

use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep as _, SharedAsyncSleep};
use spillway_domain::operation::{Answer, Failure, Operation, PaymentMethod, Receipt, Target, Verb};

use spillway_runtime::{Clock, Effects};
use spillway_store::{SandboxCall, Store, StoreError};

/// The processor's name in stored payments.
pub(super) const NAME: &str = "sandbox";

const SLOW: Duration = Duration::from_secs(2);

/// The behaviour of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    /// Charged at once.
    Approve(Card),
    /// Refused, with this code and message.
    Decline(&'static str, &'static str),
    /// Charged after two seconds.
    Slow,
    /// Charged, but the first answer is lost.
    TimeOutOnceAfterCharging,
    /// No answer, and not charged, three times; then charged.
    TimeOutThrice,
    /// Charged at once, but refunds of the charge are refused.
    ApproveWithoutRefunds,
}

/// The brand and the last four digits of a card.
type Card = (&'static str, &'static str);

const VISA: Card = ("visa", "4242");

/// The prefix of the sandbox's references of charges.
const CHARGE: &str = "sandbox_";
/// The prefix of its references of charges that can't be refunded.
const CHARGE_WITHOUT_REFUNDS: &str = "sandbox_norefund_";

/// Every token that the sandbox knows. The tokens for disputes are approved; disputes are not built yet.
const TOKENS: [(&str, Behaviour); 12] = [
    ("tok_visa", Behaviour::Approve(VISA)),
    ("tok_mastercard", Behaviour::Approve(("mastercard", "4444"))),
    ("tok_declined", Behaviour::Decline("card_declined", "The card was declined.")),
    ("tok_insufficient_funds", Behaviour::Decline("insufficient_funds", "The card has insufficient funds.")),
    ("tok_expired_card", Behaviour::Decline("expired_card", "The card has expired.")),
    ("tok_slow", Behaviour::Slow),
    ("tok_timeout_then_ok", Behaviour::TimeOutOnceAfterCharging),
    ("tok_timeout_unknown", Behaviour::TimeOutThrice),
    ("tok_unavailable", Behaviour::TimeOutThrice),
    ("tok_refund_fails", Behaviour::ApproveWithoutRefunds),
    ("tok_dispute_won", Behaviour::Approve(VISA)),
    ("tok_dispute_lost", Behaviour::Approve(VISA)),
];

/// The behaviour of a token, which may end in `_` and digits: another card that behaves in the same way.
fn behaviour(token: &str) -> Option<Behaviour> {
    let unnumbered = token.trim_end_matches(|last: char| last.is_ascii_digit());
    let kind = if unnumbered == token { Some(token) } else { unnumbered.strip_suffix('_') };
    TOKENS.iter().find(|(known, _)| Some(*known) == kind).map(|(_, behaviour)| *behaviour)
}

fn behaviour_of(target: &Target) -> Option<Behaviour> {
    match target {
        Target::Token(token) => behaviour(token),
        Target::Charge(_) => None,
    }
}

pub(super) fn knows_token(token: &str) -> bool {
    behaviour(token).is_some()
}

pub(super) struct Sandbox {
    /// Milliseconds for which the sandbox recognizes an idempotency key.
    repeatable_for_ms: i64,
    store: Store,
    sleep: SharedAsyncSleep,
    now: Clock,
}

impl Sandbox {
    pub(super) fn new(store: Store, repeatable_for_ms: i64, effects: &Effects) -> Sandbox {
        Sandbox { repeatable_for_ms, store, sleep: effects.sleep.clone(), now: effects.now.clone() }
    }

    /// Does or counts the operation, and returns the answer.
    pub(super) async fn call(&self, operation: &Operation) -> Answer {
        let answer = match operation.verb {
            Verb::Authorize => self.authorize(operation).await,
            Verb::Undo => self.count(operation).await.map(|_| Answer::Done(receipt(operation))),
            Verb::Refund => self.refund(operation).await,
        };
        answered(operation, answer)
    }

    /// Looks up by our reference whether money was moved.
    pub(super) async fn look_up(&self, operation: &Operation) -> Answer {
        let calls = self.store.sandbox_calls(operation).await;
        let answer = calls.map(|calls| match calls.iter().any(|call| call.is_done) {
            true => Answer::Done(receipt(operation)),
            false => Answer::Absent,
        });
        answered(operation, answer)
    }

    async fn authorize(&self, operation: &Operation) -> Result<Answer, StoreError> {
        let call = self.count(operation).await?;
        let behaviour = behaviour_of(&operation.target);
        match behaviour {
            None => return Ok(refused("invalid_token", "The sandbox does not know this token.")),
            Some(Behaviour::Decline(code, message)) => return Ok(refused(code, message)),
            Some(Behaviour::TimeOutThrice) if call.calls <= 3 => return Ok(Answer::Unknown),
            Some(Behaviour::Slow) => self.sleep.sleep(SLOW).await,
            Some(_) => {}
        }
        self.move_money(operation).await?;
        if behaviour == Some(Behaviour::TimeOutOnceAfterCharging) && call.calls == 1 {
            return Ok(Answer::Unknown);
        }
        Ok(Answer::Done(receipt(operation)))
    }

    /// Counts the call, and returns the calls so far.
    async fn count(&self, operation: &Operation) -> Result<SandboxCall, StoreError> {
        self.store.count_sandbox_call(operation, (self.now)()).await
    }

    async fn refund(&self, operation: &Operation) -> Result<Answer, StoreError> {
        self.count(operation).await?;
        if matches!(&operation.target, Target::Charge(charge) if charge.starts_with(CHARGE_WITHOUT_REFUNDS)) {
            return Ok(refused("refund_refused", "The sandbox refuses refunds of this payment."));
        }
        self.move_money(operation).await?;
        Ok(Answer::Done(receipt(operation)))
    }

    /// Moves the money, unless that was done with the same key within `repeatable_for_ms`.
    async fn move_money(&self, operation: &Operation) -> Result<(), StoreError> {
        let now = (self.now)();
        let remembered_since = now.plus_millis(-self.repeatable_for_ms);
        self.store.sandbox_move(operation, remembered_since, now).await
    }
}

/// Returns the answer. If the sandbox's books fail, the outcome is unknown, as if the processor did not answer.
fn answered(operation: &Operation, answer: Result<Answer, StoreError>) -> Answer {
    answer.unwrap_or_else(|error| {
        tracing::warn!(reference = %operation.reference, %error, "the sandbox failed");
        Answer::Unknown
    })
}

fn refused(code: &str, message: &str) -> Answer {
    Answer::Refused(Failure { code: code.to_owned(), message: message.to_owned() })
}

fn receipt(operation: &Operation) -> Receipt {
    let tail = operation.reference.as_str().split_once('_').map_or("", |(_, tail)| tail);
    if operation.verb == Verb::Refund {
        return Receipt { reference: format!("{CHARGE}refund_{tail}"), method: None };
    }
    let (start, (brand, last4)) = match behaviour_of(&operation.target) {
        Some(Behaviour::Approve(card)) => (CHARGE, card),
        Some(Behaviour::ApproveWithoutRefunds) => (CHARGE_WITHOUT_REFUNDS, VISA),
        _ => (CHARGE, VISA),
    };
    let method = PaymentMethod { method_type: "card".to_owned(), brand: brand.to_owned(), last4: last4.to_owned() };
    Receipt { reference: format!("{start}{tail}"), method: Some(method) }
}
