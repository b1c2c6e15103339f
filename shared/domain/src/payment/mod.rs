//! Payments: their statuses, and the change after each outcome at the processor.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use strum::{EnumMessage, EnumString, IntoStaticStr, VariantArray};

use crate::change::{Change, ChangeError};
use crate::currency::Currency;
use crate::event::{Event, EventType};
use crate::fee::Terms;
use crate::id::{PayerId, PaymentKind};
use crate::ledger::{Account, Draft, EntryType};
use crate::money::Minor;
use crate::operation::{
    Ending, Failure, HasOperation, Operation, PaymentMethod, Progress, Receipt, Target, UnknownOutcomePolicy, Verb,
};
use crate::resource::{Finder, ForbiddenMove, Meta, Resource, allow};
use crate::tenant::Mode;
use crate::text::as_text;
use crate::time::{Day, Timestamp};

/// The status of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumMessage, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// The payment was accepted. The processor has not given a final answer yet.
    Processing,
    /// The payment was captured, and its amount posted to the ledger.
    Succeeded,
    /// The payment failed. No money was taken, or a charge that appears later is given back.
    Failed,
}

as_text!(Status, "PaymentStatus");

/// When a payment is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumMessage, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum CaptureMethod {
    /// The payment is captured together with its authorization.
    Automatic,
}

as_text!(CaptureMethod);

/// The attribute [`Payment::refundable`].
pub const REFUNDABLE: &str = "refundable";
/// The attribute [`Payment::amount_refunded`].
pub const AMOUNT_REFUNDED: &str = "amount_refunded";

/// The most characters of a `reference`.
pub const REFERENCE_LENGTH_MAX: usize = 255;
/// The most characters of a `customer`.
pub const CUSTOMER_LENGTH_MAX: usize = 255;

/// The failure code of a payment that the processor never answered and does not know.
pub const PROCESSOR_UNAVAILABLE: &str = "processor_unavailable";

/// A client's valid request for a payment. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPayment {
    /// Minor units, 1 to [`crate::money::AMOUNT_MAX`].
    pub amount: Minor,
    /// A currency that the merchant accepts.
    pub currency: Currency,
    /// The processor's token of the card to charge. It must not be rendered or logged.
    pub token: String,
    /// When to capture.
    pub capture_method: CaptureMethod,
    /// The client's description for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The merchant's own number of the payment, such as an order number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The merchant's own id of the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The merchant's own keys and values.
    pub metadata: BTreeMap<String, String>,
}

impl Payment {
    /// The card and the customer for which a failure of the payment is counted. A token of the sandbox without a number,
    /// such as `tok_declined`, counts as no card: all merchants use it in their tests.
    pub fn payers(&self) -> Vec<PayerId> {
        let NewPayment { token, customer, .. } = &self.asked;
        let is_card = self.meta.owner.mode == Mode::Live || token.ends_with(|last: char| last.is_ascii_digit());
        let card = is_card.then(|| PayerId::derive(&["card", token]));
        let customer = customer.as_deref().map(|customer| PayerId::derive(&["customer", customer]));
        card.into_iter().chain(customer).collect()
    }
}

/// A payment as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Id, owner, version and times.
    #[serde(flatten)]
    pub meta: Meta<PaymentKind>,
    /// The status.
    pub status: Status,
    /// The client's request.
    pub asked: NewPayment,
    /// Minor units captured.
    pub amount_captured: Minor,
    /// Minor units refunded, pending refunds included.
    pub amount_refunded: Minor,
    /// Minor units in dispute.
    pub amount_disputed: Minor,
    /// Minor units that can still be refunded: captured − refunded − disputed.
    pub refundable: Minor,
    /// The payment method that was charged. None until the payment succeeds.
    pub payment_method: Option<PaymentMethod>,
    /// The reason of the failure. None unless the payment failed.
    pub failure: Option<Failure>,
    /// The fee in minor units. None until the payment succeeds.
    pub fee: Option<Minor>,
    /// The value date of the capture. None until the payment succeeds.
    pub available_on: Option<Day>,
    /// The name of the processor, chosen at creation.
    pub processor: String,
    /// The processor's own reference of the charge. None until the payment succeeds.
    pub processor_reference: Option<String>,
    /// The progress of the present operation. None if the payment does not wait for the processor.
    #[serde(rename = "asking")]
    pub progress: Option<Progress>,
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

    fn lasting(self) -> Option<Payment> {
        match self.status {
            // Refunds and disputes change the amounts of a captured payment, also years later. Even one that is refunded
            // in full changes if a refund fails.
            Status::Processing | Status::Succeeded => None,
            Status::Failed => {
                let asked = NewPayment { token: String::new(), ..self.asked };
                self.progress.is_none().then_some(Payment { asked, ..self })
            }
        }
    }

    fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    fn found_by(&self) -> Vec<(Finder, &str)> {
        let reference = self.asked.reference.as_deref().map(|value| (Finder::Reference, value));
        let customer = self.asked.customer.as_deref().map(|value| (Finder::Customer, value));
        reference.into_iter().chain(customer).collect()
    }
}

impl Payment {
    /// A newly accepted payment, which `processor` shall authorize.
    pub fn accept(meta: Meta<PaymentKind>, new: NewPayment, processor: String) -> Payment {
        Payment {
            status: Status::Processing,
            asked: new,
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
            progress: Some(Progress::begin(Verb::Authorize, meta.created_at)),
            meta,
        }
    }
}

impl HasOperation for Payment {
    fn operation(&self) -> Option<Operation> {
        let verb = self.progress.as_ref()?.verb;
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

    fn with_progress(&self, progress: Option<Progress>) -> Payment {
        Payment { progress, ..self.clone() }
    }

    fn settle(
        &self, ending: Ending, terms: Option<&Terms>, now: Timestamp, policy: &UnknownOutcomePolicy,
    ) -> Result<Change<Payment>, ChangeError> {
        match (self.status, ending) {
            (Status::Processing, Ending::Done(receipt)) => {
                self.captured(receipt, terms.ok_or(ChangeError::NoTerms)?, now)
            }
            (Status::Processing, Ending::Refused(failure)) => {
                let failed_payers = self.payers();
                Ok(Change { failed_payers, ..self.failed(failure, None, now)? })
            }
            (Status::Processing, Ending::NeverDone) => {
                let message = "The processor never answered and knows of no charge.".to_owned();
                let failure = Failure { code: PROCESSOR_UNAVAILABLE.to_owned(), message };
                // A charge may still appear later. The last look-up undoes it.
                let last_look = Progress::begin_at(Verb::Undo, now, now.plus_millis(policy.last_look_ms));
                self.failed(failure, Some(last_look), now)
            }
            // The last look-up is over. The payment's view does not change.
            (Status::Failed | Status::Succeeded, _) => Ok(Change::step(self.clone(), self.with_progress(None))),
        }
    }
}

impl Payment {
    /// The change to `succeeded`, with the journal entry of the capture.
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
        let entry = Draft::of(EntryType::Capture, currency)
            .debit(Account::ProcessorReceivable, amount)
            .credit(Account::Merchant, amount.minus(fee)?)
            .credit(Account::FeeIncome, fee)
            .post(&payment.meta, available_on, now)?;
        let events = vec![Event::of(EventType::PaymentSucceeded, &payment.meta)];
        Ok(Change { entries: vec![entry], events, ..Change::step(self.clone(), payment) })
    }

    /// The change to `failed`. It has no journal entry.
    fn failed(
        &self, failure: Failure, progress: Option<Progress>, now: Timestamp,
    ) -> Result<Change<Payment>, ChangeError> {
        let payment = Payment { failure: Some(failure), progress, ..self.moved_to(Status::Failed, now)? };
        let events = vec![Event::of(EventType::PaymentFailed, &payment.meta)];
        Ok(Change { events, ..Change::step(self.clone(), payment) })
    }

    fn moved_to(&self, status: Status, now: Timestamp) -> Result<Payment, ForbiddenMove> {
        allow::<Payment>(self.status, status)?;
        Ok(Payment { status, meta: self.meta.moved(now), progress: None, ..self.clone() })
    }
}

#[cfg(test)]
mod tests;
