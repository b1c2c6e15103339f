//! Compares a restored table with the live one, and writes damaged items back.
//!
//! 1. Every item of the restored table is compared with the item at the same key of the live table.
//! 2. [`difference`]: the item alone says whether the live one has only moved on.
//! 3. [`facts`] and [`books`]: the other items of the live table are read.
//! 4. [`judge`]: what may be written back, and why not.
//! 5. With `WRITE=1`, each item is written on condition that the live item is still as it was read.
//!
//! Nothing is ever deleted, and items that only the live table has are not touched.

mod books;
mod difference;
mod facts;
mod judge;
mod report;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;

use spillway_domain::id::MerchantId;
use spillway_domain::time::Timestamp;
use spillway_runtime::{Parts, SettingError, Start};
use spillway_store::{ItemKind, Store, StoreError, StoredItem, TableKey};

use crate::ToolError;
use crate::tool::{context, is_on, optional, required};
use books::Books;
use difference::{Difference, Verdict};
use facts::{Facts, Wanted};
use judge::{Decision, Evidence};
pub use report::Report;

/// DynamoDB's limit: keys of one BatchGetItem.
const BATCH: usize = 100;

/// Why the tables were not compared or not repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The tool can't start.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// `MERCHANT` is no merchant's id.
    #[error("MERCHANT must be a merchant's id, mer_…, and not {0:?}.")]
    Merchant(String),
    /// `WRITE` has a value that is neither yes nor no.
    #[error("WRITE must be 1 to write, or 0 or empty, and not {0:?}.")]
    Write(String),
    /// Both names are the same.
    #[error("FROM and TO are the same table.")]
    SameTable,
    /// A table can't be read or written. What was written before stays written.
    #[error("The table {table} can't be used: {error}.")]
    Store {
        /// The table's name.
        table: String,
        /// The reason.
        error: StoreError,
    },
    /// The live item has changed since it was read, so the rest was not written.
    #[error("{pk} {sk} has changed since it was read, and nothing was written from there on. Run the repair again.")]
    Changed {
        /// The item's partition key.
        pk: String,
        /// The item's sort key.
        sk: String,
    },
}

struct Tool {
    store: Store,
}

impl Parts for Tool {
    fn new(start: &Start<'_>) -> Result<Tool, SettingError> {
        Ok(Tool { store: Store::new(start)? })
    }
}

/// The items that are compared.
struct Scope {
    merchant: Option<MerchantId>,
    id: Option<String>,
    now: Timestamp,
}

impl Scope {
    fn has(&self, item: &StoredItem) -> bool {
        self.merchant.is_none() || item.merchant() == self.merchant
    }
}

/// Whether the value of `WRITE` asks to write. Errors if it is neither yes nor no.
fn asks_to_write(value: Option<String>) -> Result<bool, RepairError> {
    match value.as_deref() {
        None | Some("" | "0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(RepairError::Write(other.to_owned())),
    }
}

/// Compares the tables `FROM` (restored) and `TO` (live), of one `MERCHANT` or about one `ID` if these are set. With
/// `WRITE=1`, writes back what may be written back.
pub async fn run() -> Result<Report, RepairError> {
    let writes = asks_to_write(optional("WRITE"))?;
    let (from, to) = (required("FROM")?, required("TO")?);
    if from == to {
        return Err(RepairError::SameTable);
    }
    let merchant = optional("MERCHANT").map(|text| MerchantId::parse(&text).map_err(|_| RepairError::Merchant(text)));
    let context = context::<Tool>(&to).await?;
    let scope = Scope { merchant: merchant.transpose()?, id: optional("ID"), now: context.now() };
    let (restored, live) = (context.store.with_table(&from), &context.store);
    let mut report = examine(&restored, live, &scope, is_on("ALL")).await?;
    if writes {
        write_back(live, &mut report).await?;
    }
    Ok(report)
}

/// Compares the tables and decides about each difference. Writes nothing.
async fn examine(restored: &Store, live: &Store, scope: &Scope, lists_all: bool) -> Result<Report, RepairError> {
    let (judged, balances) = compare(restored, live, scope).await?;
    let evidence = gather(restored, live, scope, &judged, balances).await?;
    let (decisions, disagreements) = evidence.decide(&judged);
    let decided = judged.into_iter().map(|(difference, _)| difference).zip(decisions);
    Ok(Report::new(decided.collect(), disagreements, evidence.orphans, lists_all))
}

fn at(table: &Store) -> impl Fn(StoreError) -> RepairError + '_ {
    |error| RepairError::Store { table: table.table().to_owned(), error }
}

/// Calls `each` with every page of a table's items in the scope.
async fn pages(
    table: &Store, scope: &Scope, mut each: impl AsyncFnMut(Vec<StoredItem>) -> Result<(), RepairError>,
) -> Result<(), RepairError> {
    let mut after = None;
    loop {
        let (items, next) = table.scan(after.as_ref()).await.map_err(at(table))?;
        each(items.into_iter().filter(|item| scope.has(item)).collect()).await?;
        match next {
            Some(key) => after = Some(key),
            None => return Ok(()),
        }
    }
}

/// The items that differ, and the balances of the restored table.
async fn compare(
    restored: &Store, live: &Store, scope: &Scope,
) -> Result<(Vec<(Difference, Verdict)>, Books), RepairError> {
    let (mut judged, mut balances) = (Vec::new(), Books::default());
    pages(restored, scope, async |items| {
        for batch in items.chunks(BATCH) {
            let keyed: Vec<(TableKey, &StoredItem)> =
                batch.iter().filter_map(|item| Some((item.key()?, item))).collect();
            let keys: Vec<TableKey> = keyed.iter().map(|(key, _)| key.clone()).collect();
            let found = live.stored_items(&keys).await.map_err(at(live))?;
            for ((key, item), live) in keyed.into_iter().zip(found) {
                let kind = ItemKind::of(&key);
                if kind == Some(ItemKind::Balance) {
                    balances.add(&key, ItemKind::Balance, item);
                }
                if live.as_ref().is_some_and(|live| item.differing(live).is_empty()) {
                    continue;
                }
                let difference = Difference { key, kind, restored: item.clone(), live };
                if scope.id.as_ref().is_none_or(|id| difference.is_about(id)) {
                    let verdict = difference.verdict(scope.now);
                    judged.push((difference, verdict));
                }
            }
        }
        Ok(())
    })
    .await?;
    judged.sort_by(|(one, _), (other, _)| (one.kind, &one.key).cmp(&(other.kind, &other.key)));
    Ok((judged, balances))
}

/// Reads what the live table says about the damaged items.
async fn gather(
    restored: &Store, live: &Store, scope: &Scope, judged: &[(Difference, Verdict)], balances: Books,
) -> Result<Evidence, RepairError> {
    let damaged = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Damaged).map(|(difference, _)| difference);
    let wanted = Wanted::of(damaged);
    let mut facts = Facts::default();
    pages(live, scope, async |items| {
        items.iter().filter(|item| !item.has_expired(scope.now)).for_each(|item| facts.add(&wanted, item));
        Ok(())
    })
    .await?;
    let mut evidence = Evidence { restored: balances, ..Evidence::default() };
    for (id, references) in &facts.references {
        let references: Vec<TableKey> = references.iter().filter(|key| !wanted.keys.contains(key)).cloned().collect();
        let then = restored.stored_items(&references).await.map_err(at(restored))?;
        let now = live.stored_items(&references).await.map_err(at(live))?;
        for ((key, then), now) in references.iter().zip(then).zip(now) {
            let (Some(now), Some(kind)) = (now, ItemKind::of(key)) else { continue };
            if then.is_none_or(|then| !then.differing_in_version(&now, kind).is_empty()) {
                evidence.later.insert(id.clone(), format!("{} {} {}", kind.name(), key.pk, key.sk));
            }
        }
    }
    for batch in facts.without_object().chunks(BATCH) {
        // The object may have been written while the live table was scanned.
        let then = restored.stored_items(batch).await.map_err(at(restored))?;
        let now = live.stored_items(batch).await.map_err(at(live))?;
        let missing = batch.iter().zip(then.iter().zip(&now)).filter(|(_, found)| *found == (&None, &None));
        missing.for_each(|(key, _)| evidence.add_orphan(key));
    }
    evidence.facts = facts;
    Ok(evidence)
}

/// Writes what was decided, in the order of the kinds. Errors at the first item that has changed since it was read.
async fn write_back(live: &Store, report: &mut Report) -> Result<(), RepairError> {
    for (difference, decision) in &report.decided {
        let found = difference.live.as_ref();
        let written = match decision {
            Decision::WriteBack => live.write_back(&difference.restored, found).await,
            Decision::WriteMovementBack(seq) => live.write_movement_back(&difference.restored, found, *seq).await,
            Decision::MovedOn(_) | Decision::Refused(_) => continue,
        };
        if !written.map_err(at(live))? {
            let TableKey { pk, sk } = difference.key.clone();
            return Err(RepairError::Changed { pk, sk });
        }
    }
    report.is_written = true;
    Ok(())
}
