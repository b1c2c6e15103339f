//! One module for each function: what takes a look inside, or settings of its own. The rest is in `black_box/`.

mod authenticate;
mod call_processor;
mod create_merchant;
mod create_payment;
mod create_webhook_endpoint;
mod deliver_webhook;
mod dispatch_changes;
mod enqueue_due;
mod fold_balance;
mod get_balance;
mod issue_api_key;
mod list_balance_transactions;
mod list_payments;
mod operators;
mod revoke_api_key;
mod update_merchant;
mod webhook_endpoints;
