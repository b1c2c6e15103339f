//! Payments: their states, what to do next for one, and what each outcome changes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::event::{Event, EventType};
use crate::fee::Pricing;
use crate::id::{EntryId, PaymentId};
use crate::idempotency::Fingerprint;
use crate::ledger::{self, EntryType, JournalEntry, LedgerError, Movement, MovementKey};
use crate::money::Minor;
use crate::tenant::Tenant;
use crate::time::{Day, Timestamp};

mod next_step;

pub use next_step::{CLOCK_SKEW_MS, Step, UnknownOutcomePolicy};

/// Where a payment is. `Succeeded` and `Failed` are terminal: nothing leaves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted; the processor has not given a final answer yet.
    Processing,
    /// Captured and posted.
    Succeeded,
    /// Nothing was taken, and nothing will be.
    Failed,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 3] = [Status::Processing, Status::Succeeded, Status::Failed];
}

/// When the money is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureMethod {
    /// Together with the authorization.
    Automatic,
}

/// What was charged, as far as a merchant may know.
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

/// Why a payment failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
}

/// The failure code of a payment whose outcome the processor never knew.
pub const PROCESSOR_UNAVAILABLE: &str = "processor_unavailable";

/// What a client asks for, already valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    /// Minor units, 1 to [`crate::money::AMOUNT_MAX`].
    pub amount: Minor,
    /// One of the merchant's.
    pub currency: Currency,
    /// What to charge, as the processor names it.
    pub token: String,
    /// When to take the money.
    pub capture_method: CaptureMethod,
    /// For people.
    pub description: Option<String>,
    /// The merchant's own number.
    pub reference: Option<String>,
    /// The merchant's own customer.
    pub customer: Option<String>,
    /// Whatever the merchant wants kept.
    pub metadata: BTreeMap<String, String>,
}

/// How a payment came to be: what Spillway adds to what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The merchant's shard for all that follows.
    pub shard: u16,
    /// The name of the processor that is chosen.
    pub processor: String,
    /// Of the request's body.
    pub fingerprint: Fingerprint,
    /// Of the request.
    pub request_id: String,
    /// When.
    pub at: Timestamp,
}

/// A payment as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Derived from the tenant and the idempotency key.
    pub id: PaymentId,
    /// Whose.
    pub tenant: Tenant,
    /// Where it is.
    pub status: Status,
    /// Minor units asked for.
    pub amount: Minor,
    /// Of all its amounts.
    pub currency: Currency,
    /// Minor units taken.
    pub amount_captured: Minor,
    /// Minor units given back.
    pub amount_refunded: Minor,
    /// Minor units in dispute.
    pub amount_disputed: Minor,
    /// Captured − refunded − disputed: what a refund may still take.
    pub refundable: Minor,
    /// When to take the money.
    pub capture_method: CaptureMethod,
    /// What is charged. Never rendered, never logged.
    pub token: String,
    /// For people.
    pub description: Option<String>,
    /// The merchant's own number.
    pub reference: Option<String>,
    /// The merchant's own customer.
    pub customer: Option<String>,
    /// The merchant's own.
    pub metadata: BTreeMap<String, String>,
    /// Known once approved.
    pub payment_method: Option<PaymentMethod>,
    /// Known once failed.
    pub failure: Option<Failure>,
    /// Minor units, known once captured.
    pub fee: Option<Minor>,
    /// The capture's value date.
    pub available_on: Option<Day>,
    /// Moves when something moves that is rendered.
    pub version: u64,
    /// The merchant's shard that holds all that follows from this payment.
    pub shard: u16,
    /// The name of the processor that was chosen when it was created.
    pub processor: String,
    /// The processor's own reference.
    pub processor_reference: Option<String>,
    /// When the present status began.
    pub status_since: Timestamp,
    /// How often the processor was asked without a final answer.
    pub asks: u32,
    /// After such an answer: when to ask again. Earlier messages are late copies.
    pub next_ask_at: Option<Timestamp>,
    /// When a look-up at the processor first found nothing.
    pub absent_since: Option<Timestamp>,
    /// Of a payment that failed because the processor knew of no charge: when to look a last time.
    pub last_look_at: Option<Timestamp>,
    /// Of the body that made it.
    pub fingerprint: Fingerprint,
    /// The request that made it.
    pub request_id: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the version last moved.
    pub updated_at: Timestamp,
}

/// A processor's answer to an authorization, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// Taken.
    Approved(Approval),
    /// Refused for good.
    Declined(Failure),
    /// No answer, or none that tells. Never guessed: ask again.
    Unknown,
}

/// A charge that the processor made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The processor's own reference.
    pub reference: String,
    /// What was charged.
    pub method: PaymentMethod,
}

/// What a look-up at the processor found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A charge under our reference.
    Charge(Approval),
    /// None.
    Absent,
    /// No answer.
    Unknown,
}

/// The terms of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// What it costs.
    pub pricing: Pricing,
    /// Days until it is available.
    pub settlement_delay_days: u16,
}

/// All that becomes true at once: committed by one call, on condition that the payment still has the version that was
/// read and is not terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The payment as it was read.
    pub read: Payment,
    /// The new state.
    pub payment: Payment,
    /// The journal entry and the movement, where money moved.
    pub posting: Option<(JournalEntry, Movement)>,
    /// What the merchant is told.
    pub event: Event,
}

impl Payment {
    /// A payment as accepted.
    pub fn accept(id: PaymentId, tenant: Tenant, asked: NewPayment, origin: Origin) -> Payment {
        Payment {
            id,
            tenant,
            status: Status::Processing,
            amount: asked.amount,
            currency: asked.currency,
            amount_captured: Minor::ZERO,
            amount_refunded: Minor::ZERO,
            amount_disputed: Minor::ZERO,
            refundable: Minor::ZERO,
            capture_method: asked.capture_method,
            token: asked.token,
            description: asked.description,
            reference: asked.reference,
            customer: asked.customer,
            metadata: asked.metadata,
            payment_method: None,
            failure: None,
            fee: None,
            available_on: None,
            version: 1,
            shard: origin.shard,
            processor: origin.processor,
            processor_reference: None,
            status_since: origin.at,
            asks: 0,
            next_ask_at: None,
            absent_since: None,
            last_look_at: None,
            fingerprint: origin.fingerprint,
            request_id: origin.request_id,
            created_at: origin.at,
            updated_at: origin.at,
        }
    }

    /// The payment as it was accepted, from its fields that never change: the answer to a repeated request.
    pub fn as_accepted(&self) -> Payment {
        let asked = NewPayment {
            amount: self.amount,
            currency: self.currency,
            token: self.token.clone(),
            capture_method: self.capture_method,
            description: self.description.clone(),
            reference: self.reference.clone(),
            customer: self.customer.clone(),
            metadata: self.metadata.clone(),
        };
        let origin = Origin {
            shard: self.shard,
            processor: self.processor.clone(),
            fingerprint: self.fingerprint.clone(),
            request_id: self.request_id.clone(),
            at: self.created_at,
        };
        Payment::accept(self.id.clone(), self.tenant.clone(), asked, origin)
    }

    /// The processor approved: the money is posted to the ledger.
    pub fn approved(&self, approval: Approval, terms: &Terms, now: Timestamp) -> Result<Change, LedgerError> {
        let fee = terms.pricing.fee(self.amount)?;
        let net = self.amount.minus(fee)?;
        let available_on = now.day().plus_days(terms.settlement_delay_days);
        let payment = Payment {
            amount_captured: self.amount,
            refundable: self.amount.minus(self.amount_refunded)?.minus(self.amount_disputed)?,
            payment_method: Some(approval.method),
            processor_reference: Some(approval.reference),
            fee: Some(fee),
            available_on: Some(available_on),
            ..self.moved_to(Status::Succeeded, now)
        };
        let entry = JournalEntry {
            id: EntryId::ordered(now, payment.shard, &[payment.id.as_str(), &payment.version.to_string()]),
            entry_type: EntryType::Capture,
            currency: payment.currency,
            postings: ledger::capture_postings(payment.amount, fee)?,
            amount: payment.amount,
            fee,
            net,
            available_on,
            source: payment.id.clone(),
            request_id: payment.request_id.clone(),
            created_at: now,
        };
        let key = MovementKey { currency: payment.currency, value_date: available_on, entry: entry.id.clone() };
        Ok(Change {
            read: self.clone(),
            event: Event::of_payment(EventType::PaymentSucceeded, &payment),
            posting: Some((entry, Movement { key, amount: net })),
            payment,
        })
    }

    /// The processor refused, or never knew of it: no money moved.
    pub fn failed(&self, failure: Failure, now: Timestamp) -> Change {
        let payment = Payment { failure: Some(failure), ..self.moved_to(Status::Failed, now) };
        let event = Event::of_payment(EventType::PaymentFailed, &payment);
        Change { read: self.clone(), payment, posting: None, event }
    }

    /// The idempotency key of the authorization at the processor: the same for every repetition.
    pub fn authorization_key(&self) -> String {
        format!("{}/authorize", self.id)
    }

    /// The idempotency key of giving back a charge that appeared after the payment failed.
    pub fn undo_key(&self) -> String {
        format!("{}/undo", self.id)
    }

    fn moved_to(&self, status: Status, now: Timestamp) -> Payment {
        Payment {
            status,
            status_since: now,
            version: self.version + 1,
            updated_at: now,
            next_ask_at: None,
            absent_since: None,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests;
