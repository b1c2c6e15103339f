//! Judging a finished run with the oracle.

use std::sync::Arc;
use std::time::Duration;

use crate::evidence::{self, Evidence};
use crate::load_merchant::{LoadMerchant, queues_empty};
use crate::running::RunningStack;
use crate::violation::Violation;

/// Number of oracle runs. One that reads during a fold sees half of it; real violations are in each.
const LOOKS: usize = 3;

/// Evidence and violations.
pub struct Judged {
    /// Evidence of each merchant.
    pub evidence: Vec<Evidence>,
    /// Violations of the last oracle run.
    pub violations: Vec<Violation>,
}

/// Runs the oracle on these merchants, each time after the queues are empty or `quiet` has passed. `alone` means that
/// nobody else uses the stack's processor. `on_progress` is called with the number of payments and refunds read so far.
pub async fn judge(
    stack: &RunningStack, merchants: &[Arc<LoadMerchant>], quiet: Duration, alone: bool,
    mut on_progress: impl FnMut(usize),
) -> Judged {
    let mut judged = Judged { evidence: Vec::new(), violations: Vec::new() };
    for _ in 0..LOOKS {
        queues_empty(stack, quiet).await;
        let (table, mut read) = (stack.table(), 0);
        judged.evidence.clear();
        for merchant in merchants {
            let evidence = evidence::gather(merchant, &table, |of_merchant| on_progress(read + of_merchant)).await;
            read += evidence.shown.len();
            judged.evidence.push(evidence);
        }
        judged.violations = judged.evidence.iter().flat_map(Evidence::violations).collect();
        if alone {
            judged.violations.extend(evidence::strangers(&judged.evidence));
        }
        if judged.violations.is_empty() {
            break;
        }
    }
    judged
}
