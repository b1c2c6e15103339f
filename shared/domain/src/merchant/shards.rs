//! Over how many shards what belongs to a merchant is spread, and since when.

use serde::{Deserialize, Serialize};

use super::MerchantRefusal;
use crate::id::SHARDS_MAX;
use crate::time::Timestamp;

/// How often a merchant's shards can be raised. Doubling leads from 1 to [`SHARDS_MAX`] in ten raises. Without an end
/// the list would grow: it stands in the item and in the authorizer's answer to every request.
pub const RAISES_MAX: usize = 16;

/// A number of shards from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardCount {
    /// 1 to [`SHARDS_MAX`].
    pub count: u16,
    /// In force from this instant.
    pub from: Timestamp,
}

/// The shard counts of a merchant, only ever raised: writers use the one in force, readers the largest. There is at
/// least one: with too few shards a reader would miss movements, and tell a balance that is too small.
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
    /// `count` shards from `from` on; outside 1 to [`SHARDS_MAX`] there is no such list.
    pub fn new(count: u16, from: Timestamp) -> Option<Shards> {
        (1..=SHARDS_MAX).contains(&count).then(|| Shards(vec![ShardCount { count, from }]))
    }

    /// These with `count` shards from `from` on; the same if that is the largest count already. Refused: a count out of
    /// range or below the largest, and a raise after [`RAISES_MAX`] others.
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
    fn there_is_at_least_one_shard_and_no_more_than_an_id_can_name() {
        assert!(Shards::new(0, at(0)).is_none() && Shards::new(1025, at(0)).is_none());
        assert!(Shards::new(1, at(0)).is_some() && Shards::new(1024, at(0)).is_some());
        let one = Shards::new(1, at(0)).unwrap();
        assert_eq!([0, 1025].map(|count| one.raised(count, at(1))), [const { Err(MerchantRefusal::Shards) }; 2]);
        assert_eq!(one.raised(1024, at(1)).unwrap().largest(), 1024);
    }

    #[test]
    fn shards_are_read_as_they_were_written_and_never_as_none() {
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
        // Also while the raise lies ahead: readers look at 16 already.
        assert_eq!(raised.raised(8, at(1)), Err(MerchantRefusal::ShardsLowered { largest: 16 }));
        assert_eq!(raised.raised(16, at(1)), Ok(raised));
    }

    #[test]
    fn sixteen_raises_are_the_most() {
        let mut shards = Shards::new(1, at(0)).unwrap();
        for count in 2..=17 {
            shards = shards.raised(count, at(0)).unwrap();
        }
        assert_eq!(shards.raised(18, at(0)), Err(MerchantRefusal::ShardsRaisedTooOften));
        assert_eq!(shards.raised(17, at(0)), Ok(shards));
    }
}
