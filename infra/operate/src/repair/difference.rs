//! One item that differs between the two tables, and what its own attributes say about it.

use spillway_domain::time::Timestamp;
use spillway_store::{ItemKind, StoredItem, TableKey};

/// An item of the restored table that is missing or different in the live one.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The item's key.
    pub key: TableKey,
    /// The item's kind. None if this version knows no such item.
    pub kind: Option<ItemKind>,
    /// The item in the restored table.
    pub restored: StoredItem,
    /// The item in the live table. None if it is missing.
    pub live: Option<StoredItem>,
}

/// What a difference means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The live item is newer, or gone as it should be. Nothing is wrong.
    MovedOn(&'static str),
    /// The live item is damaged: it may be written back if no other item speaks against it.
    Damaged,
    /// The live item may be damaged, and the tool must not decide. The reason is a phrase.
    Refused(String),
}

impl Difference {
    /// How the live item differs, for people.
    pub fn what(&self) -> String {
        match &self.live {
            None => "missing".to_owned(),
            Some(live) => format!("differs in {}", self.restored.differing(live).join(", ")),
        }
    }

    /// Whether the item is the one with this id, or is about it.
    pub fn is_about(&self, id: &str) -> bool {
        let named = |name| self.restored.text(name) == Some(id);
        self.key.pk.contains(id) || self.key.sk.contains(id) || named("source") || named("payment")
    }

    /// The verdict by the item alone. `Damaged` is only a candidate: the other items of the table are judged next.
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        let Some(kind) = self.kind else {
            return Verdict::Refused("this version knows no item with such a key".to_owned());
        };
        if self.restored.has_expired(now) {
            return Verdict::MovedOn("it has expired");
        }
        let Some(live) = &self.live else { return Verdict::Damaged };
        let same_version = self.restored.differing_in_version(live, kind).is_empty();
        match kind {
            ItemKind::Merchant | ItemKind::Payment | ItemKind::Refund | ItemKind::WebhookEndpoint => {
                self.by_version(live, same_version)
            }
            ItemKind::Balance => self.by_number("seq", live, "it was folded since", same_version),
            ItemKind::Delivery => self.by_number("attempts", live, "it was attempted since", true),
            ItemKind::ApiKey | ItemKind::IssuedKey => self.by_revocation(live),
            ItemKind::EndpointCount => Verdict::Damaged,
            ItemKind::SandboxCall => Verdict::MovedOn("the sandbox was called since"),
            ItemKind::FailedPayments => Verdict::MovedOn("payments failed since"),
            ItemKind::Event | ItemKind::OperatorAction | ItemKind::JournalEntry | ItemKind::Tombstone => {
                if same_version { Verdict::MovedOn("its due time moved") } else { Verdict::Damaged }
            }
            ItemKind::Movement => Verdict::Damaged,
        }
    }

    /// An item whose `version` rises with each change of what it says.
    fn by_version(&self, live: &StoredItem, same_version: bool) -> Verdict {
        let (Some(before), Some(now)) = (self.restored.number("version"), live.number("version")) else {
            return Verdict::Damaged;
        };
        let constants = self.restored.differing_constants(live);
        match now.cmp(&before) {
            std::cmp::Ordering::Greater if constants.is_empty() => Verdict::MovedOn("it has a later version"),
            std::cmp::Ordering::Greater => Verdict::Refused(format!(
                "it has a later version, but {} must never change: correct these attributes by hand",
                constants.join(", ")
            )),
            std::cmp::Ordering::Equal if same_version => Verdict::MovedOn("only its progress moved"),
            _ => Verdict::Damaged,
        }
    }

    /// An item with a number that only rises.
    fn by_number(&self, name: &str, live: &StoredItem, moved_on: &'static str, same_version: bool) -> Verdict {
        match (self.restored.number(name), live.number(name)) {
            (Some(before), Some(now)) if now > before => Verdict::MovedOn(moved_on),
            (Some(before), Some(now)) if now == before && same_version => Verdict::MovedOn("only its due time moved"),
            _ => Verdict::Damaged,
        }
    }

    /// An API key. A revocation is never taken back.
    fn by_revocation(&self, live: &StoredItem) -> Verdict {
        let differing = self.restored.differing(live);
        let by_revocation = |name: &String| ["revocation", "revoked_by"].contains(&name.as_str());
        match live.has("revocation") {
            true if differing.iter().all(by_revocation) => Verdict::MovedOn("the key was revoked since"),
            true => Verdict::Refused("the key is revoked: issue a new key".to_owned()),
            false => Verdict::Damaged,
        }
    }
}
