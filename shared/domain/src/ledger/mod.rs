//! The double-entry ledger: journal entries that balance, and the movements of merchants' balances.

mod account;
mod entry;
mod movement;

pub use account::{Account, EntryType};
pub use entry::{Draft, JournalEntry, LedgerError, Posting, Side};
pub use movement::{Movement, MovementKey};
