//! The sandbox: decides from the token alone, and keeps books of what it did, in items of its own.

use std::time::Duration;

use aws_sdk_dynamodb::config::{AsyncSleep as _, SharedAsyncSleep};
use spillway_domain::payment::{Approval, Authorization, Failure, Found, Payment, PaymentMethod};

use crate::runtime::{Clock, Outside};
use crate::store::{Store, StoreError};

/// Its name, as stored in payments.
pub(super) const NAME: &str = "sandbox";

const SLOW: Duration = Duration::from_secs(2);

/// What a token leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    /// Charged at once.
    Approve(Card),
    /// Refused: code, message.
    Decline(&'static str, &'static str),
    /// Charged after two seconds.
    Slow,
    /// Charged, but the first answer is lost.
    TimeOutOnceAfterCharging,
    /// No answer, and not charged, three times; then charged.
    TimeOutThrice,
    /// 503, and not charged, three times; then charged.
    UnavailableThrice,
}

/// Brand and last four digits.
type Card = (&'static str, &'static str);

const VISA: Card = ("visa", "4242");

/// Every token that the sandbox knows. Those of refunds and disputes approve: what they are named after comes later.
const TOKENS: [(&str, Behaviour); 12] = [
    ("tok_visa", Behaviour::Approve(VISA)),
    ("tok_mastercard", Behaviour::Approve(("mastercard", "4444"))),
    ("tok_declined", Behaviour::Decline("card_declined", "The card was declined.")),
    ("tok_insufficient_funds", Behaviour::Decline("insufficient_funds", "The card has insufficient funds.")),
    ("tok_expired_card", Behaviour::Decline("expired_card", "The card has expired.")),
    ("tok_slow", Behaviour::Slow),
    ("tok_timeout_then_ok", Behaviour::TimeOutOnceAfterCharging),
    ("tok_timeout_unknown", Behaviour::TimeOutThrice),
    ("tok_unavailable", Behaviour::UnavailableThrice),
    ("tok_refund_fails", Behaviour::Approve(VISA)),
    ("tok_dispute_won", Behaviour::Approve(VISA)),
    ("tok_dispute_lost", Behaviour::Approve(VISA)),
];

fn behaviour(token: &str) -> Option<Behaviour> {
    TOKENS.iter().find(|(known, _)| *known == token).map(|(_, behaviour)| *behaviour)
}

pub(super) fn knows_token(token: &str) -> bool {
    behaviour(token).is_some()
}

pub(super) struct Sandbox {
    /// How long it knows an idempotency key again.
    repeatable_for_ms: i64,
    store: Store,
    sleep: SharedAsyncSleep,
    now: Clock,
}

impl Sandbox {
    pub(super) fn new(store: Store, repeatable_for_ms: i64, outside: &Outside) -> Sandbox {
        Sandbox { repeatable_for_ms, store, sleep: outside.sleep.clone(), now: outside.now.clone() }
    }

    /// A fault of the sandbox's own books is a processor that does not answer.
    pub(super) async fn authorize(&self, payment: &Payment, key: &str) -> Authorization {
        match self.try_authorize(payment, key).await {
            Ok(authorization) => authorization,
            Err(error) => {
                tracing::warn!(payment = %payment.id, error = %error, "the sandbox failed");
                Authorization::Unknown
            }
        }
    }

    async fn try_authorize(&self, payment: &Payment, key: &str) -> Result<Authorization, StoreError> {
        let reference = payment.id.as_str();
        let call = self.store.count_sandbox_call(reference, key, (self.now)()).await?;
        let card = match behaviour(&payment.token) {
            None => return Ok(declined("invalid_token", "The sandbox does not know this token.")),
            Some(Behaviour::Decline(code, message)) => return Ok(declined(code, message)),
            Some(Behaviour::TimeOutThrice | Behaviour::UnavailableThrice) if call.calls <= 3 => {
                return Ok(Authorization::Unknown);
            }
            Some(Behaviour::Approve(card)) => card,
            Some(Behaviour::Slow) => {
                self.sleep.sleep(SLOW).await;
                VISA
            }
            Some(Behaviour::TimeOutOnceAfterCharging | Behaviour::TimeOutThrice | Behaviour::UnavailableThrice) => VISA,
        };
        let now = (self.now)();
        self.store.sandbox_charge(reference, key, now.plus_millis(-self.repeatable_for_ms), now).await?;
        if behaviour(&payment.token) == Some(Behaviour::TimeOutOnceAfterCharging) && call.calls == 1 {
            return Ok(Authorization::Unknown);
        }
        Ok(Authorization::Approved(approval(payment, card)))
    }

    pub(super) async fn look_up(&self, payment: &Payment) -> Found {
        match self.store.sandbox_calls(payment.id.as_str()).await {
            Ok(calls) if calls.iter().any(|call| call.charges > 0) => {
                let card = match behaviour(&payment.token) {
                    Some(Behaviour::Approve(card)) => card,
                    _ => VISA,
                };
                Found::Charge(approval(payment, card))
            }
            Ok(_) => Found::Absent,
            Err(error) => {
                tracing::warn!(payment = %payment.id, error = %error, "the sandbox failed");
                Found::Unknown
            }
        }
    }

    pub(super) async fn undo(&self, payment: &Payment, key: &str) -> bool {
        let counted = self.store.count_sandbox_call(payment.id.as_str(), key, (self.now)()).await;
        counted.inspect_err(|error| tracing::warn!(payment = %payment.id, error = %error, "the sandbox failed")).is_ok()
    }
}

fn declined(code: &str, message: &str) -> Authorization {
    Authorization::Declined(Failure { code: code.to_owned(), message: message.to_owned() })
}

fn approval(payment: &Payment, (brand, last4): Card) -> Approval {
    Approval {
        reference: payment.id.as_str().replace("pay_", "sandbox_"),
        method: PaymentMethod { method_type: "card".to_owned(), brand: brand.to_owned(), last4: last4.to_owned() },
    }
}
