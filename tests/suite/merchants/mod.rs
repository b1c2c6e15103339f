//! Merchants, which operators create, change and list.

mod create;
mod list;
mod update;
