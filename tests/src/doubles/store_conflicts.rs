//! Conflicts between writes: each write holds its items while it is in flight, and concurrent writes of these items get
//! DynamoDB's answers. The embedded table executes one call at a time, so without this no race would show a conflict.
//!
//! Source of the rules: DynamoDB Developer Guide, "Transaction conflict handling in DynamoDB" and "Isolation levels"
//! (transaction-apis.html). There a plain write, a transaction and a transactional read conflict with a transaction
//! that is under way, a transactional read with a plain write too. The guide leaves open a transaction that meets a
//! plain write. It conflicts here: DynamoDB refuses to prepare a transaction that is older than the item's last write
//! (Idziorek and others, "Distributed Transactions at Scale in Amazon DynamoDB", USENIX ATC 2023, section 4).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::store_errors::{Answer, canceled, error};
use crate::store_proxy::Call;

/// Items that are being written.
pub(crate) struct Conflicts {
    hold: Duration,
    /// Holders by key.
    held: Mutex<BTreeMap<String, Holder>>,
    freed: Notify,
}

/// The holder of an item.
#[derive(Clone, PartialEq)]
enum Holder {
    PlainWrite,
    /// A transaction with its `ClientRequestToken`.
    Transaction(String),
}

/// Items held for one call. Dropping it releases them.
pub(crate) struct Claim {
    conflicts: Arc<Conflicts>,
    items: Vec<String>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = self.conflicts.held.lock().unwrap();
        self.items.iter().for_each(|item| drop(held.remove(item)));
        self.conflicts.freed.notify_waiters();
    }
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

enum Attempt {
    Taken(Claim),
    Wait,
    Refused(Answer),
}

impl Conflicts {
    /// Each write holds its items for `hold` before the store sees it, and until the store has answered.
    pub(crate) fn new(hold: Duration) -> Arc<Conflicts> {
        Arc::new(Conflicts { hold, held: Mutex::default(), freed: Notify::new() })
    }

    /// Holds the items of a write; `None` for a call without writes; `Err` is DynamoDB's answer to a conflict.
    pub(crate) async fn claim(self: &Arc<Self>, call: &Call) -> Result<Option<Claim>, Answer> {
        let request: Value = serde_json::from_str(&call.body).unwrap_or_default();
        let Some((what_for, items)) = items(&call.operation, &request) else { return Ok(None) };
        loop {
            let freed = self.freed.notified();
            match self.attempt(call, &request, what_for, &items) {
                Attempt::Taken(claim) => {
                    tokio::time::sleep(self.hold).await;
                    return Ok(Some(claim));
                }
                Attempt::Wait => freed.await,
                Attempt::Refused(answer) => return Err(answer),
            }
        }
    }

    fn attempt(self: &Arc<Self>, call: &Call, request: &Value, what_for: Use, items: &[String]) -> Attempt {
        let token = request["ClientRequestToken"].as_str().unwrap_or_default();
        let mut held = self.held.lock().unwrap();
        let holders: Vec<(usize, &Holder)> =
            items.iter().enumerate().filter_map(|(place, item)| Some((place, held.get(item)?))).collect();
        let by_transaction = holders.iter().any(|(_, holder)| matches!(holder, Holder::Transaction(_)));
        let itself = holders.iter().any(|(_, holder)| **holder == Holder::Transaction(token.to_owned()));
        match what_for {
            Use::PlainWrite if by_transaction => return Attempt::Refused(error("TransactionConflictException")),
            Use::PlainWrite | Use::BatchWrite if !holders.is_empty() => return Attempt::Wait,
            Use::Transaction if itself && !token.is_empty() => {
                return Attempt::Refused(error("TransactionInProgressException"));
            }
            Use::Transaction | Use::TransactionalRead if !holders.is_empty() => {
                let places: Vec<usize> = holders.iter().map(|(place, _)| *place).collect();
                return Attempt::Refused(canceled(call, &places, "TransactionConflict"));
            }
            Use::PlainWrite | Use::BatchWrite | Use::Transaction | Use::TransactionalRead => {}
        }
        let holder = match what_for {
            Use::PlainWrite | Use::BatchWrite => Holder::PlainWrite,
            Use::Transaction => Holder::Transaction(token.to_owned()),
            // A read holds no item.
            Use::TransactionalRead => return Attempt::Taken(Claim { conflicts: Arc::clone(self), items: Vec::new() }),
        };
        held.extend(items.iter().map(|item| (item.clone(), holder.clone())));
        Attempt::Taken(Claim { conflicts: Arc::clone(self), items: items.to_vec() })
    }
}

/// The call's use of its items; `None` for a plain read, which never conflicts.
fn items(operation: &str, request: &Value) -> Option<(Use, Vec<String>)> {
    let inside = |list: &Value| -> Vec<String> {
        list.as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flat_map(|entry| entry.values())
            .map(key)
            .collect()
    };
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => Some((Use::PlainWrite, vec![key(request)])),
        "BatchWriteItem" => {
            let tables = request["RequestItems"].as_object().into_iter().flat_map(|tables| tables.values());
            Some((Use::BatchWrite, tables.flat_map(inside).collect()))
        }
        "TransactWriteItems" => Some((Use::Transaction, inside(&request["TransactItems"]))),
        "TransactGetItems" => Some((Use::TransactionalRead, inside(&request["TransactItems"]))),
        _ => None,
    }
}

/// The key of the item of one write or read. The stack has one table.
fn key(request: &Value) -> String {
    let keys = request.get("Key").unwrap_or(&request["Item"]);
    json!([keys["pk"], keys["sk"]]).to_string()
}
