//! A payment as merchants see it.

use std::collections::BTreeMap;

use serde::Serialize;
use spillway_domain::currency::Currency;
use spillway_domain::money::Minor;
use spillway_domain::payment::{CaptureMethod, Failure, Payment, PaymentMethod, Status};
use spillway_domain::tenant::Mode;
use spillway_domain::time::{Day, Timestamp};

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
    PaymentView {
        id: payment.id.as_str(),
        object: "payment",
        mode: payment.tenant.mode,
        status: payment.status,
        amount: payment.amount,
        currency: payment.currency,
        amount_captured: payment.amount_captured,
        amount_refunded: payment.amount_refunded,
        amount_disputed: payment.amount_disputed,
        capture_method: payment.capture_method,
        description: payment.description.as_deref(),
        reference: payment.reference.as_deref(),
        customer: payment.customer.as_deref(),
        metadata: &payment.metadata,
        payment_method: payment.payment_method.as_ref(),
        failure: payment.failure.as_ref(),
        fee: payment.fee,
        available_on: payment.available_on,
        // No payment can be canceled yet: capture is automatic.
        cancellation_reason: None,
        version: payment.version,
        created_at: payment.created_at,
        updated_at: payment.updated_at,
    }
}

/// The entity tag of a version.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}
