//! Merchants, which operators create and change.

mod create;
mod update;
