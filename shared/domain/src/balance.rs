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

/// A balance as stored. A merchant that never moved has the default one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// A balance as read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Minor units with a value date of today or before.
    pub available: Minor,
    /// Minor units with a later one.
    pub pending: Minor,
}

impl Balance {
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

    /// This balance with `movements` (from [`Balance::unfolded`]) added and what is due by `today` made available.
    pub fn fold(&self, movements: &[Movement], today: Day) -> Result<Balance, OutOfRange> {
        let mut pending = self.pending.clone();
        for movement in movements {
            let day = pending.entry(movement.key.value_date).or_default();
            *day = day.plus(movement.amount)?;
        }
        let later = pending.split_off(&today.plus_days(1));
        let due = Minor::sum(pending.into_values())?;
        Ok(Balance {
            available: self.available.plus(due)?,
            pending: later,
            folding: movements.iter().map(|movement| movement.key.clone()).collect(),
            seq: self.seq + 1,
        })
    }

    /// The exact balance, from a balance, the movements that were there afterwards, and the balance after that. None
    /// if more than one fold came in between: read again.
    pub fn read(
        first: &Balance, movements: &[Movement], second: &Balance, today: Day,
    ) -> Result<Option<Reading>, OutOfRange> {
        if second.seq > first.seq + 1 {
            return Ok(None);
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
        Ok(Some(reading))
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

    #[test]
    fn a_fold_makes_available_what_is_due_and_keeps_the_rest_by_day() {
        let today = day("2026-02-02");
        let movements =
            [movement("a", "2026-02-01", 100), movement("b", "2026-02-02", 20), movement("c", "2026-02-03", 3)];
        let folded = Balance::default().fold(&movements, today).unwrap();
        assert_eq!(folded.available, Minor::new(120));
        assert_eq!(folded.pending, BTreeMap::from([(day("2026-02-03"), Minor::new(3))]));
        assert_eq!((folded.seq, folded.folding.len()), (1, 3));
        let next = folded.fold(&[], day("2026-02-03")).unwrap();
        assert_eq!((next.available, next.pending.len(), next.seq), (Minor::new(123), 0, 2));
    }

    #[test]
    fn what_was_folded_is_not_folded_again() {
        let (a, b) = (movement("a", "2026-02-02", 1), movement("b", "2026-02-01", 2));
        let balance = Balance::default().fold(std::slice::from_ref(&a), day("2026-02-02")).unwrap();
        assert_eq!(balance.unfolded(vec![a, b.clone()]), vec![b]);
    }

    #[test]
    fn a_fold_takes_the_oldest_value_dates_first_and_not_too_many() {
        let mut seen: Vec<Movement> = (0..600).map(|n| movement(&n.to_string(), "2026-02-05", 1)).collect();
        seen.push(movement("old", "2026-01-01", 1));
        let taken = Balance::default().unfolded(seen);
        assert_eq!((taken.len(), taken[0].key.value_date), (500, day("2026-01-01")));
    }

    #[test]
    fn a_reading_counts_each_movement_once_before_during_and_after_its_fold() {
        let today = day("2026-02-02");
        let (a, b) = (movement("a", "2026-02-02", 100), movement("b", "2026-02-09", 5));
        let before = Balance::default();
        let after = before.fold(std::slice::from_ref(&a), today).unwrap();
        let seen = [a.clone(), b.clone()];
        for (first, second) in [(&before, &before), (&before, &after), (&after, &after)] {
            assert_eq!(Balance::read(first, &seen, second, today), Ok(Some(reading(100, 5))));
        }
        // The next fold has deleted a, then added b: a reader that began before it and ended after it.
        let next = after.fold(std::slice::from_ref(&b), today).unwrap();
        assert_eq!(Balance::read(&after, std::slice::from_ref(&b), &next, today), Ok(Some(reading(100, 5))));
        assert_eq!(Balance::read(&before, &seen, &next, today), Ok(None));
    }

    #[test]
    fn a_movement_that_was_seen_before_the_next_fold_deleted_it_counts_once() {
        let today = day("2026-02-02");
        let (a, b) = (movement("a", "2026-02-02", 100), movement("b", "2026-02-09", 5));
        let first = Balance::default().fold(std::slice::from_ref(&a), today).unwrap();
        let second = first.fold(std::slice::from_ref(&b), today).unwrap();
        // The first list alone names a, the second alone names b.
        assert_eq!(Balance::read(&first, &[a, b], &second, today), Ok(Some(reading(100, 5))));
    }

    #[test]
    fn pending_becomes_available_by_reading_alone() {
        let balance = Balance::default().fold(&[movement("a", "2026-02-04", 7)], day("2026-02-02")).unwrap();
        let read = |today| Balance::read(&balance, &[], &balance, day(today)).unwrap();
        assert_eq!(read("2026-02-03"), Some(reading(0, 7)));
        assert_eq!(read("2026-02-04"), Some(reading(7, 0)));
    }
}
