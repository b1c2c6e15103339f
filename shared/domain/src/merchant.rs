//! Merchants: what they may do and on which terms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::fee::Pricing;
use crate::id::{MerchantId, SHARDS_MAX};
use crate::time::Timestamp;

/// The longest delay between a capture and its value date, in days.
pub const SETTLEMENT_DELAY_DAYS_MAX: u16 = 30;

/// Which usage plan of the API a merchant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// The ordinary rate limit.
    Standard,
    /// The raised one.
    High,
}

/// A merchant as stored. The same in test and live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merchant {
    /// Derived from the reference under which the operator created it.
    pub id: MerchantId,
    /// The operator's own name of it.
    pub reference: String,
    /// For people.
    pub name: String,
    /// Its rate limit.
    pub plan: Plan,
    /// The value of its key in that usage plan. Not a secret of the merchant's: it only counts requests.
    pub plan_key: String,
    /// The currencies it takes, and what a capture in each costs.
    pub currencies: BTreeMap<Currency, Pricing>,
    /// Days from a capture to its value date.
    pub settlement_delay_days: u16,
    /// Over how many shards its listings, journal, movements and events are spread, and since when.
    pub shards: Shards,
    /// A suspended merchant may read, but starts nothing.
    pub suspended: bool,
    /// The invocation that created it.
    pub request_id: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A number of shards from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardCount {
    /// 1 to [`SHARDS_MAX`].
    pub count: u16,
    /// In force from this instant.
    pub from: Timestamp,
}

/// The shard counts of a merchant, only ever raised: writers use the one in force, readers the largest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shards(Vec<ShardCount>);

impl Shards {
    /// `count` shards from `from` on; outside 1 to [`SHARDS_MAX`] there is no such list.
    pub fn new(count: u16, from: Timestamp) -> Option<Shards> {
        (1..=SHARDS_MAX).contains(&count).then(|| Shards(vec![ShardCount { count, from }]))
    }

    /// How many shards what is written now is spread over.
    pub fn in_force(&self, now: Timestamp) -> u16 {
        let raised = self.0.iter().filter(|shards| shards.from <= now).map(|shards| shards.count).max();
        // A clock behind the first entry's: what the list begins with.
        raised.or_else(|| self.0.first().map(|shards| shards.count)).unwrap_or(1)
    }

    /// How many shards a reader has to look at.
    pub fn largest(&self) -> u16 {
        self.0.iter().map(|shards| shards.count).max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_use_the_shards_in_force_and_readers_the_largest() {
        let at = Timestamp::from_millis;
        let shards = Shards(vec![ShardCount { count: 4, from: at(100) }, ShardCount { count: 16, from: at(200) }]);
        assert_eq!([50, 100, 199, 200].map(|now| shards.in_force(at(now))), [4, 4, 4, 16]);
        assert_eq!(shards.largest(), 16);
    }

    #[test]
    fn there_is_at_least_one_shard_and_no_more_than_an_id_can_name() {
        let from = Timestamp::from_millis(0);
        assert!(Shards::new(0, from).is_none() && Shards::new(1025, from).is_none());
        assert!(Shards::new(1, from).is_some() && Shards::new(1024, from).is_some());
    }
}
