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

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "USD#2026-02-02#txn_7ccpzn4gffpza71gj3mr6qsffj";

    #[test]
    fn a_key_is_written_as_currency_value_date_and_entry_and_read_back() {
        let key = MovementKey {
            currency: Currency::parse("USD").unwrap(),
            value_date: Day::parse("2026-02-02").unwrap(),
            entry: EntryId::parse("txn_7ccpzn4gffpza71gj3mr6qsffj").unwrap(),
        };
        assert_eq!((key.to_string().as_str(), MovementKey::parse(TEXT)), (TEXT, Some(key.clone())));
        assert_eq!(serde_json::to_value(&key).unwrap(), TEXT);
        assert_eq!(serde_json::from_value::<MovementKey>(TEXT.into()).unwrap(), key);
    }

    #[test]
    fn a_text_that_lacks_a_part_or_has_a_wrong_one_is_no_key() {
        for wrong in
            ["", "USD", "USD#2026-02-02", &TEXT.replace("USD", "usd"), &TEXT.replace("02-02", "02-30"), &TEXT[..40]]
        {
            assert_eq!(MovementKey::parse(wrong), None, "{wrong}");
        }
    }
}
