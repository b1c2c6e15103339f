//! Many payments, and what becomes of them: also while everything that can go wrong does.

pub mod asked;
pub mod book;
pub mod chaos;
pub mod judge;
pub mod outcomes;
pub mod percentiles;
pub mod refunds;
pub mod shop;
pub mod workload;
