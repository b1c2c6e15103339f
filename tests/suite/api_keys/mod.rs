//! API keys: issued, checked, listed and revoked.

mod authenticate;
mod issue;
mod list;
mod revoke;
