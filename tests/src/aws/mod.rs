//! The stack's table, queues and webhook keys, reached through the APIs of DynamoDB, SQS and Secrets Manager; and what
//! store calls cost.

pub mod queues;
pub mod table;
pub mod webhook_keys;
