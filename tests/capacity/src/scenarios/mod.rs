//! The runs, each on a table of its own.

pub mod balance;
pub mod folds;
pub mod lists;
pub mod patience;
pub mod payments;
pub mod sweep;
