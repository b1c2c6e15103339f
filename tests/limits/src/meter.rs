//! The units of all places: lets calls in, and counts what they use.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::bucket::Bucket;
use crate::limits::Limits;
use crate::place::{Access, Limit, Place, Refusals, Space};
use crate::ranges::Ranges;
use crate::throughput::Throughput;

/// Half units by place.
pub type Charges = Vec<(Place, u64)>;

#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    ranges: HashMap<(Space, Access, String), Ranges>,
    throughputs: HashMap<(Space, Access), Throughput>,
    quotas: BTreeMap<Access, Bucket>,
    pub refusals: Refusals,
    /// Half units used so far.
    pub used: BTreeMap<(Space, Access), u64>,
}

impl Meter {
    pub fn new(limits: Limits) -> Meter {
        let quotas = [(Access::Read, limits.table_read_quota), (Access::Write, limits.table_write_quota)];
        let quotas =
            quotas.into_iter().filter_map(|(access, quota)| Some((access, Bucket::new(quota?, Duration::ZERO))));
        let (ranges, throughputs, quotas) = (HashMap::new(), HashMap::new(), quotas.collect());
        Meter { limits, ranges, throughputs, quotas, refusals: Refusals::new(), used: BTreeMap::new() }
    }

    /// Whether each limit lets the places in. Errors with the first limit that does not.
    pub fn admit<'a>(&mut self, places: impl IntoIterator<Item = &'a Place>, now: Duration) -> Result<(), Limit> {
        for place in places {
            if let Err(limit) = self.admit_one(place, now) {
                *self.refusals.entry(limit.clone()).or_default() += 1;
                return Err(limit);
            }
        }
        Ok(())
    }

    fn admit_one(&mut self, place: &Place, now: Duration) -> Result<(), Limit> {
        let Place { space, access, partition, sort } = place;
        if self.quotas.get_mut(access).is_some_and(|quota| !quota.has_units(now)) {
            return Err(Limit::Quota(*access));
        }
        if !self.throughput(space, *access, now).has_units(now) {
            return Err(Limit::Scaled(space.clone(), *access));
        }
        let split_after = self.limits.split_after;
        if !self.ranges(place, now).has_units(sort.as_deref(), split_after, now) {
            return Err(Limit::KeyRange(space.clone(), *access, partition.clone()));
        }
        Ok(())
    }

    pub fn charge(&mut self, charges: &Charges, now: Duration) {
        for (place, halves) in charges {
            self.ranges(place, now).take(place.sort.as_deref(), *halves, now);
            self.throughput(&place.space, place.access, now).take(*halves, now);
            if let Some(quota) = self.quotas.get_mut(&place.access) {
                quota.take(*halves, now);
            }
            *self.used.entry((place.space.clone(), place.access)).or_default() += halves;
        }
    }

    /// The number of partitions behind a key.
    pub fn partitions(&self, space: &Space, access: Access, partition: &str) -> usize {
        self.ranges.get(&(space.clone(), access, partition.to_owned())).map_or(1, Ranges::len)
    }

    fn ranges(&mut self, place: &Place, now: Duration) -> &mut Ranges {
        let units = match place.access {
            Access::Read => self.limits.partition_read_units,
            Access::Write => self.limits.partition_write_units,
        };
        let key = (place.space.clone(), place.access, place.partition.clone());
        self.ranges.entry(key).or_insert_with(|| Ranges::new(units, now))
    }

    fn throughput(&mut self, space: &Space, access: Access, now: Duration) -> &mut Throughput {
        let warm = match access {
            Access::Read => self.limits.warm_read_units,
            Access::Write => self.limits.warm_write_units,
        };
        let doubles_after = self.limits.doubles_after;
        let key = (space.clone(), access);
        self.throughputs.entry(key).or_insert_with(|| Throughput::new(warm, doubles_after, now))
    }
}
