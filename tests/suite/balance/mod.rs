//! The balance and its transactions.

mod get;
mod list_transactions;
