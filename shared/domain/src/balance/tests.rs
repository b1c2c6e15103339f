//! Folds and readings, one by one.

use super::*;
use crate::currency::Currency;
use crate::id::EntryId;
use crate::time::Timestamp;

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn movement(name: &str, value_date: &str, amount: i64) -> Movement {
    let entry = EntryId::ordered(Timestamp::from_millis(0), 0, &[name]);
    let key = MovementKey { currency: Currency::parse("USD").unwrap(), value_date: day(value_date), entry };
    Movement { key, amount: Minor::new(amount) }
}

fn reading(available: i64, pending: i64) -> Reading {
    Reading { available: Minor::new(available), pending: Minor::new(pending) }
}

/// Shard 0, read to its end.
fn shard(movements: &[Movement]) -> Seen {
    Seen { movements: movements.to_vec(), ..Seen::default() }
}

/// The balance after an undisturbed fold of these movements.
fn folded(before: &Balance, movements: &[Movement], today: Day) -> Balance {
    let fold = before.next_fold(&[shard(movements)], today).unwrap().unwrap();
    assert_eq!((fold.from_seq, before.available.plus(fold.due)), (before.seq, Ok(fold.after.available)));
    fold.after
}

/// A reading of all movements at once, between two reads of the balance.
fn read(first: &Balance, movements: &[Movement], second: &Balance, today: Day) -> Result<Reading, Inexact> {
    Balance::read(&[first, second], movements, &[], today)
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
    let movements = [movement("a", "2026-02-01", 100), movement("b", "2026-02-02", 20), movement("c", "2026-02-03", 3)];
    let folded = folded(&Balance::EMPTY, &movements, today);
    assert_eq!(folded.available, Minor::new(120));
    assert_eq!(folded.pending, BTreeMap::from([(day("2026-02-03"), Minor::new(3))]));
    assert_eq!((folded.seq, folded.folding.len()), (1, 3));
    let next = self::folded(&folded, &[], day("2026-02-03"));
    assert_eq!((next.available, next.pending.len(), next.seq), (Minor::new(123), 0, 2));
}

#[test]
fn a_folded_movement_is_not_folded_again() {
    let today = day("2026-02-02");
    let (a, b) = (movement("a", "2026-02-02", 1), movement("b", "2026-02-01", 2));
    let balance = folded(&Balance::EMPTY, std::slice::from_ref(&a), today);
    let next = balance.next_fold(&[shard(&[a.clone(), b.clone()])], today).unwrap().unwrap();
    // `a` exists still, so the list keeps it.
    assert_eq!(
        (next.due, next.added(), &next.after.folding),
        (Minor::new(2), &[b.key.clone()][..], &vec![a.key, b.key])
    );
}

#[test]
fn without_new_movements_there_is_no_fold() {
    let today = day("2026-02-02");
    let a = movement("a", "2026-02-02", 1);
    let balance = folded(&Balance::EMPTY, std::slice::from_ref(&a), today);
    assert_eq!(balance.next_fold(&[shard(&[a])], today), Ok(None));
    assert_eq!(Balance::EMPTY.next_fold(&[], today), Ok(None));
}

#[test]
fn the_list_keeps_what_may_still_exist() {
    let today = day("2026-02-02");
    let keys = ["2026-01-01", "2026-01-02", "2026-01-03"].map(|date| movement("m", date, 1).key);
    let other_shard = MovementKey { entry: EntryId::ordered(Timestamp::from_millis(0), 1, &["m"]), ..keys[0].clone() };
    let listed: Vec<MovementKey> = keys.iter().cloned().chain([other_shard.clone()]).collect();
    let balance = Balance { folding: listed, seq: 1, ..Balance::EMPTY };
    let new = movement("new", "2026-01-02", 1);
    let kept = |seen: Seen| {
        let fold = balance.next_fold(&[Seen { movements: vec![new.clone()], ..seen }], today).unwrap().unwrap();
        let (kept, added) = fold.after.folding.split_at(fold.after.folding.len() - 1);
        assert_eq!(added, std::slice::from_ref(&new.key));
        kept.to_vec()
    };
    // No query has read shard 1.
    assert_eq!(kept(Seen::default()), std::slice::from_ref(&other_shard));
    let up_to = |key: &MovementKey| Seen { up_to: Some(key.to_string()), ..Seen::default() };
    assert_eq!(kept(up_to(&keys[1])), [keys[2].clone(), other_shard.clone()]);
    assert_eq!(kept(up_to(&keys[2])), std::slice::from_ref(&other_shard));
    let unreadable = Seen { unreadable: vec![keys[1].to_string()], ..Seen::default() };
    assert_eq!(kept(unreadable), [keys[1].clone(), other_shard]);
}

#[test]
fn a_fold_takes_at_most_500_movements_oldest_first() {
    let today = day("2026-02-02");
    let mut seen: Vec<Movement> = (0..600).map(|n| movement(&n.to_string(), "2026-02-05", 1)).collect();
    seen.push(movement("old", "2026-01-01", 1));
    let first = Balance::EMPTY.next_fold(&[shard(&seen)], today).unwrap().unwrap();
    assert_eq!((first.added, first.added()[0].value_date), (500, day("2026-01-01")));
    // The folder stopped before its deletions. The list is full, so the next fold adds nothing: it deletes.
    let second = first.after.next_fold(&[shard(&seen)], today).unwrap().unwrap();
    assert_eq!((second.added, &second.after.folding), (0, &first.after.folding));
    assert_eq!((second.after.seq, second.after.pending == first.after.pending), (2, true));
}

#[test]
fn a_reading_counts_each_movement_once_around_its_fold() {
    let today = day("2026-02-02");
    let (a, b) = (movement("a", "2026-02-02", 100), movement("b", "2026-02-09", 5));
    let before = Balance::EMPTY;
    let after = folded(&before, std::slice::from_ref(&a), today);
    let seen = [a.clone(), b.clone()];
    for (first, second) in [(&before, &before), (&before, &after), (&after, &after)] {
        assert_eq!(read(first, &seen, second, today), Ok(reading(100, 5)));
    }
    // A reader that began before the next fold and ended after it. That fold deleted a, then added b.
    let next = folded(&after, std::slice::from_ref(&b), today);
    assert_eq!(read(&after, std::slice::from_ref(&b), &next, today), Ok(reading(100, 5)));
    assert_eq!(read(&before, &seen, &next, today), Err(Inexact::Moved));
}

#[test]
fn a_read_between_two_pages_allows_a_fold_more() {
    let today = day("2026-02-02");
    let (a, b) = (movement("a", "2026-02-02", 100), movement("b", "2026-02-09", 5));
    let first = folded(&Balance::EMPTY, std::slice::from_ref(&a), today);
    let second = Balance { folding: vec![b.key.clone()], ..folded(&first, std::slice::from_ref(&b), today) };
    // The pages were read before the movements were folded.
    let seen = [a.clone(), b.clone()];
    assert_eq!(Balance::read(&[&Balance::EMPTY, &first, &second], &seen, &[], today), Ok(reading(100, 5)));
    assert_eq!(read(&Balance::EMPTY, &seen, &second, today), Err(Inexact::Moved));
}

#[test]
fn a_movement_that_another_part_contains_does_not_count() {
    let today = day("2026-02-02");
    let (a, b) = (movement("a", "2026-02-02", 100), movement("b", "2026-02-09", 5));
    let empty = &Balance::EMPTY;
    assert_eq!(Balance::read(&[empty, empty], &[a.clone(), b], &[a.key], today), Ok(reading(0, 5)));
}

#[test]
fn a_movement_deleted_during_the_reading_counts_once() {
    let today = day("2026-02-02");
    let (a, b) = (movement("a", "2026-02-02", 100), movement("b", "2026-02-09", 5));
    let first = folded(&Balance::EMPTY, std::slice::from_ref(&a), today);
    let second = folded(&first, std::slice::from_ref(&b), today);
    // Only the first list contains a, and only the second contains b.
    assert_eq!(read(&first, &[a, b], &second, today), Ok(reading(100, 5)));
}

#[test]
fn a_pending_amount_becomes_available_without_a_fold() {
    let balance = folded(&Balance::EMPTY, &[movement("a", "2026-02-04", 7)], day("2026-02-02"));
    let on = |today| read(&balance, &[], &balance, day(today)).unwrap();
    assert_eq!(on("2026-02-03"), reading(0, 7));
    assert_eq!(on("2026-02-04"), reading(7, 0));
}

#[test]
fn folds_and_readings_refuse_an_overflow() {
    let today = day("2026-02-02");
    let most = Balance { available: Minor::new(i64::MAX), seq: 1, ..Balance::EMPTY };
    let one_more = [movement("a", "2026-02-02", 1)];
    assert_eq!(most.next_fold(&[shard(&one_more)], today), Err(OutOfRange));
    assert_eq!(read(&most, &one_more, &most, today), Err(Inexact::OutOfRange(OutOfRange)));
}
