//! The view of payments.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::currency::Currency;
use spillway_domain::id::PaymentKind;
use spillway_domain::money::Minor;
use spillway_domain::operation::{Failure, PaymentMethod};
use spillway_domain::payment::{CaptureMethod, Payment, Status};
use spillway_domain::tenant::Mode;
use spillway_domain::time::{Day, Timestamp};

use super::Shown;
use super::schema::{Amount, CurrencyCode, Date, IdOf, MetadataValues, Time, Version};

/// A payment. The token is not shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Payment")]
pub struct PaymentView<'a> {
    /// The id, derived from the merchant, the mode and the `Idempotency-Key`.
    #[schemars(with = "IdOf<PaymentKind>")]
    id: &'a str,
    /// Always `payment`.
    #[schemars(extend("const" = "payment"))]
    object: &'static str,
    /// Whether the payment is test or live data.
    mode: Mode,
    /// The status.
    status: Status,
    /// Minor units requested.
    #[schemars(with = "Amount")]
    amount: Minor,
    /// The ISO 4217 code of all amounts.
    #[schemars(with = "CurrencyCode")]
    currency: Currency,
    /// Minor units captured.
    #[schemars(with = "Amount")]
    amount_captured: Minor,
    /// Minor units refunded, pending refunds included.
    #[schemars(with = "Amount")]
    amount_refunded: Minor,
    /// Minor units in dispute, or lost by a dispute.
    #[schemars(with = "Amount")]
    amount_disputed: Minor,
    /// When the payment is captured.
    capture_method: CaptureMethod,
    /// As it was sent.
    description: Option<&'a str>,
    /// As it was sent.
    reference: Option<&'a str>,
    /// As it was sent.
    customer: Option<&'a str>,
    /// As it was sent.
    #[schemars(with = "MetadataValues")]
    metadata: &'a BTreeMap<String, String>,
    /// The payment method that was charged. `null` until the payment succeeds.
    payment_method: Option<&'a PaymentMethod>,
    /// Why the payment failed. `null` unless it failed.
    failure: Option<&'a Failure>,
    /// Minor units of the fee. `null` until the payment is captured.
    #[schemars(with = "Option<Amount>")]
    fee: Option<Minor>,
    /// The value date (UTC). Before it the money is pending. `null` until the payment is captured.
    #[schemars(with = "Option<Date>")]
    available_on: Option<Day>,
    /// Why the payment was canceled. `null` unless it was canceled.
    cancellation_reason: Option<&'a str>,
    /// Rises with each visible change. Of two states, the one with the higher version is newer.
    #[schemars(with = "Version")]
    version: u64,
    /// The time of acceptance.
    #[schemars(with = "Time")]
    created_at: Timestamp,
    /// The time of the last change.
    #[schemars(with = "Time")]
    updated_at: Timestamp,
}

/// The view of a payment.
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
