//! What is left in the table and the queues, what it cost, and who judges it.

pub mod difference;
pub mod oracle;
pub mod queues;
pub mod table;
pub mod units;
pub mod violation;
