//! Checks the calls of the sandbox processor by its own counters.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::rules::Done;
use super::{Books, Kind, Violation, number, text};
use crate::table::Item;

impl Books {
    /// Number of charges for this payment at the sandbox.
    pub fn charged(&self, payment: &str) -> usize {
        done(&self.sandbox_calls(payment), "charges")
    }

    /// Whether the sandbox undid its operation for this object.
    pub fn undone(&self, id: &str) -> bool {
        undone(&self.sandbox_calls(id))
    }

    fn sandbox_calls(&self, id: &str) -> Vec<&Item> {
        let of_reference = |reference: &String, item: &&Item| reference == id || key_of(item) == id;
        let all = self.charges.iter().flat_map(|(reference, items)| items.iter().map(move |item| (reference, item)));
        all.filter(|(reference, item)| of_reference(reference, item)).map(|(_, item)| item).collect()
    }
}

/// The processor performed each object's operation once; every other one was undone.
pub(crate) fn check(books: &Books, found: &mut Vec<Violation>) {
    let mut calls = by_object(books);
    for object in books.objects().filter(super::Object::is_at_rest) {
        let Some(Done { counter, states }) = &object.resource.done else { continue };
        let (id, must_be) = (object.id, states.contains(&object.state()));
        let calls = calls.remove(id).unwrap_or_default();
        let (is, undone) = (done(&calls, counter), undone(&calls));
        let must = if must_be { 1 } else { usize::from(undone) };
        let sentence = || format!("the processor counts {is} {counter} for {id}, not {must}");
        found.extend(match is.cmp(&must) {
            Ordering::Greater => Some(Kind::Doubled.of(sentence())),
            Ordering::Less => Some(Kind::Lost.of(sentence())),
            Ordering::Equal => None,
        });
        if undone && must_be {
            found.push(Kind::Wrong.of(format!("{id} is {}, and the processor has undone it", object.state())));
        }
    }
}

/// Items of the sandbox under an object's own reference with any key, and under the object's keys with any reference:
/// `re_…`, `pay_…/undo`.
fn by_object(books: &Books) -> BTreeMap<&str, Vec<&Item>> {
    let mut by_object: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for (reference, items) in &books.charges {
        for item in items {
            for object in BTreeSet::from([reference.as_str(), key_of(item)]) {
                by_object.entry(object).or_default().push(item);
            }
        }
    }
    by_object
}

/// The object in an idempotency key.
fn key_of(item: &Item) -> &str {
    text(item, "sk").split('/').next().unwrap_or_default()
}

/// Number that the sandbox counted.
fn done(calls: &[&Item], counter: &str) -> usize {
    let times: i64 = calls.iter().map(|call| number(call, counter)).sum();
    usize::try_from(times).unwrap_or_default()
}

fn undone(calls: &[&Item]) -> bool {
    calls.iter().any(|call| text(call, "sk").ends_with("/undo"))
}
