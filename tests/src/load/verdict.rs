//! The verdict of a run in words.

use crate::tool::count;
use crate::violation::{Kind, Violation};

/// Most violations that are shown.
const SHOWN_MAX: usize = 10;

/// A sentence if no promise was broken; else their number and the first of them, one a line.
pub fn verdict(violations: &[Violation]) -> String {
    if violations.is_empty() {
        return "Nothing was lost, doubled or unbalanced: every payment, webhook and account is right.".to_owned();
    }
    let of_kind = |kind: Kind| violations.iter().filter(|violation| violation.kind == kind).count();
    let kinds = Kind::ALL.into_iter().filter(|kind| of_kind(*kind) > 0);
    let kinds: Vec<String> = kinds.map(|kind| format!("{} {}", count(of_kind(kind)), kind.name())).collect();
    let promises = if violations.len() == 1 { "promise was" } else { "promises were" };
    let mut lines = vec![format!("{} {promises} broken: {}.", count(violations.len()), kinds.join(", "))];
    let shown = violations.iter().take(SHOWN_MAX);
    lines.extend(shown.map(|violation| format!("  {:<11} {}", violation.kind.name(), violation.what)));
    let more = violations.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        lines.push(format!("  and {} more; JSON=1 shows all of them.", count(more)));
    }
    lines.join("\n")
}
