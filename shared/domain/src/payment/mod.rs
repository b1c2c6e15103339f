//! Payments: their states, and what each outcome at the processor changes.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use crate::change::{Change, ChangeError};
use crate::currency::Currency;
use crate::event::{Event, EventType};
use crate::fee::Terms;
use crate::id::PaymentKind;
use crate::ledger::{Account, Draft, EntryType, Posted};
use crate::money::Minor;
use crate::operation::{
    Asking, Asks, Ending, Failure, Operation, PaymentMethod, Receipt, Target, UnknownOutcomePolicy, Verb,
};
use crate::resource::{Finder, ForbiddenMove, Meta, Resource, allow};
use crate::text::as_text;
use crate::time::{Day, Timestamp};

/// Where a payment stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumMessage, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// Accepted; the processor has not given a final answer yet.
    Processing,
    /// Captured and posted.
    Succeeded,
    /// Nothing was taken, and nothing will be.
    Failed,
}

as_text!(Status, "PaymentStatus");

/// When the money is taken.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumMessage, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum CaptureMethod {
    /// Together with the authorization.
    Automatic,
}

as_text!(CaptureMethod);

/// The field of what a refund may still take.
pub const REFUNDABLE: &str = "refundable";
/// The field of what was given back.
pub const AMOUNT_REFUNDED: &str = "amount_refunded";

/// Characters of a merchant's own number of a payment, at most.
pub const REFERENCE_LENGTH_MAX: usize = 255;
/// Characters of a merchant's own id of a customer, at most.
pub const CUSTOMER_LENGTH_MAX: usize = 255;

/// The failure code of a payment whose outcome the processor never knew.
pub const PROCESSOR_UNAVAILABLE: &str = "processor_unavailable";

/// What a client asks for, already valid. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPayment {
    /// Minor units, 1 to [`crate::money::AMOUNT_MAX`].
    pub amount: Minor,
    /// One of the merchant's.
    pub currency: Currency,
    /// What to charge, as the processor names it. Never rendered, never logged.
    pub token: String,
    /// When to take the money.
    pub capture_method: CaptureMethod,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The merchant's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The merchant's own customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The merchant's own keys and values.
    pub metadata: BTreeMap<String, String>,
}

/// A payment as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Id, owner, version and times.
    #[serde(flatten)]
    pub meta: Meta<PaymentKind>,
    /// Where it stands.
    pub status: Status,
    /// What was asked for.
    pub asked: NewPayment,
    /// Minor units taken.
    pub amount_captured: Minor,
    /// Minor units given back.
    pub amount_refunded: Minor,
    /// Minor units in dispute.
    pub amount_disputed: Minor,
    /// Captured − refunded − disputed: what a refund may still take.
    pub refundable: Minor,
    /// Known once approved.
    pub payment_method: Option<PaymentMethod>,
    /// Known once failed.
    pub failure: Option<Failure>,
    /// Minor units, known once captured.
    pub fee: Option<Minor>,
    /// The capture's value date.
    pub available_on: Option<Day>,
    /// The name of the processor that was chosen when it was created.
    pub processor: String,
    /// The processor's own reference.
    pub processor_reference: Option<String>,
    /// How the processor is being asked, while it is.
    pub asking: Option<Asking>,
}

impl Resource for Payment {
    type Kind = PaymentKind;
    type Status = Status;
    type Refusal = Infallible;

    const NAME: &'static str = "payment";
    const PLURAL: &'static str = "payments";
    const MOVES: &'static [(Status, Status)] =
        &[(Status::Processing, Status::Succeeded), (Status::Processing, Status::Failed)];

    fn meta(&self) -> &Meta<PaymentKind> {
        &self.meta
    }

    fn status(&self) -> Status {
        self.status
    }

    fn as_accepted(&self) -> Payment {
        Payment::accept(self.meta.first(), self.asked.clone(), self.processor.clone())
    }

    fn asking(&self) -> Option<&Asking> {
        self.asking.as_ref()
    }

    fn found_by(&self) -> Vec<(Finder, &str)> {
        let reference = self.asked.reference.as_deref().map(|value| (Finder::Reference, value));
        let customer = self.asked.customer.as_deref().map(|value| (Finder::Customer, value));
        reference.into_iter().chain(customer).collect()
    }
}

impl Payment {
    /// A payment as accepted, to be authorized by `processor`.
    pub fn accept(meta: Meta<PaymentKind>, asked: NewPayment, processor: String) -> Payment {
        Payment {
            status: Status::Processing,
            asked,
            amount_captured: Minor::ZERO,
            amount_refunded: Minor::ZERO,
            amount_disputed: Minor::ZERO,
            refundable: Minor::ZERO,
            payment_method: None,
            failure: None,
            fee: None,
            available_on: None,
            processor,
            processor_reference: None,
            asking: Some(Asking::begin(Verb::Authorize, meta.created_at)),
            meta,
        }
    }
}

impl Asks for Payment {
    fn operation(&self) -> Option<Operation> {
        let verb = self.asking.as_ref()?.verb;
        Some(Operation {
            verb,
            key: format!("{}/{}", self.meta.id, verb.as_str()),
            reference: self.meta.id.clone().into(),
            tenant: self.meta.owner.clone(),
            processor: self.processor.clone(),
            amount: self.asked.amount,
            currency: self.asked.currency,
            target: Target::Token(self.asked.token.clone()),
        })
    }

    fn with_asking(&self, asking: Option<Asking>) -> Payment {
        Payment { asking, ..self.clone() }
    }

    fn settle(
        &self, ending: Ending, terms: Option<&Terms>, now: Timestamp, policy: &UnknownOutcomePolicy,
    ) -> Result<Change<Payment>, ChangeError> {
        match (self.status, ending) {
            (Status::Processing, Ending::Done(receipt)) => {
                self.captured(receipt, terms.ok_or(ChangeError::NoTerms)?, now)
            }
            (Status::Processing, Ending::Refused(failure)) => self.failed(failure, None, now),
            (Status::Processing, Ending::NeverDone) => {
                let message = "The processor never answered and knows of no charge.".to_owned();
                let failure = Failure { code: PROCESSOR_UNAVAILABLE.to_owned(), message };
                // A charge may appear later all the same.
                let last_look = Asking::begin_at(Verb::Undo, now, now.plus_millis(policy.last_look_ms));
                self.failed(failure, Some(last_look), now)
            }
            // The last look is over: nothing that is rendered moves.
            (Status::Failed | Status::Succeeded, _) => Ok(Change::step(self.clone(), self.with_asking(None))),
        }
    }
}

impl Payment {
    /// The money was taken, and is posted to the ledger.
    fn captured(&self, receipt: Receipt, terms: &Terms, now: Timestamp) -> Result<Change<Payment>, ChangeError> {
        let NewPayment { amount, currency, .. } = self.asked;
        let fee = terms.pricing.fee(amount)?;
        let available_on = now.day().plus_days(terms.settlement_delay_days);
        let payment = Payment {
            amount_captured: amount,
            refundable: amount.minus(self.amount_refunded)?.minus(self.amount_disputed)?,
            payment_method: receipt.method,
            processor_reference: Some(receipt.reference),
            fee: Some(fee),
            available_on: Some(available_on),
            ..self.moved_to(Status::Succeeded, now)?
        };
        let posted = Posted {
            source: payment.meta.id.clone().into(),
            version: payment.meta.version,
            shard: payment.meta.shard,
            available_on,
            request_id: payment.meta.request_id.clone(),
            at: now,
        };
        let entry = Draft::of(EntryType::Capture, currency)
            .debit(Account::ProcessorReceivable, amount)
            .credit(Account::Merchant, amount.minus(fee)?)
            .credit(Account::FeeIncome, fee)
            .post(posted)?;
        let events = vec![Event::of(EventType::PaymentSucceeded, &payment.meta)];
        Ok(Change { entries: vec![entry], events, ..Change::step(self.clone(), payment) })
    }

    /// No money moved.
    fn failed(&self, failure: Failure, asking: Option<Asking>, now: Timestamp) -> Result<Change<Payment>, ChangeError> {
        let payment = Payment { failure: Some(failure), asking, ..self.moved_to(Status::Failed, now)? };
        let events = vec![Event::of(EventType::PaymentFailed, &payment.meta)];
        Ok(Change { events, ..Change::step(self.clone(), payment) })
    }

    fn moved_to(&self, status: Status, now: Timestamp) -> Result<Payment, ForbiddenMove> {
        allow::<Payment>(self.status, status)?;
        Ok(Payment { status, meta: self.meta.moved(now), asking: None, ..self.clone() })
    }
}

#[cfg(test)]
mod tests;
