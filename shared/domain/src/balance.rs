//! A merchant's balance in one currency: how movements are folded into it, and how it is read exactly during a fold.
//!
//! Each part of a balance is folded by itself. The part's list `folding` names the movements that its sums already
//! contain and whose items may still exist. A fold takes four steps: get the part; query its movements; update the part
//! on condition that `seq` is unchanged; delete the movements that the list names. The update adds the new movements and
//! writes the new list. The list keeps a movement of the list before, unless that movement is certainly deleted: a strong
//! query has read past its place and did not find it, or the fold itself has deleted it. So a reader can always decide
//! whether the sums contain a movement, even if a fold stopped half-way, was repeated, or ran twice at the same time. A
//! fold that loses the update deletes nothing.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::ledger::{Movement, MovementKey};
use crate::money::{Minor, OutOfRange};
use crate::time::Day;

/// The most movements of one fold. The limit exists because the balance's item stores their keys.
pub const FOLD_MAX: usize = 500;

/// Shards whose movements fold into one part of a balance: shard s belongs to part s / 4. This number must never
/// change: if a shard moved to another part, its movements would be folded twice.
pub const SHARDS_PER_PART: u16 = 4;

/// The part of a balance into which movements of `shard` fold.
pub fn part_of(shard: u16) -> u16 {
    shard / SHARDS_PER_PART
}

/// The number of parts of a balance of a merchant with `shards` shards. At least 1.
pub fn parts(shards: u16) -> u16 {
    shards.max(1).div_ceil(SHARDS_PER_PART)
}

/// One part of a balance as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Minor units that were due at the last fold. May be negative.
    pub available: Minor,
    /// Minor units that become available later, by value date.
    pub pending: BTreeMap<Day, Minor>,
    /// Movements that the sums above contain and whose items may still exist.
    pub folding: Vec<MovementKey>,
    /// Number of folds so far.
    pub seq: u64,
}

/// What strong queries have read of one shard's movements in one currency, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The shard.
    pub shard: u16,
    /// The movements that could be read.
    pub movements: Vec<Movement>,
    /// The keys of the others, as texts.
    pub unreadable: Vec<String>,
    /// The key of the last item that was read, as a text. None if the shard was read to its end.
    pub up_to: Option<String>,
}

/// The update of one part of a balance by one fold. It adds `due` to the stored `available`, because payouts, which are
/// not built yet, will change that amount too. It replaces the other attributes, because only folds write them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Minor units to add to `available`.
    pub due: Minor,
    /// Number of folds before this one. The update's condition.
    pub from_seq: u64,
    /// The part after the fold. The new movements stand at the end of its list `folding`.
    pub after: Balance,
    /// Number of new movements.
    pub added: usize,
}

impl Fold {
    /// The keys of the movements that this fold adds.
    pub fn added(&self) -> &[MovementKey] {
        let listed = &self.after.folding;
        listed.get(listed.len().saturating_sub(self.added)..).unwrap_or_default()
    }
}

/// A balance as read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Minor units with a value date of today or before.
    pub available: Minor,
    /// Minor units with a later value date.
    pub pending: Minor,
}

impl Reading {
    /// The reading of an empty balance.
    pub const ZERO: Reading = Reading { available: Minor::ZERO, pending: Minor::ZERO };

    /// The sum of two parts of the same balance. Errors if it overflows.
    pub fn plus(self, other: Reading) -> Result<Reading, Inexact> {
        Ok(Reading { available: self.available.plus(other.available)?, pending: self.pending.plus(other.pending)? })
    }
}

/// Why a balance can't be computed exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Inexact {
    /// More than one fold ran during the reading. The caller reads again.
    #[error("the balance moved while it was read")]
    Moved,
    /// The item of the balance or of a movement can't be read.
    #[error("an item of the balance can't be read")]
    Unreadable,
    /// A sum overflows.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

impl Balance {
    /// The balance before its first fold.
    pub const EMPTY: Balance =
        Balance { available: Minor::ZERO, pending: BTreeMap::new(), folding: Vec::new(), seq: 0 };

    /// Whether a pending amount has become available since the last fold.
    pub fn has_matured(&self, today: Day) -> bool {
        self.pending.keys().any(|day| *day <= today)
    }

    /// The next fold: it adds movements of `seen`, those with the oldest value dates first, and makes amounts available
    /// whose value date has come. Its list has at most [`FOLD_MAX`] movements. None if nothing is to be folded. Errors if
    /// a sum overflows.
    pub fn next_fold(&self, seen: &[Seen], today: Day) -> Result<Option<Fold>, OutOfRange> {
        let folded: HashSet<&MovementKey> = self.folding.iter().collect();
        let all = seen.iter().flat_map(|shard| &shard.movements);
        let mut new: Vec<&Movement> = all.filter(|movement| !folded.contains(&movement.key)).collect();
        if new.is_empty() && !self.has_matured(today) {
            return Ok(None);
        }
        let mut folding = self.remaining(seen);
        new.sort_by_key(|movement| (movement.key.value_date, &movement.key.entry));
        new.truncate(FOLD_MAX.saturating_sub(folding.len()));
        folding.extend(new.iter().map(|movement| movement.key.clone()));

        let mut pending = self.pending.clone();
        for movement in &new {
            let day = pending.entry(movement.key.value_date).or_insert(Minor::ZERO);
            *day = day.plus(movement.amount)?;
        }
        let later = pending.split_off(&today.plus_days(1));
        let due = Minor::sum(pending.into_values())?;
        let after = Balance {
            available: self.available.plus(due)?,
            pending: later,
            folding,
            seq: self.seq.checked_add(1).ok_or(OutOfRange)?,
        };
        Ok(Some(Fold { due, from_seq: self.seq, after, added: new.len() }))
    }

    /// The movements of `folding` whose items may still exist: `seen` shows them, or does not reach their place.
    fn remaining(&self, seen: &[Seen]) -> Vec<MovementKey> {
        let shown: HashSet<&MovementKey> =
            seen.iter().flat_map(|shard| &shard.movements).map(|movement| &movement.key).collect();
        let may_exist = |key: &&MovementKey| {
            let Some(shard) = seen.iter().find(|seen| seen.shard == key.entry.shard()) else { return true };
            let text = key.to_string();
            let is_behind = shard.up_to.as_ref().is_some_and(|up_to| *up_to < text);
            is_behind || shown.contains(key) || shard.unreadable.contains(&text)
        };
        self.folding.iter().filter(may_exist).cloned().collect()
    }

    /// The exact balance of one part. `reads` has the part as it was read before the first, between any two, and after
    /// the last of the reads of its movements. `elsewhere` names movements that another part contains. Errors if more
    /// than one fold ran between two neighbouring reads, or if a sum overflows.
    pub fn read(
        reads: &[&Balance], movements: &[Movement], elsewhere: &[MovementKey], today: Day,
    ) -> Result<Reading, Inexact> {
        if reads.windows(2).any(|pair| matches!(pair, [first, second] if first.is_far_behind(second))) {
            return Err(Inexact::Moved);
        }
        let empty = Balance::EMPTY;
        let second = reads.last().copied().unwrap_or(&empty);
        let folded: HashSet<&MovementKey> = reads.iter().flat_map(|read| &read.folding).chain(elsewhere).collect();
        let mut reading = Reading { available: second.available, pending: Minor::ZERO };
        let days = second.pending.iter().map(|(day, amount)| (*day, *amount));
        let unfolded = movements
            .iter()
            .filter(|movement| !folded.contains(&movement.key))
            .map(|movement| (movement.key.value_date, movement.amount));
        for (day, amount) in days.chain(unfolded) {
            let part = if day <= today { &mut reading.available } else { &mut reading.pending };
            *part = part.plus(amount)?;
        }
        Ok(reading)
    }

    /// Whether more than one fold leads from this balance to `later`. Then a movement that was folded and deleted in
    /// between may be in neither list.
    pub fn is_far_behind(&self, later: &Balance) -> bool {
        later.seq.saturating_sub(self.seq) > 1
    }
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
