//! A merchant's balance in one currency: folding movements into it, and reading it exactly while others fold.
//!
//! A fold is: get the balance; query the movements that are not in `folding`; delete those that are; then one update
//! on condition that `seq` has not moved, which adds the new ones and replaces the list. The delete stands before the
//! update, and the list stays until the next fold replaces it: so a reader can always tell whether a movement that it
//! saw is already in the sum, whatever was lost, repeated or done by two at once.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::ledger::{Movement, MovementKey};
use crate::money::{Minor, OutOfRange};
use crate::time::Day;

/// How many movements one fold takes at most: their keys are kept in the balance's item.
pub const FOLD_MAX: usize = 500;

/// Shards whose movements fold into one part of a balance: shard s belongs to part s / 4. It never changes: were a shard
/// to move to another part, its movements would be folded twice.
pub const SHARDS_PER_PART: u16 = 4;

/// The part of a balance into which movements of `shard` fold.
pub fn part_of(shard: u16) -> u16 {
    shard / SHARDS_PER_PART
}

/// How many parts the balances of a merchant with `shards` shards have.
pub fn parts(shards: u16) -> u16 {
    shards.max(1).div_ceil(SHARDS_PER_PART)
}

/// One part of a balance as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// What was due when it was last folded, in minor units; may be below zero.
    pub available: Minor,
    /// What becomes available on which day.
    pub pending: BTreeMap<Day, Minor>,
    /// The movements that the last fold added: they count in the sums above, and may or may not exist still.
    pub folding: Vec<MovementKey>,
    /// Counts folds.
    pub seq: u64,
}

/// What a fold changes of a balance. `due` is added, because other writes change `available` too; the other fields are
/// replaced, because only folds write them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Minor units that are added to what is available.
    pub due: Minor,
    /// What becomes available on which later day.
    pub pending: BTreeMap<Day, Minor>,
    /// The movements that are added.
    pub folding: Vec<MovementKey>,
    /// Folds of the balance before this one.
    pub from_seq: u64,
    /// Folds of the balance with this one.
    pub seq: u64,
}

/// A balance as read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Minor units with a value date of today or before.
    pub available: Minor,
    /// Minor units with a later one.
    pub pending: Minor,
}

impl Reading {
    /// A reading of a balance in which there is no money.
    pub const ZERO: Reading = Reading { available: Minor::ZERO, pending: Minor::ZERO };

    /// This and another part of the same balance.
    pub fn plus(self, other: Reading) -> Result<Reading, Inexact> {
        Ok(Reading { available: self.available.plus(other.available)?, pending: self.pending.plus(other.pending)? })
    }
}

/// Why a balance can't be told exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Inexact {
    /// More than one fold came in between: read again.
    #[error("the balance moved while it was read")]
    Moved,
    /// The balance, or a movement of it, can't be read.
    #[error("an item of the balance can't be read")]
    Unreadable,
    /// It is more than an amount can be.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

impl Balance {
    /// The balance before its first fold.
    pub const EMPTY: Balance =
        Balance { available: Minor::ZERO, pending: BTreeMap::new(), folding: Vec::new(), seq: 0 };

    /// The movements of `seen` that this balance does not hold yet, the oldest value date first, at most
    /// [`FOLD_MAX`].
    pub fn unfolded(&self, mut seen: Vec<Movement>) -> Vec<Movement> {
        let folded: HashSet<&MovementKey> = self.folding.iter().collect();
        seen.retain(|movement| !folded.contains(&movement.key));
        seen.sort_by(|a, b| (a.key.value_date, &a.key.entry).cmp(&(b.key.value_date, &b.key.entry)));
        seen.truncate(FOLD_MAX);
        seen
    }

    /// Whether a day has come since the last fold.
    pub fn has_matured(&self, today: Day) -> bool {
        self.pending.keys().any(|day| *day <= today)
    }

    /// The fold that adds `movements` (from [`Balance::unfolded`]) and makes available what is due by `today`.
    pub fn fold(&self, movements: &[Movement], today: Day) -> Result<Fold, OutOfRange> {
        let mut pending = self.pending.clone();
        for movement in movements {
            let day = pending.entry(movement.key.value_date).or_insert(Minor::ZERO);
            *day = day.plus(movement.amount)?;
        }
        let later = pending.split_off(&today.plus_days(1));
        let due = Minor::sum(pending.into_values())?;
        // What would be available must be an amount too.
        self.available.plus(due)?;
        Ok(Fold {
            due,
            pending: later,
            folding: movements.iter().map(|movement| movement.key.clone()).collect(),
            from_seq: self.seq,
            seq: self.seq.checked_add(1).ok_or(OutOfRange)?,
        })
    }

    /// The exact balance, from a balance, the movements that were there afterwards, and the balance after that.
    pub fn read(first: &Balance, movements: &[Movement], second: &Balance, today: Day) -> Result<Reading, Inexact> {
        if second.seq.saturating_sub(first.seq) > 1 {
            return Err(Inexact::Moved);
        }
        let folded: HashSet<&MovementKey> = first.folding.iter().chain(&second.folding).collect();
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::currency::Currency;
    use crate::id::EntryId;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn movement(name: &str, value_date: &str, amount: i64) -> Movement {
        let entry = EntryId::derive(&[name]);
        let key = MovementKey { currency: Currency::parse("USD").unwrap(), value_date: day(value_date), entry };
        Movement { key, amount: Minor::new(amount) }
    }

    fn reading(available: i64, pending: i64) -> Reading {
        Reading { available: Minor::new(available), pending: Minor::new(pending) }
    }

    /// The balance after a fold of these movements that nothing came between.
    fn folded(before: &Balance, movements: &[Movement], today: Day) -> Balance {
        let Fold { due, pending, folding, from_seq, seq } = before.fold(movements, today).unwrap();
        assert_eq!(from_seq, before.seq);
        Balance { available: before.available.plus(due).unwrap(), pending, folding, seq }
    }

    #[test]
    fn four_shards_make_a_part() {
        assert_eq!([0, 3, 4, 7, 8, 1023].map(part_of), [0, 0, 1, 1, 2, 255]);
        // A merchant without shards would have one part all the same.
        assert_eq!([0, 1, 4, 5, 8, 1024].map(parts), [1, 1, 1, 2, 2, 256]);
    }

    #[test]
    fn parts_of_a_balance_add_up() {
        assert_eq!(reading(100, 5).plus(reading(-30, 7)), Ok(reading(70, 12)));
        assert_eq!(reading(i64::MAX, 0).plus(reading(1, 0)), Err(Inexact::OutOfRange(OutOfRange)));
    }

    #[test]
    fn a_balance_matures_on_the_first_of_its_value_dates() {
        let movements = [movement("a", "2026-02-04", 7), movement("b", "2026-02-09", 1)];
        let balance = folded(&Balance::EMPTY, &movements, day("2026-02-02"));
        let matured = ["2026-02-03", "2026-02-04", "2026-02-05"].map(|today| balance.has_matured(day(today)));
        assert_eq!(matured, [false, true, true]);
        assert!(!Balance::EMPTY.has_matured(day("2026-02-04")));
    }

    #[test]
    fn a_fold_makes_available_what_is_due_and_keeps_the_rest_by_day() {
        let today = day("2026-02-02");
        let movements =
            [movement("a", "2026-02-01", 100), movement("b", "2026-02-02", 20), movement("c", "2026-02-03", 3)];
        let folded = folded(&Balance::EMPTY, &movements, today);
        assert_eq!(folded.available, Minor::new(120));
        assert_eq!(folded.pending, BTreeMap::from([(day("2026-02-03"), Minor::new(3))]));
        assert_eq!((folded.seq, folded.folding.len()), (1, 3));
        let next = self::folded(&folded, &[], day("2026-02-03"));
        assert_eq!((next.available, next.pending.len(), next.seq), (Minor::new(123), 0, 2));
    }

    #[test]
    fn what_was_folded_is_not_folded_again() {
        let (a, b) = (movement("a", "2026-02-02", 1), movement("b", "2026-02-01", 2));
        let balance = folded(&Balance::EMPTY, std::slice::from_ref(&a), day("2026-02-02"));
        assert_eq!(balance.unfolded(vec![a, b.clone()]), vec![b]);
    }

    #[test]
    fn a_fold_takes_the_oldest_value_dates_first_and_not_too_many() {
        let mut seen: Vec<Movement> = (0..600).map(|n| movement(&n.to_string(), "2026-02-05", 1)).collect();
        seen.push(movement("old", "2026-01-01", 1));
        let taken = Balance::EMPTY.unfolded(seen);
        assert_eq!((taken.len(), taken[0].key.value_date), (500, day("2026-01-01")));
    }

    #[test]
    fn a_reading_counts_each_movement_once_before_during_and_after_its_fold() {
        let today = day("2026-02-02");
        let (a, b) = (movement("a", "2026-02-02", 100), movement("b", "2026-02-09", 5));
        let before = Balance::EMPTY;
        let after = folded(&before, std::slice::from_ref(&a), today);
        let seen = [a.clone(), b.clone()];
        for (first, second) in [(&before, &before), (&before, &after), (&after, &after)] {
            assert_eq!(Balance::read(first, &seen, second, today), Ok(reading(100, 5)));
        }
        // The next fold has deleted a, then added b: a reader that began before it and ended after it.
        let next = folded(&after, std::slice::from_ref(&b), today);
        assert_eq!(Balance::read(&after, std::slice::from_ref(&b), &next, today), Ok(reading(100, 5)));
        assert_eq!(Balance::read(&before, &seen, &next, today), Err(Inexact::Moved));
    }

    #[test]
    fn a_movement_that_was_seen_before_the_next_fold_deleted_it_counts_once() {
        let today = day("2026-02-02");
        let (a, b) = (movement("a", "2026-02-02", 100), movement("b", "2026-02-09", 5));
        let first = folded(&Balance::EMPTY, std::slice::from_ref(&a), today);
        let second = folded(&first, std::slice::from_ref(&b), today);
        // The first list alone names a, the second alone names b.
        assert_eq!(Balance::read(&first, &[a, b], &second, today), Ok(reading(100, 5)));
    }

    #[test]
    fn pending_becomes_available_by_reading_alone() {
        let balance = folded(&Balance::EMPTY, &[movement("a", "2026-02-04", 7)], day("2026-02-02"));
        let read = |today| Balance::read(&balance, &[], &balance, day(today)).unwrap();
        assert_eq!(read("2026-02-03"), reading(0, 7));
        assert_eq!(read("2026-02-04"), reading(7, 0));
    }

    #[test]
    fn a_sum_out_of_range_is_an_error_of_the_fold_and_of_the_reading() {
        let today = day("2026-02-02");
        let most = Balance { available: Minor::new(i64::MAX), seq: 1, ..Balance::EMPTY };
        let one_more = [movement("a", "2026-02-02", 1)];
        assert_eq!(most.fold(&one_more, today), Err(OutOfRange));
        assert_eq!(Balance::read(&most, &one_more, &most, today), Err(Inexact::OutOfRange(OutOfRange)));
    }
}
