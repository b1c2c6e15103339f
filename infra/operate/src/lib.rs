//! Operators' tools that read and write items of a table with the store's own keys and conditions. `infra/deploy/operate.py`
//! starts them with the operator's credentials and the stack's names. `make dev` does not build them.

pub mod plan_keys;
pub mod repair;
mod tool;

pub use tool::{ToolError, finish};
