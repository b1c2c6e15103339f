//! Movements: the changes of merchants' balances.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::id::EntryId;
use crate::money::Minor;
use crate::time::Day;

/// A signed change of a merchant's balance, written beside its journal entry and folded into the balance later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// Currency, value date and entry, of which its key is made.
    pub key: MovementKey,
    /// Minor units; negative takes from the merchant.
    pub amount: Minor,
}

/// Which movement: unique, because an entry makes at most one. Movements of one currency sort by value date.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MovementKey {
    /// Of the balance that it changes.
    pub currency: Currency,
    /// From this day on it counts as available.
    pub value_date: Day,
    /// The entry it belongs to, which names the shard too.
    pub entry: EntryId,
}

impl MovementKey {
    /// Reads `USD#2026-02-02#txn_…`.
    pub fn parse(text: &str) -> Option<MovementKey> {
        let mut parts = text.splitn(3, '#');
        Some(MovementKey {
            currency: Currency::parse(parts.next()?).ok()?,
            value_date: Day::parse(parts.next()?).ok()?,
            entry: EntryId::parse(parts.next()?).ok()?,
        })
    }
}

impl fmt::Display for MovementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}#{}", self.currency, self.value_date, self.entry)
    }
}

impl Serialize for MovementKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MovementKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<MovementKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        MovementKey::parse(&text).ok_or_else(|| serde::de::Error::custom("not the key of a movement"))
    }
}
