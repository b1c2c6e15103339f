//! Conflicts between writes of one item at the same time. A transaction is canceled, a plain write beside a transaction is
//! refused, and plain writes wait for each other.
//!
//! Source of the rules: DynamoDB Developer Guide, "Transaction conflict handling in DynamoDB" and "Isolation levels"
//! (transaction-apis.html). There a plain write, a transaction and a transactional read conflict with a transaction
//! that is under way, a transactional read with a plain write too. The guide leaves open a transaction that meets a
//! plain write. It conflicts here: DynamoDB refuses to prepare a transaction that is older than the item's last write
//! (Idziorek and others, "Distributed Transactions at Scale in Amazon DynamoDB", USENIX ATC 2023, section 4).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use crate::call::{Answer, Call, list};

/// The holder of an item.
#[derive(Clone, PartialEq)]
enum Holder {
    PlainWrite,
    /// A transaction with its `ClientRequestToken`.
    Transaction(String),
}

/// What a call does with its items.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    /// PutItem, UpdateItem, DeleteItem.
    PlainWrite,
    /// BatchWriteItem, which DynamoDB never cancels as a whole: it waits for its items.
    BatchWrite,
    Transaction,
    TransactionalRead,
}

/// Items that are being written. Clones share them.
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
    /// Holds the items that a call writes, whose keys are these two attributes. None for a plain read, which never
    /// conflicts. Errors with DynamoDB's answer to a conflict.
    pub async fn claim(&self, call: &Call, (pk, sk): (&str, &str)) -> Result<Option<Claim>, Answer> {
        let Some(what_for) = use_of(call) else { return Ok(None) };
        let keys = match what_for {
            Use::TransactionalRead => {
                list(&call.body["TransactItems"]).map(|item| item["Get"]["Key"].clone()).collect::<Vec<_>>()
            }
            _ => call.writes().into_iter().map(|write| write.key).collect(),
        };
        let items: Vec<String> = keys.iter().map(|key| format!("{} {}", key[pk], key[sk])).collect();
        let token = call.body["ClientRequestToken"].as_str().unwrap_or_default();
        std::future::poll_fn(|context| match self.attempt(what_for, token, &items) {
            Some(attempt) => Poll::Ready(attempt.map(Some)),
            None => {
                self.0.lock().unwrap().waiting.push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// None if the call must wait.
    fn attempt(&self, what_for: Use, token: &str, items: &[String]) -> Option<Result<Claim, Answer>> {
        let mut state = self.0.lock().unwrap();
        let holders: Vec<Option<&Holder>> = items.iter().map(|item| state.held.get(item)).collect();
        let is_held = holders.iter().any(Option::is_some);
        let by_transaction = holders.iter().flatten().any(|holder| matches!(holder, Holder::Transaction(_)));
        let itself = Holder::Transaction(token.to_owned());
        match what_for {
            Use::PlainWrite if by_transaction => {
                let message = "Transaction is ongoing for the item";
                return Some(Err(Answer::error("TransactionConflictException", message)));
            }
            Use::PlainWrite | Use::BatchWrite if is_held => return None,
            Use::Transaction if !token.is_empty() && holders.contains(&Some(&itself)) => {
                return Some(Err(Answer::error("TransactionInProgressException", "the same request is in progress")));
            }
            Use::Transaction | Use::TransactionalRead if is_held => {
                let reasons: Vec<_> = holders.iter().map(|holder| holder.map(|_| "TransactionConflict")).collect();
                return Some(Err(Answer::canceled(&reasons)));
            }
            Use::PlainWrite | Use::BatchWrite | Use::Transaction | Use::TransactionalRead => {}
        }
        let holder = match what_for {
            Use::PlainWrite | Use::BatchWrite => Holder::PlainWrite,
            Use::Transaction => itself,
            // A read holds no item.
            Use::TransactionalRead => return Some(Ok(Claim { conflicts: self.clone(), items: Vec::new() })),
        };
        state.held.extend(items.iter().map(|item| (item.clone(), holder.clone())));
        Some(Ok(Claim { conflicts: self.clone(), items: items.to_vec() }))
    }
}

/// The call's use of its items. None for a plain read.
fn use_of(call: &Call) -> Option<Use> {
    match call.operation.as_str() {
        "PutItem" | "UpdateItem" | "DeleteItem" => Some(Use::PlainWrite),
        "BatchWriteItem" => Some(Use::BatchWrite),
        "TransactWriteItems" => Some(Use::Transaction),
        "TransactGetItems" => Some(Use::TransactionalRead),
        _ => None,
    }
}
