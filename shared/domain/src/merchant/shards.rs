//! The number of shards over which a merchant's data is spread, and its history.

use serde::{Deserialize, Serialize};

use super::MerchantRefusal;
use crate::id::SHARDS_MAX;
use crate::time::Timestamp;

/// How often a merchant's shards can be raised. Eight doublings lead from 1 to [`SHARDS_MAX`]. The limit keeps the list
/// short, because the merchant's item and the authorizer's answer to every request contain it.
pub const RAISES_MAX: usize = 16;

/// A number of shards, and the instant from which it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardCount {
    /// Number of shards, 1 to [`SHARDS_MAX`].
    pub count: u16,
    /// The instant from which this number is in force.
    pub from: Timestamp,
}

/// The shard counts of a merchant. They only rise. Writers use the count in force, readers the largest. The list is
/// never empty: a reader with too few shards would miss movements and show a wrong balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<ShardCount>")]
pub struct Shards(Vec<ShardCount>);

impl TryFrom<Vec<ShardCount>> for Shards {
    type Error = &'static str;

    fn try_from(counts: Vec<ShardCount>) -> Result<Shards, &'static str> {
        let right = !counts.is_empty() && counts.iter().all(|shards| shards.count > 0);
        if right { Ok(Shards(counts)) } else { Err("not the shards of a merchant") }
    }
}

impl Shards {
    /// `count` shards from the instant `from`. None if `count` is not between 1 and [`SHARDS_MAX`].
    pub fn new(count: u16, from: Timestamp) -> Option<Shards> {
        (1..=SHARDS_MAX).contains(&count).then(|| Shards(vec![ShardCount { count, from }]))
    }

    /// This list with `count` shards from the instant `from`. Unchanged if `count` is already the largest. Errors if
    /// `count` is out of range or below the largest, or after [`RAISES_MAX`] raises.
    pub fn raised(&self, count: u16, from: Timestamp) -> Result<Shards, MerchantRefusal> {
        let largest = self.largest();
        if !(1..=SHARDS_MAX).contains(&count) {
            return Err(MerchantRefusal::Shards);
        }
        if count < largest {
            return Err(MerchantRefusal::ShardsLowered { largest });
        }
        let mut shards = self.clone();
        if count > largest {
            if self.0.len() > RAISES_MAX {
                return Err(MerchantRefusal::ShardsRaisedTooOften);
            }
            shards.0.push(ShardCount { count, from });
        }
        Ok(shards)
    }

    /// The number of shards for writes at `now`.
    pub fn in_force(&self, now: Timestamp) -> u16 {
        let raised = self.0.iter().filter(|shards| shards.from <= now).map(|shards| shards.count).max();
        // If `now` is before the first entry's time, because clocks differ, the first count is used.
        raised.or_else(|| self.0.first().map(|shards| shards.count)).unwrap_or(1)
    }

    /// The number of shards that a reader must query.
    pub fn largest(&self) -> u16 {
        self.0.iter().map(|shards| shards.count).max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn writers_use_the_shards_in_force_and_readers_the_largest() {
        let shards = Shards::new(4, at(100)).unwrap().raised(16, at(200)).unwrap();
        assert_eq!([50, 100, 199, 200].map(|now| shards.in_force(at(now))), [4, 4, 4, 16]);
        assert_eq!(shards.largest(), 16);
    }

    #[test]
    fn a_count_of_shards_is_from_1_to_256() {
        assert!(Shards::new(0, at(0)).is_none() && Shards::new(257, at(0)).is_none());
        assert!(Shards::new(1, at(0)).is_some() && Shards::new(256, at(0)).is_some());
        let one = Shards::new(1, at(0)).unwrap();
        assert_eq!([0, 257].map(|count| one.raised(count, at(1))), [const { Err(MerchantRefusal::Shards) }; 2]);
        assert_eq!(one.raised(256, at(1)).unwrap().largest(), 256);
    }

    #[test]
    fn shards_read_back_and_an_empty_list_is_refused() {
        let shards = Shards::new(4, at(0)).unwrap().raised(16, at(100)).unwrap();
        let text = serde_json::to_string(&shards).unwrap();
        assert_eq!(serde_json::from_str::<Shards>(&text).unwrap(), shards);
        for wrong in ["[]", r#"[{"count":0,"from":"2026-01-31T12:00:00.000Z"}]"#] {
            assert!(serde_json::from_str::<Shards>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shards_are_only_raised() {
        let raised = Shards::new(4, at(0)).unwrap().raised(16, at(100)).unwrap();
        // Even before the raise is in force, because readers query 16 shards already.
        assert_eq!(raised.raised(8, at(1)), Err(MerchantRefusal::ShardsLowered { largest: 16 }));
        assert_eq!(raised.raised(16, at(1)), Ok(raised));
    }

    #[test]
    fn a_seventeenth_raise_is_refused() {
        let mut shards = Shards::new(1, at(0)).unwrap();
        for count in 2..=17 {
            shards = shards.raised(count, at(0)).unwrap();
        }
        assert_eq!(shards.raised(18, at(0)), Err(MerchantRefusal::ShardsRaisedTooOften));
        assert_eq!(shards.raised(17, at(0)), Ok(shards));
    }
}
