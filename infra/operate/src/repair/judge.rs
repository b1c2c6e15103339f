//! Decides which damaged items may be written back. The journal decides about money: payments, refunds, balances and
//! movements of a tenant are written back only if its books agree afterwards. docs/deploy.md has the rules for people.

use std::collections::{BTreeMap, BTreeSet};

use spillway_domain::balance::Balance;
use spillway_domain::ledger::JournalEntry;
use spillway_domain::merchant::Merchant;
use spillway_domain::payment::Payment;
use spillway_domain::refund::Refund;
use spillway_store::{ItemKind, TableKey};

use super::books::{Books, part_key};
use super::difference::{Difference, Verdict};
use super::facts::{Facts, object_id, twin};

/// Whether the restored balance can be read.
fn is_readable(balance: &Difference) -> bool {
    balance.restored.value::<Balance>().is_some()
}

/// What the tool does with a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: the live item is newer, or gone as it should be.
    MovedOn(&'static str),
    /// Writes the restored item, if the live one has not changed since it was read.
    WriteBack,
    /// The same for a movement, if its part of the balance was folded exactly so many times.
    WriteMovementBack(u64),
    /// Nothing: a person must decide. The reason is a phrase.
    Refused(String),
}

/// All that the decisions are made of.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Facts about the damaged items, from the live table.
    pub facts: Facts,
    /// The balances of the restored table.
    pub restored: Books,
    /// The later changes of a damaged payment, refund or merchant that the live table has, by its id.
    pub later: BTreeMap<String, String>,
    /// Ids of payments and refunds that the live table names and that neither table has, by tenant.
    pub orphans: BTreeMap<String, BTreeSet<String>>,
}

/// The books as they would be after the repair, and how often the parts of the provably unfolded movements were folded.
struct After {
    books: Books,
    unfolded: BTreeMap<TableKey, u64>,
    disagreements: BTreeMap<String, String>,
}

impl Evidence {
    /// Decides about each difference. Also returns the tenants whose books would not agree after these decisions.
    pub fn decide(&self, judged: &[(Difference, Verdict)]) -> (Vec<Decision>, BTreeMap<String, String>) {
        let damaged = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Damaged);
        let damaged: Vec<&Difference> = damaged.map(|(difference, _)| difference).collect();
        let after = self.after(&damaged);
        let decide = |(difference, verdict): &(Difference, Verdict)| match (verdict, difference.kind) {
            (Verdict::MovedOn(why), _) => Decision::MovedOn(why),
            (Verdict::Refused(why), _) => Decision::Refused(why.clone()),
            (Verdict::Damaged, None) => Decision::Refused("this version knows no item with such a key".to_owned()),
            (Verdict::Damaged, Some(kind)) => self.about(difference, kind, &after),
        };
        (judged.iter().map(decide).collect(), after.disagreements)
    }

    /// Adds a payment or refund that the live table names and that neither table has.
    pub fn add_orphan(&mut self, key: &TableKey) {
        let Some(tenant) = key.tenant() else { return };
        let id = key.pk.rsplit('#').next().unwrap_or_default().to_owned();
        self.orphans.entry(tenant.to_string()).or_default().insert(id);
    }

    fn after(&self, damaged: &[&Difference]) -> After {
        let mut books = self.facts.books.clone();
        let of = |kind| damaged.iter().filter(move |difference| difference.kind == Some(kind));
        for difference in of(ItemKind::JournalEntry) {
            books.add(&difference.key, ItemKind::JournalEntry, &difference.restored);
        }
        // A balance that exists is never replaced.
        for difference in
            of(ItemKind::Balance).filter(|difference| difference.live.is_some() || is_readable(difference))
        {
            let after = difference.live.as_ref().unwrap_or(&difference.restored);
            books.add(&difference.key, ItemKind::Balance, after);
        }
        let mut unfolded = BTreeMap::new();
        for difference in of(ItemKind::Movement) {
            if let Some(seq) = self.unfolded(difference, &books) {
                unfolded.insert(difference.key.clone(), seq);
            }
        }
        for difference in of(ItemKind::Movement).filter(|difference| unfolded.contains_key(&difference.key)) {
            books.add(&difference.key, ItemKind::Movement, &difference.restored);
        }
        let disagreements = books.disagreements();
        After { books, unfolded, disagreements }
    }

    /// How often the part of a damaged movement was folded, if that proves that no fold has added the movement. A fold
    /// names what it adds in `folding` until the next one. So a movement that is not named was not added by the last
    /// fold, and if there was at most one fold since the restored balance, it was added by none. A movement that still
    /// exists was not added by an earlier fold either: the list keeps a movement until its item is deleted.
    fn unfolded(&self, difference: &Difference, books: &Books) -> Option<u64> {
        let (part, movement) = (part_key(&difference.key)?, difference.key.movement()?);
        let (then, now) = (self.restored.balance(&part), books.balance(&part));
        let folded_at_most_once = now.seq <= then.seq + 1 && !then.folding.contains(&movement);
        let not_by_earlier_folds = difference.live.is_some() || folded_at_most_once;
        (not_by_earlier_folds && !now.folding.contains(&movement)).then_some(now.seq)
    }

    fn about(&self, difference: &Difference, kind: ItemKind, after: &After) -> Decision {
        let tenant = difference.key.tenant().map(|tenant| tenant.to_string()).unwrap_or_default();
        let disagreement = after.disagreements.get(&tenant);
        let orphan = self.orphans.get(&tenant).and_then(BTreeSet::first);
        let money = |agreed| match (disagreement, orphan) {
            (None, None) => agreed,
            (Some(why), _) => Decision::Refused(format!("the books of {tenant} do not agree: {why}")),
            // It may have changed this item, and only it would show that.
            (None, Some(id)) => Decision::Refused(format!("{id} of {tenant} is in neither table")),
        };
        let refused = |why: &str| Decision::Refused(why.to_owned());
        let restored = &difference.restored;
        match kind {
            ItemKind::JournalEntry if restored.value::<JournalEntry>().is_none() => {
                refused("the restored entry can't be read")
            }
            ItemKind::Payment if restored.value::<Payment>().is_none() => refused("the restored payment can't be read"),
            ItemKind::Refund if restored.value::<Refund>().is_none() => refused("the restored refund can't be read"),
            ItemKind::Payment | ItemKind::Refund => match self.later_change(difference) {
                Some(why) => Decision::Refused(why),
                None => money(Decision::WriteBack),
            },
            ItemKind::JournalEntry => money(Decision::WriteBack),
            // A fold may be under way that has read the live balance, and would write its own `pending` and `folding`.
            ItemKind::Balance if difference.live.is_some() => {
                refused("it exists, and a fold may be using it: correct it by hand, without folds")
            }
            ItemKind::Balance if !is_readable(difference) => refused("the restored balance can't be read"),
            ItemKind::Balance => money(Decision::WriteBack),
            ItemKind::Movement => match after.unfolded.get(&difference.key) {
                Some(seq) => money(Decision::WriteMovementBack(*seq)),
                None if self.is_in_the_balance(difference, &after.books) => Decision::MovedOn("it is in the balance"),
                None => money(Decision::MovedOn("it is in the balance, by the journal")),
            },
            ItemKind::Merchant => self.about_merchant(difference),
            ItemKind::ApiKey | ItemKind::IssuedKey => self.about_key(difference),
            ItemKind::WebhookEndpoint
                if self.has_webhook(&difference.key.pk, &format!("gone#{}", difference.key.sk)) =>
            {
                Decision::MovedOn("its merchant deleted it since")
            }
            // Its merchant may have deleted it (a tombstone expires), or changed its address, secrets or status.
            ItemKind::WebhookEndpoint => refused("its merchant creates or changes it again"),
            ItemKind::Tombstone
                if self.has_webhook(&difference.key.pk, difference.key.sk.trim_start_matches("gone#")) =>
            {
                Decision::MovedOn("the endpoint exists again")
            }
            ItemKind::EndpointCount => self.about_count(difference),
            ItemKind::OperatorAction
            | ItemKind::Event
            | ItemKind::Delivery
            | ItemKind::Tombstone
            | ItemKind::FailedPayments
            | ItemKind::SandboxCall => Decision::WriteBack,
        }
    }

    /// Whether `folding` names the movement, in the restored balance or now.
    fn is_in_the_balance(&self, difference: &Difference, books: &Books) -> bool {
        let folded = |(part, movement)| {
            self.restored.balance(&part).folding.contains(&movement) || books.balance(&part).folding.contains(&movement)
        };
        part_key(&difference.key).zip(difference.key.movement()).is_some_and(folded)
    }

    /// Why a payment, refund or merchant must not go back to its restored state. None if nothing speaks against it.
    fn later_change(&self, difference: &Difference) -> Option<String> {
        // The first of two look-ups that must both find nothing. A call may have come after it.
        if difference.restored.has("asking.absent_since") {
            return Some("its outcome was being looked up, so the restored state may be too old".to_owned());
        }
        let later = self.later.get(&object_id(difference)?)?;
        Some(format!("it has changed since: {later}"))
    }

    fn about_merchant(&self, difference: &Difference) -> Decision {
        let Some(merchant) = difference.restored.value::<Merchant>() else {
            return Decision::Refused("the restored merchant can't be read".to_owned());
        };
        if let Some(why) = self.later_change(difference) {
            return Decision::Refused(why);
        }
        let used = self.facts.shards.get(merchant.id.as_str()).copied().unwrap_or_default();
        match merchant.shards.largest() {
            largest if largest < used => Decision::Refused(format!(
                "its data uses {used} shards and the restored merchant has {largest}: with too few, balances would be wrong"
            )),
            _ => Decision::WriteBack,
        }
    }

    /// An API key is stored twice. The other item proves that it was not revoked since.
    fn about_key(&self, difference: &Difference) -> Decision {
        let other = twin(difference).and_then(|key| self.facts.twins.get(&key));
        let same = |other: &&spillway_store::StoredItem| {
            !difference.restored.differing(other).contains(&"revocation".to_owned())
        };
        match other.filter(same) {
            Some(_) => Decision::WriteBack,
            None => Decision::Refused("it may have been revoked since: issue a new key".to_owned()),
        }
    }

    fn has_webhook(&self, pk: &str, sk: &str) -> bool {
        self.facts.webhooks.contains(&TableKey { pk: pk.to_owned(), sk: sk.to_owned() })
    }

    /// The count is right if it equals the number of live endpoints.
    fn about_count(&self, difference: &Difference) -> Decision {
        let pk = &difference.key.pk;
        let (enabled, all) = self.facts.endpoints.get(pk).copied().unwrap_or_default();
        let counts = |item: &spillway_store::StoredItem| {
            (item.number("enabled").unwrap_or_default(), item.number("endpoints").unwrap_or_default()) == (enabled, all)
        };
        if difference.live.as_ref().is_some_and(counts) {
            Decision::MovedOn("it counts the live endpoints")
        } else if counts(&difference.restored) {
            Decision::WriteBack
        } else {
            Decision::Refused(format!("there are {all} endpoints, {enabled} of them enabled: set the count by hand"))
        }
    }
}
