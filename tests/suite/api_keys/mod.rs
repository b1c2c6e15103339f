//! API keys: issued, checked and revoked.

mod authenticate;
mod issue;
mod revoke;
