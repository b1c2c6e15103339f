//! What a run has left, looked at by the oracle once everything has ended.

use std::sync::Arc;
use std::time::Duration;

use crate::load_merchant::{LoadMerchant, queues_empty};
use crate::oracle::{self, Evidence};
use crate::running::RunningStack;
use crate::violation::Violation;

/// How often the oracle looks. A look while a balance is being folded sees half of the fold; what is really broken
/// is there in each look.
const LOOKS: usize = 3;

/// What the oracle has seen and found.
pub struct Judged {
    /// Of each merchant.
    pub evidence: Vec<Evidence>,
    /// What the last look found.
    pub violations: Vec<Violation>,
}

/// Lets the oracle look at these merchants, each time when the queues are empty or `quiet` has passed. `alone` says
/// that nobody else uses the stack's processor. `tell` is called with how many payments and refunds were read in this look.
pub async fn judge(
    stack: &RunningStack, merchants: &[Arc<LoadMerchant>], quiet: Duration, alone: bool, mut tell: impl FnMut(usize),
) -> Judged {
    let mut judged = Judged { evidence: Vec::new(), violations: Vec::new() };
    for _ in 0..LOOKS {
        queues_empty(stack, quiet).await;
        let (table, mut read) = (stack.table(), 0);
        judged.evidence.clear();
        for merchant in merchants {
            let evidence = oracle::gather(merchant, &table, |of_merchant| tell(read + of_merchant)).await;
            read += evidence.shown.len();
            judged.evidence.push(evidence);
        }
        judged.violations = judged.evidence.iter().flat_map(Evidence::violations).collect();
        if alone {
            judged.violations.extend(oracle::strangers(&judged.evidence));
        }
        if judged.violations.is_empty() {
            break;
        }
    }
    judged
}
