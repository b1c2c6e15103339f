//! The operations that every resource has: create once, read, list, and change.

use spillway_domain::change::{Adjustment, Change};
use spillway_domain::id::{Id, ObjectId};
use spillway_domain::operation::{Progress, Verb};
use spillway_domain::page::{Page, PageRequest};
use spillway_domain::resource::{Creation, Finder, Resource};
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;

use super::balance::movement_item;
use super::commit::{Commit, Committed};
use super::due::DUE;
use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::listing::{List, Rows};
use super::{Item, Store, StoreError, TableKey, WorkItem, attribute, keys, number, text, to_item};
use spillway_wire::view::Shown;

/// How a creation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// The new value was stored.
    New,
    /// This value existed before. It was not changed.
    Existing(T),
}

/// The refusal of a change: the resource has changed since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale;

/// The refusals of a resource's commit.
enum Refused<T: Resource> {
    Existing(T),
    Stale,
    Adjustment(T::Refusal),
}

/// The attribute with the state of the operation at the processor.
const PROGRESS: &str = "asking";
/// Attributes that change without a new version.
const UNVERSIONED: [&str; 4] = [PROGRESS, DUE[0], DUE[1], DUE[2]];

/// The resources that a list contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed<'a> {
    /// All resources of the tenant.
    All,
    /// The resources under a parent.
    Under(&'a ObjectId),
    /// The resources whose `reference` or `customer` has this value.
    FoundBy(Finder, &'a str),
}

impl Store {
    /// Stores a new resource with the consequences of its creation. If the same request was accepted before, returns
    /// the resource as it was accepted. This is one call, unless it is refused.
    pub async fn create<T: Resource + Shown>(&self, change: &Change<T>) -> Result<Creation<T>, StoreError> {
        let new = change.after.meta();
        let commit = Commit::new()
            .create(self.resource_item(&change.after)?, |store, found| store.read(found).map(Refused::Existing))?;
        Ok(match self.commit(self.with_consequences(commit, change)?).await? {
            Committed::Done => Creation::New,
            Committed::Refused(Refused::Adjustment(refused)) => Creation::Refused(refused),
            Committed::Refused(Refused::Stale) => Creation::KeyReused,
            Committed::Refused(Refused::Existing(first)) if first.meta().fingerprint == new.fingerprint => {
                // Our own earlier try may have stored the resource, and a consumer may have changed `writer` since. An
                // equal request id proves that it was our try.
                let by_itself = first.meta().request_id == new.request_id;
                Creation::Repeated { first: first.as_accepted(), by_itself }
            }
            Committed::Refused(Refused::Existing(_)) => Creation::KeyReused,
        })
    }

    /// A resource of this tenant, read strongly. None if it does not exist or belongs to another tenant.
    pub async fn resource<T: Resource>(&self, tenant: &Tenant, id: &Id<T::Kind>) -> Result<Option<T>, StoreError> {
        self.get(&keys::resource::<T>(tenant, id)).await
    }

    /// The time since which a payment or refund waits for the outcome of its operation at the processor. None if it
    /// does not wait, if it waits only for the last look-up after its failure, or if it can't be read (its consumer
    /// logs that).
    pub async fn waiting_since(&self, item: &WorkItem) -> Result<Option<Timestamp>, StoreError> {
        let stored = self.get_item(item.key()).await?.and_then(|mut item| item.remove(PROGRESS));
        let progress: Option<Progress> = stored.and_then(|stored| serde_dynamo::from_attribute_value(stored).ok());
        Ok(progress.filter(|progress| progress.verb != Verb::Undo).map(|progress| progress.since))
    }

    /// A page of a tenant's resources of one type over `shards` shards, filtered by `passes` (`everything`: all pass).
    /// An index lists the keys, so a resource that was accepted a moment ago may be missing. The resources themselves
    /// are read strongly. A resource that can't be read is left out.
    pub async fn resources<T: Resource>(
        &self, tenant: &Tenant, listed: &Listed<'_>, shards: u16, request: &PageRequest, everything: bool,
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
            // A sort key begins with the time.
            from: request.created_from.map(|time| time.to_string()),
            before: request.created_before.map(|time| time.to_string()),
        };
        self.page(list, request, everything, async |rows| self.behind(rows, &passes).await).await
    }

    /// Commits a resource's next state and due time with the consequences of the change. Condition: its version and
    /// status are as they were read. If the change keeps the version, the state of the operation must also be as it was
    /// read.
    pub async fn change<T: Resource + Shown>(&self, change: &Change<T>) -> Result<Committed<Stale>, StoreError> {
        let after = &change.after;
        let before = change.before.as_ref().unwrap_or(after);
        let key = keys::resource::<T>(&after.meta().owner, &after.meta().id);
        let mut when =
            vec![Test::is("version", number(before.meta().version)), Test::is("status", attribute(&before.status())?)];
        if before.meta().version == after.meta().version {
            when.push(match before.progress() {
                Some(progress) => Test::is(PROGRESS, attribute(progress)?),
                None => Test::Lacks(PROGRESS),
            });
        }
        let edit = Edit::between(&to_item(&key, before)?, &self.with_due_time(&key, after)?, &UNVERSIONED);
        let commit = Commit::new().edit(key, edit, when, |_, _| Ok(Refused::<T>::Stale));
        let commit = self.with_consequences(commit, change)?;
        let buckets = self.buckets(&after.meta().owner, &change.failed_payers).await?;
        let commit = self.with_failures(commit, buckets, after.meta().updated_at, || Refused::Stale)?;
        match self.commit(commit).await? {
            Committed::Done => Ok(Committed::Done),
            Committed::Refused(Refused::Stale | Refused::Existing(_)) => Ok(Committed::Refused(Stale)),
            Committed::Refused(Refused::Adjustment(_)) => {
                Err(StoreError::Corrupt(format!("{}: an item that it adjusts refuses the adjustment", after.meta().id)))
            }
        }
    }

    /// Adds the consequences of a change to the commit: adjustments, journal entries, movements and events.
    fn with_consequences<'a, T: Resource + Shown>(
        &self, mut commit: Commit<'a, Refused<T>>, change: &Change<T>,
    ) -> Result<Commit<'a, Refused<T>>, StoreError> {
        let owner = &change.after.meta().owner;
        for adjustment in &change.adjustments {
            commit = adjusted(commit, adjustment);
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

    /// The item of a new resource, with its keys in the indexes, and with a due time if it has an operation.
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

    /// The item of a resource. While it has an operation, it is due some time after the next call of the processor,
    /// because the message for that call usually comes earlier.
    fn with_due_time<T: Resource>(&self, key: &TableKey, resource: &T) -> Result<Item, StoreError> {
        let mut item = to_item(key, resource)?;
        if let Some(progress) = resource.progress() {
            item.extend(self.due(key, self.first_due(next_step_at(progress))?));
        }
        Ok(item)
    }
}

fn next_step_at(progress: &Progress) -> Timestamp {
    progress.next_at.unwrap_or(progress.since)
}

fn adjusted<'a, T: Resource>(
    commit: Commit<'a, Refused<T>>, adjustment: &Adjustment<T::Refusal>,
) -> Commit<'a, Refused<T>> {
    let Adjustment { name, owner, id, adds, needs, at, refused } = adjustment.clone();
    let key = keys::object(&owner, id.as_str(), name);
    let edit = Edit::new().set("updated_at", text(at.to_string())).add("version", 1);
    let edit = adds.into_iter().fold(edit, |edit, (amount, units)| edit.add(amount, units.units()));
    let least = |(amount, units): (&'static str, spillway_domain::money::Minor)| {
        Test::Compares(amount, Comparison::AtLeast, number(units.units()))
    };
    let when = [Test::Exists].into_iter().chain(needs.into_iter().map(least)).collect();
    commit.contended().edit(key, edit, when, move |_, found| match (found, refused) {
        (Some(_), Some(refused)) => Ok(Refused::Adjustment(refused)),
        _ => Err(StoreError::Corrupt(format!("{id} can't be adjusted"))),
    })
}
