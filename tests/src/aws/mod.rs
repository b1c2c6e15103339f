//! The stack's table and queues, reached through the APIs of DynamoDB and SQS; and what store calls cost.

pub mod queues;
pub mod table;
