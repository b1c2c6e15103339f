//! The result of a comparison, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use spillway_domain::id::{Kind as _, RefundKind};
use spillway_store::ItemKind;

use super::difference::Difference;
use super::judge::Decision;

/// All differences with the decisions about them.
#[derive(Debug)]
pub struct Report {
    pub(super) decided: Vec<(Difference, Decision)>,
    /// Tenants whose books would not agree after the decided writes, with the reason.
    disagreements: BTreeMap<String, String>,
    /// Ids of payments and refunds that the live table names and that neither table has, by tenant.
    pub(super) orphans: BTreeMap<String, BTreeSet<String>>,
    /// Whether the items were written.
    pub(super) is_written: bool,
    /// Whether items that moved on are listed too.
    lists_all: bool,
}

/// Numbers of decisions: moved on, to write back, refused.
type Counts = [usize; 3];

impl Report {
    pub(super) fn new(
        decided: Vec<(Difference, Decision)>, disagreements: BTreeMap<String, String>,
        orphans: BTreeMap<String, BTreeSet<String>>, lists_all: bool,
    ) -> Report {
        Report { decided, disagreements, orphans, is_written: false, lists_all }
    }

    /// Tenants with a payment or refund that stays missing.
    fn with_missing_money(&self) -> BTreeSet<String> {
        let stays_missing = |(difference, decision): &&(Difference, Decision)| {
            matches!(difference.kind, Some(ItemKind::Payment | ItemKind::Refund))
                && difference.live.is_none()
                && matches!(decision, Decision::Refused(_))
        };
        let refused = self.decided.iter().filter(stays_missing);
        let refused = refused.filter_map(|(difference, _)| Some(difference.key.tenant()?.to_string()));
        refused.chain(self.orphans.keys().cloned()).collect()
    }

    fn counts(&self) -> BTreeMap<&'static str, Counts> {
        let mut kinds: BTreeMap<&'static str, Counts> = BTreeMap::new();
        for (difference, decision) in &self.decided {
            let [moved_on, write_back, refused] =
                kinds.entry(difference.kind.map_or("unknown", |kind| kind.name())).or_default();
            *match decision {
                Decision::MovedOn(_) => moved_on,
                Decision::WriteBack | Decision::WriteMovementBack(_) => write_back,
                Decision::Refused(_) => refused,
            } += 1;
        }
        kinds
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.counts();
        if !kinds.is_empty() {
            writeln!(f, "{:<18}{:>10}{:>12}{:>9}", "kind", "moved on", "write back", "refused")?;
        }
        let mut all = Counts::default();
        for (kind, counts) in &kinds {
            writeln!(f, "{kind:<18}{:>10}{:>12}{:>9}", counts[0], counts[1], counts[2])?;
            all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        for (Difference { key, .. }, decision, what) in
            self.decided.iter().map(|(difference, decision)| (difference, decision, difference.what()))
        {
            let (word, why) = match decision {
                Decision::MovedOn(_) if !self.lists_all => continue,
                Decision::MovedOn(why) => ("moved on", (*why).to_owned()),
                Decision::WriteBack | Decision::WriteMovementBack(_) => ("write back", String::new()),
                Decision::Refused(why) => ("refused", why.clone()),
            };
            let why = if why.is_empty() { why } else { format!(": {why}") };
            writeln!(f, "{word:<12}{} {}, {what}{why}", key.pk, key.sk)?;
        }
        for (tenant, why) in &self.disagreements {
            writeln!(f, "books       {tenant}: {why}")?;
        }
        for (tenant, ids) in &self.orphans {
            for id in ids {
                let kind = if id.starts_with(RefundKind::PREFIX) { ItemKind::Refund } else { ItemKind::Payment };
                writeln!(
                    f,
                    "orphan      {} {id} of {tenant} is in neither table, but other items name it",
                    kind.name()
                )?;
            }
        }
        for tenant in self.with_missing_money() {
            writeln!(
                f,
                "suspend     {tenant}: suspend this merchant until its missing payments and refunds are resolved, because a \
                 repeated request would make them anew and could charge or refund twice"
            )?;
        }
        let [moved_on, write_back, refused] = all;
        let verb = if self.is_written { "were written back" } else { "can be written back" };
        write!(f, "{write_back} items {verb}, {refused} refused, {moved_on} moved on; ")?;
        match self.disagreements.len() {
            0 => write!(f, "all books agree"),
            tenants => write!(f, "the books of {tenants} tenants do not agree"),
        }
    }
}
