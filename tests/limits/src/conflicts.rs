//! Conflicts between writes of one item at the same time. A transaction is canceled, a plain write beside a transaction is
//! refused, and plain writes wait for each other.

use std::collections::HashMap;
use std::task::{Poll, Waker};

use std::sync::{Arc, Mutex};

use crate::call::{Answer, Call};

/// The holder of an item.
#[derive(Clone, PartialEq)]
enum Holder {
    PlainWrite,
    /// A transaction with its `ClientRequestToken`.
    Transaction(String),
}

/// Items that are being written.
#[derive(Clone, Default)]
pub struct Conflicts(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    held: HashMap<String, Holder>,
    waiting: Vec<Waker>,
}

/// Items held for one call. Dropping it releases them.
pub struct Claim {
    conflicts: Conflicts,
    items: Vec<String>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.conflicts.0.lock().unwrap();
        self.items.iter().for_each(|item| drop(state.held.remove(item)));
        state.waiting.drain(..).for_each(Waker::wake);
    }
}

impl Conflicts {
    /// Holds the items of a write. Errors with DynamoDB's answer to a conflict.
    pub async fn claim(&self, call: &Call, items: &[String]) -> Result<Claim, Answer> {
        std::future::poll_fn(|context| match self.attempt(call, items) {
            Some(attempt) => Poll::Ready(attempt),
            None => {
                self.0.lock().unwrap().waiting.push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// None if the call must wait.
    fn attempt(&self, call: &Call, items: &[String]) -> Option<Result<Claim, Answer>> {
        let token = call.body["ClientRequestToken"].as_str().unwrap_or_default().to_owned();
        let mut state = self.0.lock().unwrap();
        let holders: Vec<Option<&Holder>> = items.iter().map(|item| state.held.get(item)).collect();
        let is_held = holders.iter().any(Option::is_some);
        let is_transaction = |holder: &&Holder| matches!(holder, Holder::Transaction(_));
        let by_transaction = holders.iter().flatten().any(is_transaction);
        let itself = Holder::Transaction(token);
        if is_held && call.is_transaction() {
            if holders.contains(&Some(&itself)) {
                return Some(Err(Answer::error("TransactionInProgressException", "the same request is in progress")));
            }
            let reasons: Vec<_> = holders.iter().map(|holder| holder.map(|_| "TransactionConflict")).collect();
            return Some(Err(Answer::canceled(&reasons)));
        }
        if by_transaction && call.operation != "BatchWriteItem" {
            return Some(Err(Answer::error("TransactionConflictException", "Transaction is ongoing for the item")));
        }
        if is_held {
            return None;
        }
        let holder = if call.is_transaction() { itself } else { Holder::PlainWrite };
        state.held.extend(items.iter().map(|item| (item.clone(), holder.clone())));
        Some(Ok(Claim { conflicts: self.clone(), items: items.to_vec() }))
    }
}
