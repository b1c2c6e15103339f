//! The one way in which anything is written: what is written, under which conditions, and what it means for the caller
//! if a condition does not hold.
//!
//! One write is a plain call, several are a transaction. The SDK repeats a call whose reply was lost. The repetition of a
//! transaction is known by its token. The repetition of a plain call is known by a random `writer`, which the call
//! leaves in the item: a failed condition that finds it is a success. A plain call that adds has the condition that the
//! `writer` is another, so that it adds once.

use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, ReturnValue,
    ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update,
};

use super::edit::Edit;
use super::expression::{Comparison, Expression, Test};
use super::reason::{self, Failed};
use super::{Item, Store, StoreError, TableKey, text};

/// The attribute that tells a plain write from all others: random text, new with each write.
const WRITER: &str = "writer";
/// Tries of a commit that writes an item which others change at the same time. A conflict fails one try.
const SHARED_ATTEMPTS_MAX: u32 = 12;
/// The longest time for all of those tries.
const SHARED_DEADLINE_MAX: Duration = Duration::from_secs(8);
/// The longest wait between two of those tries.
const SHARED_BACKOFF_MAX: Duration = Duration::from_secs(1);

/// How a commit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed<R> {
    /// All of it is true now.
    Done,
    /// A condition did not hold: nothing was written.
    Refused(R),
}

/// What a refused write means, made from the item that was found in its place.
type Refusal<'a, R> = Box<dyn FnOnce(&Store, Option<Item>) -> Result<R, StoreError> + Send + 'a>;

/// Writes that become true together or not at all. The first is the identity: where several conditions fail, it is
/// the first whose refusal counts.
pub(super) struct Commit<'a, R> {
    writes: Vec<Write<'a, R>>,
    shared: bool,
}

struct Write<'a, R> {
    key: TableKey,
    what: What,
    when: Vec<Test>,
    refused: Refusal<'a, R>,
}

enum What {
    Put(Item),
    Edit(Edit),
    Delete,
    Check,
}

impl<'a, R> Commit<'a, R> {
    /// Nothing yet.
    pub(super) fn new() -> Commit<'a, R> {
        Commit { writes: Vec::new(), shared: false }
    }

    /// Puts an item on condition that its key is free; `refused` is given the item that has it.
    pub(super) fn create(
        self, item: Item, refused: impl FnOnce(&Store, Item) -> Result<R, StoreError> + Send + 'a,
    ) -> Result<Commit<'a, R>, StoreError> {
        let key = TableKey::of(&item).ok_or_else(|| StoreError::Corrupt("an item has no key".to_owned()))?;
        let refused = |store: &Store, found: Option<Item>| match found {
            Some(found) => refused(store, found),
            None => Err(StoreError::Corrupt("a failed condition came without its item".to_owned())),
        };
        Ok(self.with(key, What::Put(item), vec![Test::Absent], Box::new(refused)))
    }

    /// Puts an item whose key can't be taken, because it follows from another write of this commit.
    pub(super) fn follow(self, item: Item) -> Result<Commit<'a, R>, StoreError> {
        let named = TableKey::of(&item).map(|key| format!("{} {}", key.pk, key.sk)).unwrap_or_default();
        self.create(item, move |_, _| Err(StoreError::Corrupt(format!("{named} is there already"))))
    }

    /// Edits an item. `refused` is given the item as it is; none if there is none.
    pub(super) fn edit(
        self, key: TableKey, edit: Edit, when: Vec<Test>,
        refused: impl FnOnce(&Store, Option<Item>) -> Result<R, StoreError> + Send + 'a,
    ) -> Commit<'a, R> {
        self.with(key, What::Edit(edit), when, Box::new(refused))
    }

    /// Deletes an item. `refused` is given the item as it is; none if there is none.
    pub(super) fn delete(
        self, key: TableKey, when: Vec<Test>,
        refused: impl FnOnce(&Store, Option<Item>) -> Result<R, StoreError> + Send + 'a,
    ) -> Commit<'a, R> {
        self.with(key, What::Delete, when, Box::new(refused))
    }

    /// Checks an item, and writes nothing of it. It must stand beside a write.
    pub(super) fn check(
        self, key: TableKey, when: Vec<Test>,
        refused: impl FnOnce(&Store, Option<Item>) -> Result<R, StoreError> + Send + 'a,
    ) -> Commit<'a, R> {
        self.with(key, What::Check, when, Box::new(refused))
    }

    /// Others write one of the items at the same time: conflicts are retried for longer.
    pub(super) fn shared(mut self) -> Commit<'a, R> {
        self.shared = true;
        self
    }

    fn with(mut self, key: TableKey, what: What, when: Vec<Test>, refused: Refusal<'a, R>) -> Commit<'a, R> {
        self.writes.push(Write { key, what, when, refused });
        self
    }
}

impl Store {
    /// Commits all writes in one call.
    pub(super) async fn commit<R>(&self, commit: Commit<'_, R>) -> Result<Committed<R>, StoreError> {
        let Commit { mut writes, shared } = commit;
        match (writes.len(), writes.pop()) {
            (_, None) => Ok(Committed::Done),
            (1, Some(only)) => self.write_one(only).await,
            (_, Some(last)) => {
                writes.push(last);
                self.write_all(writes, shared).await
            }
        }
    }

    /// Edits one item. False if a test did not hold: then nothing was written.
    pub(super) async fn edit(&self, key: &TableKey, edit: Edit, when: Vec<Test>) -> Result<bool, StoreError> {
        let edited = self.update(key, edit, when, ReturnValue::None).await;
        self.unless_refused(edited).map(|edited| edited.is_ok())
    }

    /// Edits one item and gives it as it is then. None if a test did not hold: then nothing was written.
    pub(super) async fn edited(&self, key: &TableKey, edit: Edit, when: Vec<Test>) -> Result<Option<Item>, StoreError> {
        let edited = self.update(key, edit, when, ReturnValue::AllNew).await;
        self.unless_refused(edited).map(Result::ok)
    }

    /// The item or what stood in the write's way; an error if it was neither.
    fn unless_refused<T>(&self, written: Result<T, Failed>) -> Result<Result<T, Option<Item>>, StoreError> {
        match written {
            Ok(written) => Ok(Ok(written)),
            Err(Failed::Condition(found)) => Ok(Err(found)),
            Err(Failed::Error(error)) => Err(error),
        }
    }

    async fn write_one<R>(&self, write: Write<'_, R>) -> Result<Committed<R>, StoreError> {
        let Write { key, what, when, refused } = write;
        let written = match what {
            What::Put(item) => self.put(item, when).await,
            What::Edit(edit) => self.update(&key, edit, when, ReturnValue::None).await.map(drop),
            // Nothing is deleted or checked alone: the transaction's token would be missing.
            What::Delete | What::Check => return Err(StoreError::Refused("it stands beside no write".to_owned())),
        };
        match self.unless_refused(written)? {
            Ok(()) => Ok(Committed::Done),
            Err(found) => refused(self, found).map(Committed::Refused),
        }
    }

    async fn put(&self, mut item: Item, when: Vec<Test>) -> Result<(), Failed> {
        let writer = self.writer();
        item.insert(WRITER.to_owned(), writer.clone());
        let mut expression = Expression::default();
        let condition = expression.condition(when);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .set_condition_expression(condition)
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        put.send().await.map(drop).or_else(|error| own(&writer, Failed::from_put(error)).map(drop))
    }

    /// Gives what `returned` asks for, or the whole item if it was found written already.
    async fn update(
        &self, key: &TableKey, edit: Edit, mut when: Vec<Test>, returned: ReturnValue,
    ) -> Result<Item, Failed> {
        let writer = self.writer();
        if !edit.adds.is_empty() {
            when.push(Test::LacksOrCompares(WRITER, Comparison::IsNot, writer.clone()));
        }
        let mut expression = Expression::default();
        let condition = expression.condition(when);
        let update = expression.update(edit.set(WRITER, writer.clone()));
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .update_expression(update)
            .set_condition_expression(condition)
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values(returned)
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        match update.send().await {
            Ok(answer) => Ok(answer.attributes.unwrap_or_default()),
            Err(error) => own(&writer, Failed::from_update(error)),
        }
    }

    async fn write_all<R>(&self, writes: Vec<Write<'_, R>>, shared: bool) -> Result<Committed<R>, StoreError> {
        let mut request = self.client.transact_write_items().client_request_token(self.random_text::<16>());
        let first = writes.first().map(|write| (write.key.clone(), write.when.clone()));
        let mut refusals = Vec::with_capacity(writes.len());
        for Write { key, what, when, refused } in writes {
            request = request.transact_items(self.action(&key, what, when)?);
            refusals.push(refused);
        }
        let reasons: Vec<CancellationReason> = match self.send(request, shared).await {
            Ok(()) => return Ok(Committed::Done),
            Err(TransactionFailed::Canceled(reasons)) => reasons,
            Err(TransactionFailed::Error(error)) => return Err(error),
        };
        let failed = reason::first_failed_condition(&reasons)?;
        // AWS does not promise to report every failed condition: those of the first write may not hold either, and then its
        // refusal is the answer, whatever else was refused.
        let first = match first {
            Some((key, when)) if failed != 0 => Some(self.get_item(&key).await?).filter(|found| fails(&when, found)),
            _ => None,
        };
        let (index, found) = match first {
            Some(found) => (0, found),
            None => (failed, reasons.into_iter().nth(failed).and_then(|reason| reason.item)),
        };
        match refusals.into_iter().nth(index) {
            Some(refused) => refused(self, found).map(Committed::Refused),
            None => Err(StoreError::Refused("a reason without its action".to_owned())),
        }
    }

    async fn send(&self, request: TransactWriteItemsFluentBuilder, shared: bool) -> Result<(), TransactionFailed> {
        let sent = if shared {
            let retries = RetryConfig::standard()
                .with_max_attempts(SHARED_ATTEMPTS_MAX)
                .with_initial_backoff(Duration::from_millis(25))
                .with_max_backoff(SHARED_BACKOFF_MAX);
            // With the store's ordinary deadline of 3 s, 8 s: less than the function's time. Never more than that.
            let timeouts = TimeoutConfig::builder()
                .operation_timeout((self.deadline * 8 / 3).min(SHARED_DEADLINE_MAX))
                .operation_attempt_timeout(self.deadline / 3)
                .build();
            let config = aws_sdk_dynamodb::Config::builder().retry_config(retries).timeout_config(timeouts);
            request.customize().config_override(config).send().await
        } else {
            request.send().await
        };
        sent.map(drop).map_err(|error| match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                TransactionFailed::Canceled(canceled.cancellation_reasons.clone().unwrap_or_default())
            }
            _ => TransactionFailed::Error(StoreError::from_sdk(error)),
        })
    }

    /// The part of a transaction that a write is.
    fn action(&self, key: &TableKey, what: What, when: Vec<Test>) -> Result<TransactWriteItem, StoreError> {
        let mut expression = Expression::default();
        let condition = expression.condition(when);
        let action = TransactWriteItem::builder();
        // The builders have no common type.
        macro_rules! guarded {
            ($builder:expr) => {
                $builder
                    .table_name(&self.table)
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values())
                    .return_values_on_condition_check_failure(OnFailure::AllOld)
                    .build()
                    .map_err(StoreError::incomplete)?
            };
        }
        let at = Some(key.attributes());
        let action = match what {
            What::Put(item) => {
                action.put(guarded!(Put::builder().set_item(Some(item)).set_condition_expression(condition)))
            }
            What::Edit(edit) => {
                let update = Update::builder().set_key(at).update_expression(expression.update(edit));
                action.update(guarded!(update.set_condition_expression(condition)))
            }
            What::Delete => action.delete(guarded!(Delete::builder().set_key(at).set_condition_expression(condition))),
            What::Check => {
                let check = ConditionCheck::builder().set_key(at).set_condition_expression(condition);
                action.condition_check(guarded!(check))
            }
        };
        Ok(action.build())
    }

    /// A new value of the attribute [`WRITER`].
    fn writer(&self) -> AttributeValue {
        text(self.random_text::<8>())
    }
}

/// Why a transaction was not done.
enum TransactionFailed {
    /// For these reasons, one for each of its actions.
    Canceled(Vec<CancellationReason>),
    Error(StoreError),
}

/// Whether one of the tests does not hold for what was found.
fn fails(when: &[Test], found: &Option<Item>) -> bool {
    !when.iter().all(|test| test.holds(found.as_ref()))
}

/// The item that a failed condition found, if the write itself had left it there.
fn own(writer: &AttributeValue, failed: Failed) -> Result<Item, Failed> {
    match failed {
        Failed::Condition(Some(found)) if found.get(WRITER) == Some(writer) => Ok(found),
        other => Err(other),
    }
}
