//! The view of refunds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::currency::Currency;
use spillway_domain::id::{PaymentKind, RefundKind};
use spillway_domain::money::Minor;
use spillway_domain::operation::Failure;
use spillway_domain::refund::{Refund, Status};
use spillway_domain::tenant::Mode;
use spillway_domain::time::Timestamp;

use super::Shown;
use super::schema::{Amount, CurrencyCode, IdOf, MetadataValues, Time, Version};

/// A refund.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Refund")]
pub struct RefundView<'a> {
    /// The id, derived from the merchant, the mode, the payment and the `Idempotency-Key`.
    #[schemars(with = "IdOf<RefundKind>")]
    id: &'a str,
    /// Always `refund`.
    #[schemars(extend("const" = "refund"))]
    object: &'static str,
    /// Whether the refund is test or live data.
    mode: Mode,
    /// The payment that is refunded.
    #[schemars(with = "IdOf<PaymentKind>")]
    payment: &'a str,
    /// The status.
    status: Status,
    /// Minor units.
    #[schemars(with = "Amount")]
    amount: Minor,
    /// The payment's ISO 4217 code.
    #[schemars(with = "CurrencyCode")]
    currency: Currency,
    /// As it was sent.
    reason: Option<&'a str>,
    /// As it was sent.
    #[schemars(with = "MetadataValues")]
    metadata: &'a BTreeMap<String, String>,
    /// Why the refund failed. `null` unless it failed.
    failure: Option<&'a Failure>,
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

/// The view of a refund.
pub fn refund(refund: &Refund) -> RefundView<'_> {
    let Refund { meta, asked, .. } = refund;
    RefundView {
        id: meta.id.as_str(),
        object: "refund",
        mode: meta.owner.mode,
        payment: refund.payment.as_str(),
        status: refund.status,
        amount: asked.amount,
        currency: refund.currency,
        reason: asked.reason.as_deref(),
        metadata: &asked.metadata,
        failure: refund.failure.as_ref(),
        version: meta.version,
        created_at: meta.created_at,
        updated_at: meta.updated_at,
    }
}

impl Shown for Refund {
    fn shown(&self) -> impl Serialize {
        refund(self)
    }
}
