//! The dev runner: what `infra/template.yaml` describes, on this machine.
//!
//! One module for each thing that it stands in for: API Gateway ([`gateway`]), Lambda ([`host`]),
//! DynamoDB and its stream ([`table`], [`stream`]), SQS and its triggers ([`queue`]) and the
//! scheduler ([`schedule`]).

pub mod clock;
mod files;
pub mod gateway;
pub mod host;
pub mod invoke;
pub mod invoke_api;
pub mod log;
pub mod plan_keys;
pub mod queue;
pub mod ready;
mod rebuild;
pub mod runner;
pub mod sandbox;
pub mod schedule;
pub mod settings;
pub mod stream;
pub mod table;
pub mod template;
pub mod watch;
