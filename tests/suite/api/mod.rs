//! One module for each function.

mod authenticate;
mod call_processor;
mod create_merchant;
mod create_payment;
mod create_webhook_endpoint;
mod deliver_webhook;
mod dispatch_changes;
mod enqueue_due;
mod get_balance;
mod get_health;
mod get_payment;
mod issue_api_key;
mod list_balance_transactions;
mod list_payments;
mod revoke_api_key;
mod update_merchant;
