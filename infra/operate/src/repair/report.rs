//! The result of a comparison, for people.

use std::collections::BTreeMap;
use std::fmt;

use super::difference::Difference;
use super::judge::Decision;

/// All differences with the decisions about them.
#[derive(Debug)]
pub struct Report {
    pub(super) decided: Vec<(Difference, Decision)>,
    /// Tenants whose books would not agree after the decided writes, with the reason.
    disagreements: BTreeMap<String, String>,
    /// Whether the items were written.
    pub(super) is_written: bool,
    /// Whether items that moved on are listed too.
    lists_all: bool,
}

/// Numbers of decisions: moved on, to write back, refused.
type Counts = [usize; 3];

impl Report {
    pub(super) fn new(
        decided: Vec<(Difference, Decision)>, disagreements: BTreeMap<String, String>, lists_all: bool,
    ) -> Report {
        Report { decided, disagreements, is_written: false, lists_all }
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
        let [moved_on, write_back, refused] = all;
        let verb = if self.is_written { "were written back" } else { "can be written back" };
        write!(f, "{write_back} items {verb}, {refused} refused, {moved_on} moved on; ")?;
        match self.disagreements.len() {
            0 => write!(f, "all books agree"),
            tenants => write!(f, "the books of {tenants} tenants do not agree"),
        }
    }
}
