//! Load: many payments and refunds of merchants, what the clients and webhook receivers saw, and chaos meanwhile.

pub mod chaos;
pub mod deliveries;
pub mod demo_report;
pub mod evidence;
pub mod judge;
pub mod load_merchant;
pub mod money_request;
pub mod outcomes;
pub mod peak;
pub mod refunds;
pub mod request_log;
pub mod stale;
pub mod verdict;
pub mod workload;
