//! A merchant's balance in one currency: how movements are folded into it, and how it is read exactly during a fold.
//!
//! The balance's list `folding` names the movements that the last fold has already added. A fold takes four steps: get
//! the balance; query the movements that are not in `folding`; delete those that are; update the balance on condition
//! that `seq` is unchanged. The update adds the new movements and replaces `folding` with the list of them. The deletion
//! comes before the update, and `folding` stays until the next fold. So a reader can always decide whether the sum
//! contains a movement, even if a fold stopped half-way, was repeated, or ran twice at the same time.

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
    /// The movements that the last fold has already added: the sums above contain them. Their items may exist still,
    /// until the next fold deletes them.
    pub folding: Vec<MovementKey>,
    /// Number of folds so far.
    pub seq: u64,
}

/// The update of a balance by one fold. It adds `due` to `available`, so that payouts, which are
/// not built yet, can change `available` too. It replaces the other attributes, because only folds write them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Minor units to add to `available`.
    pub due: Minor,
    /// Minor units that become available later, by value date.
    pub pending: BTreeMap<Day, Minor>,
    /// The movements that this fold adds. The balance's new list `folding`.
    pub folding: Vec<MovementKey>,
    /// Number of folds before this one. The update's condition.
    pub from_seq: u64,
    /// Number of folds including this one.
    pub seq: u64,
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

    /// The movements of `seen` that this balance does not contain yet, oldest value date first, at most [`FOLD_MAX`].
    pub fn unfolded(&self, mut seen: Vec<Movement>) -> Vec<Movement> {
        let folded: HashSet<&MovementKey> = self.folding.iter().collect();
        seen.retain(|movement| !folded.contains(&movement.key));
        seen.sort_by(|a, b| (a.key.value_date, &a.key.entry).cmp(&(b.key.value_date, &b.key.entry)));
        seen.truncate(FOLD_MAX);
        seen
    }

    /// Whether a pending amount has become available since the last fold.
    pub fn has_matured(&self, today: Day) -> bool {
        self.pending.keys().any(|day| *day <= today)
    }

    /// The fold that adds `movements` (from [`Balance::unfolded`]) and makes amounts available whose value date has
    /// come. Errors if a sum overflows.
    pub fn fold(&self, movements: &[Movement], today: Day) -> Result<Fold, OutOfRange> {
        let mut pending = self.pending.clone();
        for movement in movements {
            let day = pending.entry(movement.key.value_date).or_insert(Minor::ZERO);
            *day = day.plus(movement.amount)?;
        }
        let later = pending.split_off(&today.plus_days(1));
        let due = Minor::sum(pending.into_values())?;
        // The new sum must not overflow either.
        self.available.plus(due)?;
        Ok(Fold {
            due,
            pending: later,
            folding: movements.iter().map(|movement| movement.key.clone()).collect(),
            from_seq: self.seq,
            seq: self.seq.checked_add(1).ok_or(OutOfRange)?,
        })
    }

    /// The exact balance, computed from three reads in this order: the balance, its movements, the balance again.
    /// Errors if more than one fold ran in between, or if a sum overflows.
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

    /// The balance after an undisturbed fold of these movements.
    fn folded(before: &Balance, movements: &[Movement], today: Day) -> Balance {
        let Fold { due, pending, folding, from_seq, seq } = before.fold(movements, today).unwrap();
        assert_eq!(from_seq, before.seq);
        Balance { available: before.available.plus(due).unwrap(), pending, folding, seq }
    }

    #[test]
    fn four_shards_make_a_part() {
        assert_eq!([0, 3, 4, 7, 8, 1023].map(part_of), [0, 0, 1, 1, 2, 255]);
        // Zero shards count as one.
        assert_eq!([0, 1, 4, 5, 8, 1024].map(parts), [1, 1, 1, 2, 2, 256]);
    }

    #[test]
    fn parts_of_a_balance_add_up() {
        assert_eq!(reading(100, 5).plus(reading(-30, 7)), Ok(reading(70, 12)));
        assert_eq!(reading(i64::MAX, 0).plus(reading(1, 0)), Err(Inexact::OutOfRange(OutOfRange)));
    }

    #[test]
    fn a_balance_matures_on_its_first_value_date() {
        let movements = [movement("a", "2026-02-04", 7), movement("b", "2026-02-09", 1)];
        let balance = folded(&Balance::EMPTY, &movements, day("2026-02-02"));
        let matured = ["2026-02-03", "2026-02-04", "2026-02-05"].map(|today| balance.has_matured(day(today)));
        assert_eq!(matured, [false, true, true]);
        assert!(!Balance::EMPTY.has_matured(day("2026-02-04")));
    }

    #[test]
    fn a_fold_makes_due_amounts_available_and_keeps_the_rest_by_day() {
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
    fn a_folded_movement_is_not_folded_again() {
        let (a, b) = (movement("a", "2026-02-02", 1), movement("b", "2026-02-01", 2));
        let balance = folded(&Balance::EMPTY, std::slice::from_ref(&a), day("2026-02-02"));
        assert_eq!(balance.unfolded(vec![a, b.clone()]), vec![b]);
    }

    #[test]
    fn a_fold_takes_at_most_500_movements_oldest_first() {
        let mut seen: Vec<Movement> = (0..600).map(|n| movement(&n.to_string(), "2026-02-05", 1)).collect();
        seen.push(movement("old", "2026-01-01", 1));
        let taken = Balance::EMPTY.unfolded(seen);
        assert_eq!((taken.len(), taken[0].key.value_date), (500, day("2026-01-01")));
    }

    #[test]
    fn a_reading_counts_each_movement_once_around_its_fold() {
        let today = day("2026-02-02");
        let (a, b) = (movement("a", "2026-02-02", 100), movement("b", "2026-02-09", 5));
        let before = Balance::EMPTY;
        let after = folded(&before, std::slice::from_ref(&a), today);
        let seen = [a.clone(), b.clone()];
        for (first, second) in [(&before, &before), (&before, &after), (&after, &after)] {
            assert_eq!(Balance::read(first, &seen, second, today), Ok(reading(100, 5)));
        }
        // A reader that began before the next fold and ended after it. That fold deleted a, then added b.
        let next = folded(&after, std::slice::from_ref(&b), today);
        assert_eq!(Balance::read(&after, std::slice::from_ref(&b), &next, today), Ok(reading(100, 5)));
        assert_eq!(Balance::read(&before, &seen, &next, today), Err(Inexact::Moved));
    }

    #[test]
    fn a_movement_deleted_during_the_reading_counts_once() {
        let today = day("2026-02-02");
        let (a, b) = (movement("a", "2026-02-02", 100), movement("b", "2026-02-09", 5));
        let first = folded(&Balance::EMPTY, std::slice::from_ref(&a), today);
        let second = folded(&first, std::slice::from_ref(&b), today);
        // Only the first list contains a, and only the second contains b.
        assert_eq!(Balance::read(&first, &[a, b], &second, today), Ok(reading(100, 5)));
    }

    #[test]
    fn a_pending_amount_becomes_available_without_a_fold() {
        let balance = folded(&Balance::EMPTY, &[movement("a", "2026-02-04", 7)], day("2026-02-02"));
        let read = |today| Balance::read(&balance, &[], &balance, day(today)).unwrap();
        assert_eq!(read("2026-02-03"), reading(0, 7));
        assert_eq!(read("2026-02-04"), reading(7, 0));
    }

    #[test]
    fn folds_and_readings_refuse_an_overflow() {
        let today = day("2026-02-02");
        let most = Balance { available: Minor::new(i64::MAX), seq: 1, ..Balance::EMPTY };
        let one_more = [movement("a", "2026-02-02", 1)];
        assert_eq!(most.fold(&one_more, today), Err(OutOfRange));
        assert_eq!(Balance::read(&most, &one_more, &most, today), Err(Inexact::OutOfRange(OutOfRange)));
    }
}
