//! The wire shapes: what each resource looks like in answers and webhooks.

mod balance;
mod event;
mod operator;
mod payment;
mod webhook_endpoint;

pub use balance::{BalanceView, balance};
pub use event::event_data;
pub use operator::{ApiKeyView, MerchantView, api_key, merchant};
pub use payment::{PaymentView, etag, payment};
pub use webhook_endpoint::{WebhookEndpointView, created_webhook_endpoint, webhook_endpoint};
