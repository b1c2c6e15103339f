//! The wire shapes: what each resource looks like in answers and webhooks.

mod balance;
mod operator;
mod payment;
mod webhook_endpoint;

pub use balance::{BalanceView, balance};
pub use operator::{ApiKeyView, MerchantView, api_key, merchant};
pub use payment::{PaymentView, etag, payment};
pub use webhook_endpoint::{WebhookEndpointView, webhook_endpoint};
