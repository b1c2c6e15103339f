//! The wire shapes: what each resource looks like in answers and webhooks.

mod balance;
mod balance_transaction;
mod event;
mod list;
mod operator;
mod payment;
mod schema;
mod webhook_endpoint;

pub use balance::{BalanceView, balance};
pub use balance_transaction::{BalanceTransactionView, balance_transaction};
pub use event::event_data;
pub use list::{ListView, list};
pub use operator::{ApiKeyView, ChangedView, MerchantView, api_key, changed, merchant};
pub use payment::{PaymentView, etag, payment};
pub use schema::id_pattern;
pub use webhook_endpoint::{WebhookEndpointView, created_webhook_endpoint, webhook_endpoint};
