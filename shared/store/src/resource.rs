//! What every resource needs of the table: to be created once, read, listed, and changed as a whole.

use spillway_domain::change::{Adjust, Change};
use spillway_domain::id::{Id, ObjectId};
use spillway_domain::operation::Asking;
use spillway_domain::page::{Page, PageRequest};
use spillway_domain::resource::{Creation, Finder, Resource};
use spillway_domain::tenant::Tenant;

use super::balance::movement_item;
use super::commit::{Commit, Committed};
use super::due::DUE;
use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::listing::{List, Rows};
use super::{Item, Store, StoreError, TableKey, attribute, keys, number, text, to_item};
use spillway_wire::view::Shown;

/// How a creation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// It is stored now.
    New,
    /// This was there before, and stays as it was.
    Existing(T),
}

/// The resource has moved on since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale;

/// The refusals of a resource's commit.
enum Refused<T: Resource> {
    Existing(T),
    Stale,
    Adjust(T::Refusal),
}

/// The attribute that tells how the processor is being asked.
const ASKING: &str = "asking";
/// Attributes that move without the version.
const UNVERSIONED: [&str; 4] = [ASKING, DUE[0], DUE[1], DUE[2]];

/// Which resources a list has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed<'a> {
    /// All of the tenant.
    All,
    /// Those under a parent.
    Under(&'a ObjectId),
    /// Those with a merchant's own value.
    FoundBy(Finder, &'a str),
}

impl Store {
    /// Stores a new resource with all that becomes true with it, or tells how the same request was accepted before. One
    /// call, unless it is refused.
    pub async fn create<T: Resource + Shown>(&self, change: &Change<T>) -> Result<Creation<T>, StoreError> {
        let new = change.after.meta();
        let commit = Commit::new()
            .create(self.resource_item(&change.after)?, |store, found| store.read(found).map(Refused::Existing))?;
        Ok(match self.commit(self.with_consequences(commit, change)?).await? {
            Committed::Done => Creation::New,
            Committed::Refused(Refused::Adjust(refused)) => Creation::Refused(refused),
            Committed::Refused(Refused::Stale) => Creation::KeyReused,
            Committed::Refused(Refused::Existing(first)) if first.meta().fingerprint == new.fingerprint => {
                // The mark of this write may be gone by now, because the resource is being worked on: its request is not.
                let by_itself = first.meta().request_id == new.request_id;
                Creation::Repeated { first: first.as_accepted(), by_itself }
            }
            Committed::Refused(Refused::Existing(_)) => Creation::KeyReused,
        })
    }

    /// A resource of this tenant, read strongly. None if there is none: a foreign one is as missing as any.
    pub async fn resource<T: Resource>(&self, tenant: &Tenant, id: &Id<T::Kind>) -> Result<Option<T>, StoreError> {
        self.get(&keys::resource::<T>(tenant, id)).await
    }

    /// A page of a tenant's resources of one type over `shards` shards: those that pass (`everything`: all do). Where they
    /// are comes from an index, so that one which was accepted an instant ago may be missing. What they are is read
    /// strongly. One that can't be read is left out.
    pub async fn resources<T: Resource>(
        &self, tenant: &Tenant, listed: &Listed<'_>, shards: u16, asked: &PageRequest, everything: bool,
        passes: impl Fn(&T) -> bool,
    ) -> Result<Page<T>, StoreError> {
        let each = |partition: &dyn Fn(u16) -> String| (0..shards).map(partition).collect();
        let (rows, partitions) = match listed {
            Listed::All => (Rows::LISTING, each(&|shard| keys::listings::<T>(tenant, shard))),
            Listed::Under(parent) => (Rows::LISTING, vec![keys::listings_under::<T>(tenant, parent)]),
            Listed::FoundBy(finder, value) => {
                (Rows::finder(*finder), each(&|shard| keys::found_by(tenant, *finder, value, shard)))
            }
        };
        let list = List {
            rows,
            partitions,
            // A place in the list begins with its time.
            from: asked.created_from.map(|time| time.to_string()),
            before: asked.created_before.map(|time| time.to_string()),
        };
        self.page(list, asked, everything, async |rows| {
            let unreadable = || StoreError::Corrupt("a row of the index has no key".to_owned());
            let keys: Option<Vec<TableKey>> = rows.iter().map(TableKey::of).collect();
            let items = self.get_all(&keys.ok_or_else(unreadable)?).await?;
            let read = items.into_iter().map(|item| item.and_then(|item| self.read(item).ok()).filter(&passes));
            Ok(read.collect())
        })
        .await
    }

    /// Commits a resource's next state and due time with all that becomes true with it. Guard: its version and status are
    /// those that were read; where the version does not move, the processor was not asked since either.
    pub async fn change<T: Resource + Shown>(&self, change: &Change<T>) -> Result<Committed<Stale>, StoreError> {
        let after = &change.after;
        let before = change.before.as_ref().unwrap_or(after);
        let key = keys::resource::<T>(&after.meta().owner, &after.meta().id);
        let mut when =
            vec![Test::is("version", number(before.meta().version)), Test::is("status", attribute(&before.status())?)];
        if before.meta().version == after.meta().version {
            when.push(match before.asking() {
                Some(asking) => Test::is(ASKING, attribute(asking)?),
                None => Test::Lacks(ASKING),
            });
        }
        let edit = Edit::between(&to_item(&key, before)?, &self.with_due_time(&key, after)?, &UNVERSIONED);
        let commit = Commit::new().edit(key, edit, when, |_, _| Ok(Refused::<T>::Stale));
        match self.commit(self.with_consequences(commit, change)?).await? {
            Committed::Done => Ok(Committed::Done),
            Committed::Refused(Refused::Stale | Refused::Existing(_)) => Ok(Committed::Refused(Stale)),
            Committed::Refused(Refused::Adjust(_)) => {
                Err(StoreError::Corrupt(format!("{}: what it changes with it forbids it", after.meta().id)))
            }
        }
    }

    /// The commit with adjusts, entries, movements and events of the change.
    fn with_consequences<'a, T: Resource + Shown>(
        &self, mut commit: Commit<'a, Refused<T>>, change: &Change<T>,
    ) -> Result<Commit<'a, Refused<T>>, StoreError> {
        let owner = &change.after.meta().owner;
        for adjust in &change.adjusts {
            commit = adjusted(commit, adjust);
        }
        for (entry, movement) in &change.entries {
            commit = commit.follow(to_item(&keys::journal_entry(owner, &entry.id), entry)?)?;
            if let Some(movement) = movement {
                commit = commit.follow(movement_item(owner, entry, movement)?)?;
            }
        }
        for event in &change.events {
            commit = commit.follow(self.event_item(owner, event, &change.after)?)?;
        }
        Ok(commit)
    }

    /// A new resource as stored: listed, found by the merchant's own values, and due if the processor is asked.
    fn resource_item<T: Resource>(&self, resource: &T) -> Result<Item, StoreError> {
        let meta = resource.meta();
        let mut item = self.with_due_time(&keys::resource::<T>(&meta.owner, &meta.id), resource)?;
        keys::listing(resource).put_into(&mut item);
        for (finder, value) in resource.found_by() {
            let (_, attribute) = keys::finder_index(finder);
            item.insert(attribute.to_owned(), text(keys::found_by(&meta.owner, finder, value, meta.shard)));
        }
        Ok(item)
    }

    /// A resource as stored, with its due time while the processor is asked: some time after the next ask, whose message
    /// comes earlier, if it comes.
    fn with_due_time<T: Resource>(&self, key: &TableKey, resource: &T) -> Result<Item, StoreError> {
        let mut item = to_item(key, resource)?;
        if let Some(asking) = resource.asking() {
            item.extend(self.due(key, self.first_due(next_ask(asking))?));
        }
        Ok(item)
    }
}

fn next_ask(asking: &Asking) -> spillway_domain::time::Timestamp {
    asking.next_at.unwrap_or(asking.since)
}

fn adjusted<'a, T: Resource>(commit: Commit<'a, Refused<T>>, adjust: &Adjust<T::Refusal>) -> Commit<'a, Refused<T>> {
    let Adjust { name, owner, id, adds, needs, at, refused } = adjust.clone();
    let key = keys::object(&owner, id.as_str(), name);
    let edit = Edit::new().set("updated_at", text(at.to_string())).add("version", 1);
    let edit = adds.into_iter().fold(edit, |edit, (amount, units)| edit.add(amount, units.units()));
    let least = |(amount, units): (&'static str, spillway_domain::money::Minor)| {
        Test::Compares(amount, Comparison::AtLeast, number(units.units()))
    };
    let when = [Test::Exists].into_iter().chain(needs.into_iter().map(least)).collect();
    commit.shared().edit(key, edit, when, move |_, found| match (found, refused) {
        (Some(_), Some(refused)) => Ok(Refused::Adjust(refused)),
        _ => Err(StoreError::Corrupt(format!("{id} can't be adjusted"))),
    })
}
