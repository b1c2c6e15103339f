//! The books of each balance: the journal's entries on one side, the parts of the balance with their movements on the
//! other. Both sides are equal at any time, because one commit writes an entry and its movement.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use spillway_domain::balance::{Balance, part_of};
use spillway_domain::currency::Currency;
use spillway_domain::ledger::{JournalEntry, MovementKey};
use spillway_store::{ItemKind, StoredItem, TableKey};

/// A tenant, a currency's code, and the number of a part of its balance.
pub type PartKey = (String, String, u16);

/// The books of one part. Sums are wide enough for any number of amounts.
#[derive(Debug, Clone)]
pub struct Part {
    /// Minor units by which all entries change the balance.
    journal: i128,
    /// The balance as stored.
    pub balance: Balance,
    movements: HashMap<MovementKey, i128>,
}

impl Part {
    /// Minor units that the journal has more than this part with its movements. `folded` names the movements that the
    /// parts contain.
    fn missing(&self, folded: &BTreeSet<&MovementKey>) -> i128 {
        let amount = |minor: spillway_domain::money::Minor| i128::from(minor.units());
        let pending: i128 = self.balance.pending.values().map(|minor| amount(*minor)).sum();
        let unfolded: i128 =
            self.movements.iter().filter(|(key, _)| !folded.contains(key)).map(|(_, amount)| amount).sum();
        self.journal - amount(self.balance.available) - pending - unfolded
    }
}

/// The books of all parts.
#[derive(Debug, Clone, Default)]
pub struct Books {
    parts: BTreeMap<PartKey, Part>,
    /// Tenants with an item of the books that can't be read.
    unreadable: BTreeSet<String>,
}

impl Books {
    /// Adds an item. Items of other kinds are ignored. An item at the same key must not be added twice.
    pub fn add(&mut self, key: &TableKey, kind: ItemKind, item: &StoredItem) {
        let is_read = match kind {
            ItemKind::JournalEntry => self.add_entry(key, item),
            ItemKind::Balance => self.add_balance(key, item),
            ItemKind::Movement => self.add_movement(key, item),
            _ => Some(()),
        };
        if is_read.is_none() {
            self.unreadable.extend(key.tenant().map(|tenant| tenant.to_string()));
        }
    }

    fn add_entry(&mut self, key: &TableKey, item: &StoredItem) -> Option<()> {
        let entry: JournalEntry = item.value()?;
        let part = self.part(key, entry.currency, part_of(entry.id.shard()))?;
        part.journal += i128::from(entry.net().ok()?.units());
        Some(())
    }

    fn add_balance(&mut self, key: &TableKey, item: &StoredItem) -> Option<()> {
        let balance = item.value()?;
        self.part(key, Currency::parse(&key.sk).ok()?, key.shard())?.balance = balance;
        Some(())
    }

    fn add_movement(&mut self, key: &TableKey, item: &StoredItem) -> Option<()> {
        let movement = key.movement()?;
        let amount = item.number("amount")?;
        self.part(key, movement.currency, part_of(key.shard()))?.movements.insert(movement, i128::from(amount));
        Some(())
    }

    fn part(&mut self, key: &TableKey, currency: Currency, part: u16) -> Option<&mut Part> {
        let key = (key.tenant()?.to_string(), currency.code().to_owned(), part);
        let empty = Part { journal: 0, balance: Balance::EMPTY, movements: HashMap::new() };
        Some(self.parts.entry(key).or_insert(empty))
    }

    /// The balance of a part as it was added. The empty balance if none was.
    pub fn balance(&self, part: &PartKey) -> Balance {
        self.parts.get(part).map_or(Balance::EMPTY, |part| part.balance.clone())
    }

    /// Why the books of a tenant do not agree. None if they agree.
    fn disagreement(&self, tenant: &str) -> Option<String> {
        let unreadable = || self.unreadable.contains(tenant).then(|| "an item of its books can't be read".to_owned());
        let parts = || self.parts.iter().filter(|((owner, ..), _)| owner == tenant);
        let folded: BTreeSet<&MovementKey> = parts().flat_map(|(_, part)| &part.balance.folding).collect();
        // Release 0.1.0 folded all shards into the first part, so only the sum of all parts equals the journal.
        let mut missing: BTreeMap<&str, i128> = BTreeMap::new();
        for ((_, currency, _), part) in parts() {
            *missing.entry(currency).or_default() += part.missing(&folded);
        }
        let mut differs = missing.into_iter().filter(|(_, missing)| *missing != 0).map(|(currency, missing)| {
            format!("the journal has {missing} more {currency} than the balance with its movements")
        });
        differs.next().or_else(unreadable)
    }

    /// All tenants, with the disagreement of each whose books do not agree.
    pub fn disagreements(&self) -> BTreeMap<String, String> {
        let tenants: BTreeSet<&String> = self.parts.keys().map(|(tenant, ..)| tenant).chain(&self.unreadable).collect();
        let named = |tenant: &String| Some((tenant.clone(), self.disagreement(tenant)?));
        tenants.into_iter().filter_map(named).collect()
    }
}

/// The part of a balance that a balance's or movement's key belongs to. None for other kinds.
pub fn part_key(key: &TableKey) -> Option<PartKey> {
    let tenant = key.tenant()?.to_string();
    match key.movement() {
        Some(movement) => Some((tenant, movement.currency.code().to_owned(), part_of(key.shard()))),
        None => Some((tenant, Currency::parse(&key.sk).ok()?.code().to_owned(), key.shard())),
    }
}
