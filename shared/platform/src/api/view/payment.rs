//! A payment as merchants see it.

use std::collections::BTreeMap;

use serde::Serialize;
use spillway_domain::currency::Currency;
use spillway_domain::money::Minor;
use spillway_domain::operation::{Failure, PaymentMethod};
use spillway_domain::payment::{CaptureMethod, Payment, Status};
use spillway_domain::tenant::Mode;
use spillway_domain::time::{Day, Timestamp};

use super::Shown;

/// The wire shape of a payment. The token is not in it.
#[derive(Debug, Serialize)]
pub struct PaymentView<'a> {
    id: &'a str,
    object: &'static str,
    mode: Mode,
    status: Status,
    amount: Minor,
    currency: Currency,
    amount_captured: Minor,
    amount_refunded: Minor,
    amount_disputed: Minor,
    capture_method: CaptureMethod,
    description: Option<&'a str>,
    reference: Option<&'a str>,
    customer: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
    payment_method: Option<&'a PaymentMethod>,
    failure: Option<&'a Failure>,
    fee: Option<Minor>,
    available_on: Option<Day>,
    cancellation_reason: Option<&'a str>,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// The wire shape of a payment.
pub fn payment(payment: &Payment) -> PaymentView<'_> {
    let Payment { meta, asked, .. } = payment;
    PaymentView {
        id: meta.id.as_str(),
        object: "payment",
        mode: meta.owner.mode,
        status: payment.status,
        amount: asked.amount,
        currency: asked.currency,
        amount_captured: payment.amount_captured,
        amount_refunded: payment.amount_refunded,
        amount_disputed: payment.amount_disputed,
        capture_method: asked.capture_method,
        description: asked.description.as_deref(),
        reference: asked.reference.as_deref(),
        customer: asked.customer.as_deref(),
        metadata: &asked.metadata,
        payment_method: payment.payment_method.as_ref(),
        failure: payment.failure.as_ref(),
        fee: payment.fee,
        available_on: payment.available_on,
        // No payment can be canceled yet: capture is automatic.
        cancellation_reason: None,
        version: meta.version,
        created_at: meta.created_at,
        updated_at: meta.updated_at,
    }
}

impl Shown for Payment {
    fn shown(&self) -> impl Serialize {
        payment(self)
    }
}
