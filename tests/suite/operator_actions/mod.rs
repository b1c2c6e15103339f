//! Operators' actions: recorded with each change, and listed.

mod list;
mod record;
