//! The views: the JSON forms of resources in answers and webhooks.

mod balance;
mod balance_transaction;
mod event;
mod list;
mod operator;
mod payment;
mod refund;
mod schema;
mod webhook_endpoint;

use serde::Serialize;

pub use balance::{BalanceView, balance};
pub use balance_transaction::{BalanceTransactionView, balance_transaction};
pub use event::EventView;
pub use list::{ListView, list};
pub use operator::{
    ApiKeyView, ChangedView, MerchantView, OperatorActionView, RedeliveryView, api_key, changed, merchant,
    operator_action, redelivery,
};
pub use payment::{PaymentView, payment};
pub use refund::{RefundView, refund};
pub use schema::id_pattern;
pub use webhook_endpoint::{WebhookEndpointView, webhook_endpoint, webhook_endpoint_with};

/// An object with a view for merchants.
pub trait Shown {
    /// The view.
    fn shown(&self) -> impl Serialize;
}

/// The entity tag of a version.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}
