//! All interleavings of two folders, a reader and a writer, each of which may stop at any step. The decisions are the
//! product's own: [`Balance::next_fold`] and [`Balance::read`].

use std::collections::HashSet;

use super::*;
use crate::currency::Currency;
use crate::id::EntryId;
use crate::time::Timestamp;

/// A set of movements, a bit for each.
type Set = u8;

/// Each movement in the order of the keys: its shard and its amount. A sum of amounts names its movements.
const MOVEMENTS: [(u16, i64); 3] = [(0, 100), (0, 1), (1, 10)];
/// The movement that the writer inserts. It stands before the other one of its shard.
const LATE: Set = 0b001;
/// The movements that exist from the beginning.
const EARLY: Set = 0b110;
/// Folds that each folder tries.
const ROUNDS: [u8; 2] = [2, 1];

fn movement(index: usize) -> Movement {
    let (shard, amount) = MOVEMENTS[index];
    let at = Timestamp::from_millis(i64::try_from(index).unwrap());
    let value_date = Timestamp::from_millis(0).day();
    let currency = Currency::parse("USD").unwrap();
    let key = MovementKey { currency, value_date, entry: EntryId::ordered(at, shard, &["m"]) };
    Movement { key, amount: Minor::new(amount) }
}

fn indexes(set: Set) -> impl Iterator<Item = usize> {
    (0..MOVEMENTS.len()).filter(move |index| set & (1 << index) != 0)
}

fn amount(set: Set) -> i64 {
    indexes(set).map(|index| MOVEMENTS[index].1).sum()
}

fn in_shard(shard: u16) -> Set {
    (0..MOVEMENTS.len()).filter(|index| MOVEMENTS[*index].0 == shard).fold(0, |set, index| set | (1 << index))
}

fn set_of(keys: &[MovementKey]) -> Set {
    let index = |key: &MovementKey| (0..MOVEMENTS.len()).find(|index| movement(*index).key == *key).unwrap();
    keys.iter().fold(0, |set, key| set | (1 << index(key)))
}

/// The stored part, without what never differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stored {
    seq: u64,
    available: i64,
    folding: Set,
}

impl Stored {
    fn balance(self) -> Balance {
        let folding = indexes(self.folding).map(|index| movement(index).key).collect();
        Balance { available: Minor::new(self.available), folding, seq: self.seq, ..Balance::EMPTY }
    }
}

/// What a query of one shard has read: the movements, and the last one if it stopped before the end.
type Page = (Set, Option<usize>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Folder {
    Idle,
    /// It knows the part. The pages of its queries so far.
    Querying(Stored, Vec<Page>),
    /// It is about to update the part: the number of folds before, the amount, the new list.
    Updating(u64, i64, Set),
    /// It has won, knows the part, and deletes these movements one by one.
    Deleting(Stored, Set),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Reader {
    /// Reads of the part so far, movements seen so far, and what had been inserted before the first read.
    Reading {
        step: u8,
        reads: Vec<Stored>,
        seen: Set,
        at_first: Set,
    },
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    part: Stored,
    present: Set,
    inserted: Set,
    folders: [(Folder, u8); 2],
    reader: Reader,
}

/// The pages that a query of a shard may return: all of it, or any number of its first items.
fn pages(present: Set, shard: u16) -> Vec<Page> {
    let there = present & in_shard(shard);
    let mut pages = vec![(there, None)];
    let mut so_far = 0;
    for index in indexes(there) {
        so_far |= 1 << index;
        pages.push((so_far, Some(index)));
    }
    pages
}

fn seen(pages: &[Page]) -> Vec<Seen> {
    let seen = pages.iter().zip(0..).map(|((set, last), shard)| Seen {
        shard,
        movements: indexes(*set).map(movement).collect(),
        unreadable: Vec::new(),
        up_to: last.map(|last| movement(last).key.to_string()),
    });
    seen.collect()
}

/// The next states of one folder, each with the part and the movements that exist then. Errors can happen at each step,
/// and a reply can be lost: then the folder starts again.
fn steps(world: &World, (folder, rounds): &(Folder, u8)) -> Vec<(Stored, Set, Folder, u8)> {
    let (part, present) = (world.part, world.present);
    let mut next = Vec::new();
    match folder {
        Folder::Idle if *rounds == 0 => {}
        Folder::Idle => next.push((part, present, Folder::Querying(part, Vec::new()), rounds - 1)),
        Folder::Querying(known, read) => {
            let today = Timestamp::from_millis(0).day();
            for page in pages(present, u16::try_from(read.len()).unwrap()) {
                let read: Vec<Page> = read.iter().copied().chain([page]).collect();
                let then = if read.len() < 2 {
                    Folder::Querying(*known, read)
                } else {
                    match known.balance().next_fold(&seen(&read), today).unwrap() {
                        None => Folder::Idle,
                        Some(fold) => Folder::Updating(fold.from_seq, fold.due.units(), set_of(&fold.after.folding)),
                    }
                };
                next.push((part, present, then, *rounds));
            }
        }
        Folder::Updating(from_seq, due, folding) if part.seq == *from_seq => {
            let after = Stored { seq: part.seq + 1, available: part.available + due, folding: *folding };
            next.push((after, present, Folder::Deleting(after, *folding), *rounds));
            next.push((after, present, Folder::Idle, *rounds));
        }
        Folder::Updating(..) => next.push((part, present, Folder::Idle, *rounds)),
        Folder::Deleting(known, 0) => {
            let then = match rounds {
                0 => Folder::Idle,
                _ => Folder::Querying(Stored { folding: 0, ..*known }, Vec::new()),
            };
            next.push((part, present, then, rounds.saturating_sub(1)));
        }
        Folder::Deleting(known, left) => {
            for index in indexes(*left) {
                let left = left & !(1 << index);
                next.push((part, present & !(1 << index), Folder::Deleting(*known, left), *rounds));
            }
            next.push((part, present, Folder::Idle, *rounds));
        }
    }
    next
}

/// The next state of the reader: it reads the part, shard 0, the part, shard 1, and the part.
fn read(world: &World) -> Option<Reader> {
    let Reader::Reading { step, reads, seen, at_first } = &world.reader else { return None };
    let (mut reads, mut seen, mut at_first) = (reads.clone(), *seen, *at_first);
    match step {
        0 => {
            at_first = world.inserted;
            reads.push(world.part);
        }
        1 => seen |= world.present & in_shard(0),
        2 => reads.push(world.part),
        3 => seen |= world.present & in_shard(1),
        _ => {
            let balances: Vec<Balance> = reads.into_iter().chain([world.part]).map(Stored::balance).collect();
            let movements: Vec<Movement> = indexes(seen).map(movement).collect();
            let all: Vec<&Balance> = balances.iter().collect();
            if let Ok(total) = Balance::read(&all, &movements, &[], Timestamp::from_millis(0).day()) {
                let right = [at_first, world.inserted].map(amount);
                assert!(right.contains(&total.available.units()), "{total:?} is not one of {right:?}: {world:?}");
            }
            return Some(Reader::Done);
        }
    }
    Some(Reader::Reading { step: step + 1, reads, seen, at_first })
}

#[test]
fn every_interleaving_keeps_and_shows_the_exact_sum() {
    let start = World {
        part: Stored { seq: 0, available: 0, folding: 0 },
        present: EARLY,
        inserted: EARLY,
        folders: ROUNDS.map(|rounds| (Folder::Idle, rounds)),
        reader: Reader::Reading { step: 0, reads: Vec::new(), seen: 0, at_first: 0 },
    };
    let mut known = HashSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(world) = open.pop() {
        let unfolded = world.present & !world.part.folding;
        assert_eq!(world.part.available + amount(unfolded), amount(world.inserted), "{world:?}");
        let mut next = Vec::new();
        if world.inserted & LATE == 0 {
            let (present, inserted) = (world.present | LATE, world.inserted | LATE);
            next.push(World { present, inserted, ..world.clone() });
        }
        for (index, folder) in world.folders.iter().enumerate() {
            for (part, present, then, rounds) in steps(&world, folder) {
                let mut folders = world.folders.clone();
                folders[index] = (then, rounds);
                next.push(World { part, present, folders, ..world.clone() });
            }
        }
        next.extend(read(&world).into_iter().map(|reader| World { reader, ..world.clone() }));
        open.extend(next.into_iter().filter(|world| known.insert(world.clone())));
    }
    assert!(known.len() > 100_000, "only {} states", known.len());
}
