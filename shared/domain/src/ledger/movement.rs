//! Movements: signed changes of merchants' balances.

use std::fmt;

use crate::currency::Currency;
use crate::id::EntryId;
use crate::money::Minor;
use crate::text::serde_as_text;
use crate::time::Day;

/// A signed change of a merchant's balance. It is written together with its journal entry, and folded into the balance
/// later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The key: currency, value date and entry.
    pub key: MovementKey,
    /// Minor units. A negative amount takes from the merchant.
    pub amount: Minor,
}

/// The key of a movement. It is unique, because an entry has at most one movement. Keys of one currency sort by value
/// date.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MovementKey {
    /// The currency of the balance that the movement changes.
    pub currency: Currency,
    /// The day from which the amount counts as available.
    pub value_date: Day,
    /// The journal entry. Its id names the shard.
    pub entry: EntryId,
}

impl MovementKey {
    /// Parses `USD#2026-02-02#txn_…`. None if the text has another form.
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

serde_as_text!(MovementKey, "not the key of a movement");

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "USD#2026-02-02#txn_7ccpzn4gffpza71gj3mr6qsffj";

    #[test]
    fn a_key_reads_back_from_its_text() {
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
    fn parse_refuses_a_missing_or_wrong_part() {
        for wrong in
            ["", "USD", "USD#2026-02-02", &TEXT.replace("USD", "usd"), &TEXT.replace("02-02", "02-30"), &TEXT[..40]]
        {
            assert_eq!(MovementKey::parse(wrong), None, "{wrong}");
        }
    }
}
