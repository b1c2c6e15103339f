//! Refunds: their statuses, and the change after each outcome at the processor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::{EnumMessage, EnumString, IntoStaticStr, VariantArray};

use crate::change::{Adjustment, Change, ChangeError};
use crate::currency::Currency;
use crate::event::{Event, EventType};
use crate::fee::Terms;
use crate::id::{ObjectId, PaymentId, RefundId, RefundKind};
use crate::ledger::{Account, Draft, EntryType, JournalEntry, Movement};
use crate::money::Minor;
use crate::operation::{Ending, Failure, HasOperation, Operation, Progress, Target, UnknownOutcomePolicy, Verb};
use crate::payment::{AMOUNT_REFUNDED, Payment, REFUNDABLE};
use crate::resource::{Cause, ForbiddenMove, Meta, Resource, allow};
use crate::text::as_text;
use crate::time::{Day, Timestamp};

/// The status of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumMessage, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// The refund was accepted, and its amount taken from the balance. The processor has not given a final answer yet.
    Pending,
    /// The processor has given the money back.
    Succeeded,
    /// The processor has refused the refund. Its amount was returned to the balance and can be refunded again.
    Failed,
}

as_text!(Status, "RefundStatus");

/// A client's valid request for a refund. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRefund {
    /// Minor units, 1 to [`crate::money::AMOUNT_MAX`].
    pub amount: Minor,
    /// The client's reason for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The merchant's own keys and values.
    pub metadata: BTreeMap<String, String>,
}

/// A refund as stored. It contains copies of the payment's constant fields, so that no step has to read the payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Id, owner, version and times.
    #[serde(flatten)]
    pub meta: Meta<RefundKind>,
    /// The payment that is refunded.
    pub payment: PaymentId,
    /// The status.
    pub status: Status,
    /// The client's request.
    pub asked: NewRefund,
    /// The payment's currency.
    pub currency: Currency,
    /// The reason of the failure. None unless the refund failed.
    pub failure: Option<Failure>,
    /// The value date of the payment's capture.
    pub payment_available_on: Day,
    /// The name of the payment's processor.
    pub processor: String,
    /// The processor's own reference of the charge.
    pub charge: String,
    /// The processor's own reference of the refund. None until the refund succeeds.
    pub processor_reference: Option<String>,
    /// The progress of the present operation. None if the refund does not wait for the processor.
    #[serde(rename = "asking")]
    pub progress: Option<Progress>,
}

/// The refusal of a refund that exceeds the payment's refundable amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExceedsRefundable;

/// Why a refund can't be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotBegun {
    /// The payment was not captured.
    #[error("the payment was not captured")]
    NotCaptured,
    /// The change is invalid.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl Resource for Refund {
    type Kind = RefundKind;
    type Status = Status;
    type Refusal = ExceedsRefundable;

    const NAME: &'static str = "refund";
    const PLURAL: &'static str = "refunds";
    const MOVES: &'static [(Status, Status)] =
        &[(Status::Pending, Status::Succeeded), (Status::Pending, Status::Failed)];

    fn meta(&self) -> &Meta<RefundKind> {
        &self.meta
    }

    fn status(&self) -> Status {
        self.status
    }

    fn as_accepted(&self) -> Refund {
        Refund {
            meta: self.meta.first(),
            status: Status::Pending,
            failure: None,
            processor_reference: None,
            progress: Some(Progress::begin(Verb::Refund, self.meta.created_at)),
            ..self.clone()
        }
    }

    fn lasting(self) -> Option<Refund> {
        match self.status {
            Status::Pending => None,
            Status::Succeeded | Status::Failed => self.progress.is_none().then_some(self),
        }
    }

    fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    fn parent(&self) -> Option<ObjectId> {
        Some(self.payment.clone().into())
    }
}

impl Refund {
    /// The change that creates a refund. It takes the amount from the balance and from the payment's refundable amount.
    /// It does not read the refundable amount from `payment`, which may be stale: a guard of the commit checks it.
    /// Errors if the payment was not captured, or if an amount overflows.
    pub fn begin(payment: &Payment, id: RefundId, new: NewRefund, cause: Cause) -> Result<Change<Refund>, NotBegun> {
        let (Some(charge), Some(payment_available_on)) = (&payment.processor_reference, payment.available_on) else {
            return Err(NotBegun::NotCaptured);
        };
        let now = cause.at;
        let refund = Refund {
            meta: Meta::new(id, payment.meta.owner.clone(), payment.meta.shard, cause),
            payment: payment.meta.id.clone(),
            status: Status::Pending,
            asked: new,
            currency: payment.asked.currency,
            failure: None,
            payment_available_on,
            processor: payment.processor.clone(),
            charge: charge.clone(),
            processor_reference: None,
            progress: Some(Progress::begin(Verb::Refund, now)),
        };
        let entry = refund.posted(EntryType::Refund, Account::Merchant, Account::RefundsPayable, now)?;
        let amount = refund.asked.amount;
        Ok(Change {
            adjustments: vec![Adjustment {
                needs: vec![(REFUNDABLE, amount)],
                refused: Some(ExceedsRefundable),
                ..refund.payment_adjustment(amount, now).map_err(ChangeError::from)?
            }],
            entries: vec![entry],
            events: vec![Event::of(EventType::RefundCreated, &refund.meta)],
            ..Change::creation(refund)
        })
    }

    /// Adds `amount` to the payment's refunded amount, and subtracts it from the refundable amount. A negative `amount`
    /// gives it back.
    fn payment_adjustment(
        &self, amount: Minor, at: Timestamp,
    ) -> Result<Adjustment<ExceedsRefundable>, crate::money::OutOfRange> {
        Ok(Adjustment {
            name: Payment::NAME,
            owner: self.meta.owner.clone(),
            id: self.payment.clone().into(),
            adds: vec![(REFUNDABLE, Minor::ZERO.minus(amount)?), (AMOUNT_REFUNDED, amount)],
            needs: Vec::new(),
            at,
            refused: None,
        })
    }

    /// The entry of this version, which debits one account and credits another. Its value date is the payment's, or
    /// today if that has passed.
    fn posted(
        &self, entry_type: EntryType, debit: Account, credit: Account, now: Timestamp,
    ) -> Result<(JournalEntry, Option<Movement>), ChangeError> {
        let draft =
            Draft::of(entry_type, self.currency).debit(debit, self.asked.amount).credit(credit, self.asked.amount);
        Ok(draft.post(&self.meta, self.payment_available_on.max(now.day()), now)?)
    }

    fn moved_to(&self, status: Status, now: Timestamp) -> Result<Refund, ForbiddenMove> {
        allow::<Refund>(self.status, status)?;
        Ok(Refund { status, meta: self.meta.moved(now), progress: None, ..self.clone() })
    }

    /// The change to `succeeded`: the processor has given the money back.
    fn sent(&self, reference: String, now: Timestamp) -> Result<Change<Refund>, ChangeError> {
        let refund = Refund { processor_reference: Some(reference), ..self.moved_to(Status::Succeeded, now)? };
        let entry = refund.posted(EntryType::RefundSent, Account::RefundsPayable, Account::ProcessorReceivable, now)?;
        let events = vec![Event::of(EventType::RefundSucceeded, &refund.meta)];
        Ok(Change { entries: vec![entry], events, ..Change::step(self.clone(), refund) })
    }

    /// The change to `failed`: the processor has refused the refund. The amount is returned to the balance and to the
    /// payment's refundable amount.
    fn failed(&self, failure: Failure, now: Timestamp) -> Result<Change<Refund>, ChangeError> {
        let refund = Refund { failure: Some(failure), ..self.moved_to(Status::Failed, now)? };
        let entry = refund.posted(EntryType::RefundFailed, Account::RefundsPayable, Account::Merchant, now)?;
        Ok(Change {
            adjustments: vec![refund.payment_adjustment(Minor::ZERO.minus(refund.asked.amount)?, now)?],
            entries: vec![entry],
            events: vec![Event::of(EventType::RefundFailed, &refund.meta)],
            ..Change::step(self.clone(), refund)
        })
    }
}

impl HasOperation for Refund {
    fn operation(&self) -> Option<Operation> {
        let verb = self.progress.as_ref()?.verb;
        Some(Operation {
            verb,
            key: format!("{}/{verb}", self.meta.id),
            reference: self.meta.id.clone().into(),
            tenant: self.meta.owner.clone(),
            processor: self.processor.clone(),
            amount: self.asked.amount,
            currency: self.currency,
            target: Target::Charge(self.charge.clone()),
        })
    }

    fn with_progress(&self, progress: Option<Progress>) -> Refund {
        Refund { progress, ..self.clone() }
    }

    fn settle(
        &self, ending: Ending, _: Option<&Terms>, now: Timestamp, _: &UnknownOutcomePolicy,
    ) -> Result<Change<Refund>, ChangeError> {
        match ending {
            Ending::Done(receipt) => self.sent(receipt.reference, now),
            Ending::Refused(failure) => self.failed(failure, now),
            // A refund never ends without an answer: if it is absent it is called again.
            Ending::NeverDone => Err(ForbiddenMove.into()),
        }
    }
}

#[cfg(test)]
mod tests;
