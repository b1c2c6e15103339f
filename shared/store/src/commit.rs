//! The commit: the writes of one call, their conditions, and the caller's result if a condition fails. All writes go
//! through this file, except deletions of folded movements.
//!
//! A single write is a plain call, several writes are a transaction. The SDK repeats a call whose reply was lost. A
//! transaction carries a token by which DynamoDB recognizes the repetition. A plain call stores a random `writer` in
//! the item: if a condition fails and the item has this `writer`, the write had succeeded. An edit that
//! adds to a number also requires that the item does not have this call's `writer` yet. So the condition of a
//! repetition fails, and nothing is added twice. The failed condition finds this call's `writer`, so the call counts as
//! done.

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

/// The attribute that identifies a plain write: random text, new for each write.
pub(super) const WRITER: &str = "writer";
/// Tries of a contended commit. A conflict with another transaction fails one try.
const CONTENDED_ATTEMPTS_MAX: u32 = 12;
/// The longest time for all tries of such a commit.
const CONTENDED_DEADLINE_MAX: Duration = Duration::from_secs(8);
/// The longest wait between two tries of such a commit.
const CONTENDED_BACKOFF_MAX: Duration = Duration::from_secs(1);

/// How a commit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed<R> {
    /// All writes are stored.
    Done,
    /// A condition failed. Nothing was written.
    Refused(R),
}

/// Makes the caller's refusal: the result that the caller gets if a condition of the write fails. The argument is the
/// item that the failed condition found, or None if there is no item.
type Refusal<'a, R> = Box<dyn FnOnce(&Store, Option<Item>) -> Result<R, StoreError> + Send + 'a>;

/// Writes that are stored together or not at all. If a condition of the first write fails, its refusal is returned, even
/// if DynamoDB reports only the failure of another write. Otherwise the refusal of the first failure that DynamoDB
/// reports is returned.
pub(super) struct Commit<'a, R> {
    writes: Vec<Write<'a, R>>,
    is_contended: bool,
}

/// One write of a commit, with its conditions and its refusal.
struct Write<'a, R> {
    key: TableKey,
    action: Action,
    tests: Vec<Test>,
    refused: Refusal<'a, R>,
}

/// The kind of a write.
enum Action {
    Put(Item),
    Edit(Edit),
    Delete,
    Check,
}

impl<'a, R> Commit<'a, R> {
    /// A commit without writes.
    pub(super) fn new() -> Commit<'a, R> {
        Commit { writes: Vec::new(), is_contended: false }
    }

    /// Adds a put, on condition that the key is free. If it is taken, `refused` is called. The argument is the existing
    /// item.
    pub(super) fn create(
        self, item: Item, refused: impl FnOnce(&Store, Item) -> Result<R, StoreError> + Send + 'a,
    ) -> Result<Commit<'a, R>, StoreError> {
        self.replace(item, vec![Test::Absent], |store, found| match found {
            Some(found) => refused(store, found),
            None => Err(StoreError::Corrupt("a failed condition came without its item".to_owned())),
        })
    }

    /// Adds a put of an item that follows from another item of this commit: that item is new or gets a new version, and
    /// so this key is always free. If it is taken, the data is corrupt: an error, not a refusal.
    pub(super) fn follow(self, item: Item) -> Result<Commit<'a, R>, StoreError> {
        let named = TableKey::of(&item).map(|key| format!("{} {}", key.pk, key.sk)).unwrap_or_default();
        self.create(item, move |_, _| Err(StoreError::Corrupt(format!("{named} is there already"))))
    }

    /// Adds a put that replaces the item with this key. If a test fails, `refused` is called. The argument is the item
    /// that the failed condition found, or None if there is no item.
    pub(super) fn replace(
        self, item: Item, tests: Vec<Test>,
        refused: impl FnOnce(&Store, Option<Item>) -> Result<R, StoreError> + Send + 'a,
    ) -> Result<Commit<'a, R>, StoreError> {
        let key = TableKey::of(&item).ok_or_else(|| StoreError::Corrupt("an item has no key".to_owned()))?;
        Ok(self.with(key, Action::Put(item), tests, Box::new(refused)))
    }

    /// Adds an edit of an item. If a test fails, `refused` is called. The argument is the item that the failed condition
    /// found, or None if there is no item.
    pub(super) fn edit(
        self, key: TableKey, edit: Edit, tests: Vec<Test>,
        refused: impl FnOnce(&Store, Option<Item>) -> Result<R, StoreError> + Send + 'a,
    ) -> Commit<'a, R> {
        self.with(key, Action::Edit(edit), tests, Box::new(refused))
    }

    /// Adds a deletion. The commit needs another write. If a test fails, `refused` is called. The argument is the item
    /// that the failed condition found, or None if there is no item.
    pub(super) fn delete(
        self, key: TableKey, tests: Vec<Test>,
        refused: impl FnOnce(&Store, Option<Item>) -> Result<R, StoreError> + Send + 'a,
    ) -> Commit<'a, R> {
        self.with(key, Action::Delete, tests, Box::new(refused))
    }

    /// Adds a check of an item that writes nothing. The commit needs another write. If a test fails, `refused` is called.
    /// The argument is the item that the failed condition found, or None if there is no item.
    pub(super) fn check(
        self, key: TableKey, tests: Vec<Test>,
        refused: impl FnOnce(&Store, Option<Item>) -> Result<R, StoreError> + Send + 'a,
    ) -> Commit<'a, R> {
        self.with(key, Action::Check, tests, Box::new(refused))
    }

    /// Marks that other requests often write one of the items at the same time. Conflicts are then retried for longer.
    pub(super) fn contended(mut self) -> Commit<'a, R> {
        self.is_contended = true;
        self
    }

    fn with(mut self, key: TableKey, action: Action, tests: Vec<Test>, refused: Refusal<'a, R>) -> Commit<'a, R> {
        self.writes.push(Write { key, action, tests, refused });
        self
    }
}

impl Store {
    /// Stores all writes in one call.
    pub(super) async fn commit<R>(&self, commit: Commit<'_, R>) -> Result<Committed<R>, StoreError> {
        let Commit { mut writes, is_contended } = commit;
        match (writes.len(), writes.pop()) {
            (_, None) => Ok(Committed::Done),
            (1, Some(only)) => self.write_one(only).await,
            (_, Some(last)) => {
                writes.push(last);
                self.write_all(writes, is_contended).await
            }
        }
    }

    /// Edits one item. False if a test failed; then nothing was written.
    pub(super) async fn edit(&self, key: &TableKey, edit: Edit, tests: Vec<Test>) -> Result<bool, StoreError> {
        let edited = self.update(key, edit, tests, ReturnValue::None).await;
        self.unless_refused(edited).map(|edited| edited.is_ok())
    }

    /// Edits one item and returns it as it is after the edit. None if a test failed; then nothing was written.
    pub(super) async fn edited(
        &self, key: &TableKey, edit: Edit, tests: Vec<Test>,
    ) -> Result<Option<Item>, StoreError> {
        let edited = self.update(key, edit, tests, ReturnValue::AllNew).await;
        self.unless_refused(edited).map(Result::ok)
    }

    /// Separates failed conditions, which are results, from errors. `Err(item)` in the result is the item that the
    /// failed condition found.
    fn unless_refused<T>(&self, written: Result<T, Failed>) -> Result<Result<T, Option<Item>>, StoreError> {
        match written {
            Ok(written) => Ok(Ok(written)),
            Err(Failed::Condition(found)) => Ok(Err(found)),
            Err(Failed::Error(error)) => Err(error),
        }
    }

    async fn write_one<R>(&self, write: Write<'_, R>) -> Result<Committed<R>, StoreError> {
        let Write { key, action, tests, refused } = write;
        let written = match action {
            Action::Put(item) => self.put(item, tests).await,
            Action::Edit(edit) => self.update(&key, edit, tests, ReturnValue::None).await.map(drop),
            // After a plain deletion no item is left whose `writer` could show that the first try had succeeded. A
            // check alone writes nothing. In a transaction both are allowed, because a transaction has a token.
            Action::Delete | Action::Check => {
                return Err(StoreError::Refused("a deletion or check without another write".to_owned()));
            }
        };
        match self.unless_refused(written)? {
            Ok(()) => Ok(Committed::Done),
            Err(found) => refused(self, found).map(Committed::Refused),
        }
    }

    async fn put(&self, mut item: Item, tests: Vec<Test>) -> Result<(), Failed> {
        let writer = self.writer();
        item.insert(WRITER.to_owned(), writer.clone());
        let mut expression = Expression::default();
        let condition = expression.condition(tests);
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

    /// Updates one item. Returns the attributes that `returned` selects, or the whole item if an earlier try had
    /// succeeded.
    async fn update(
        &self, key: &TableKey, edit: Edit, mut tests: Vec<Test>, returned: ReturnValue,
    ) -> Result<Item, Failed> {
        let writer = self.writer();
        if !edit.adds.is_empty() {
            tests.push(Test::LacksOrCompares(WRITER, Comparison::IsNot, writer.clone()));
        }
        let mut expression = Expression::default();
        let condition = expression.condition(tests);
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

    async fn write_all<R>(&self, writes: Vec<Write<'_, R>>, is_contended: bool) -> Result<Committed<R>, StoreError> {
        let mut request = self.client.transact_write_items().client_request_token(self.random_text::<16>());
        let first = writes.first().map(|write| (write.key.clone(), write.tests.clone()));
        let mut refusals = Vec::with_capacity(writes.len());
        for Write { key, action, tests, refused } in writes {
            request = request.transact_items(self.action(&key, action, tests)?);
            refusals.push(refused);
        }
        let reasons: Vec<CancellationReason> = match self.send(request, is_contended).await {
            Ok(()) => return Ok(Committed::Done),
            Err(TransactionFailed::Canceled(reasons)) => reasons,
            Err(TransactionFailed::Error(error)) => return Err(error),
        };
        let failed = reason::first_failed_condition(&reasons)?;
        // AWS does not promise to report every failed condition. If another write's condition failed, this reads the
        // item of the first write and tests its conditions too, because the refusal of the first write takes
        // precedence.
        let first = match first {
            Some((key, tests)) if failed != 0 => Some(self.get_item(&key).await?).filter(|found| fails(&tests, found)),
            _ => None,
        };
        let (index, found) = match first {
            Some(found) => (0, found),
            None => (failed, reasons.into_iter().nth(failed).and_then(|reason| reason.item)),
        };
        match refusals.into_iter().nth(index) {
            Some(refused) => refused(self, found).map(Committed::Refused),
            None => Err(StoreError::Refused("a cancellation reason without its action".to_owned())),
        }
    }

    async fn send(
        &self, request: TransactWriteItemsFluentBuilder, is_contended: bool,
    ) -> Result<(), TransactionFailed> {
        let sent = if is_contended {
            let retries = RetryConfig::standard()
                .with_max_attempts(CONTENDED_ATTEMPTS_MAX)
                .with_initial_backoff(Duration::from_millis(25))
                .with_max_backoff(CONTENDED_BACKOFF_MAX);
            // 8 s with the default deadline of 3 s, and never more, because most functions have 10 s.
            let timeouts = TimeoutConfig::builder()
                .operation_timeout((self.deadline * 8 / 3).min(CONTENDED_DEADLINE_MAX))
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

    /// Returns the write as an entry of a DynamoDB transaction.
    fn action(&self, key: &TableKey, action: Action, tests: Vec<Test>) -> Result<TransactWriteItem, StoreError> {
        let mut expression = Expression::default();
        let condition = expression.condition(tests);
        let builder = TransactWriteItem::builder();
        // The builders have no common type.
        macro_rules! conditional {
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
        let built = match action {
            Action::Put(item) => {
                builder.put(conditional!(Put::builder().set_item(Some(item)).set_condition_expression(condition)))
            }
            Action::Edit(edit) => {
                let update = Update::builder().set_key(at).update_expression(expression.update(edit));
                builder.update(conditional!(update.set_condition_expression(condition)))
            }
            Action::Delete => {
                builder.delete(conditional!(Delete::builder().set_key(at).set_condition_expression(condition)))
            }
            Action::Check => {
                let check = ConditionCheck::builder().set_key(at).set_condition_expression(condition);
                builder.condition_check(conditional!(check))
            }
        };
        Ok(built.build())
    }

    /// A new random value for the attribute [`WRITER`].
    fn writer(&self) -> AttributeValue {
        text(self.random_text::<8>())
    }
}

/// Why a transaction failed.
enum TransactionFailed {
    /// DynamoDB canceled it. There is one reason for each action.
    Canceled(Vec<CancellationReason>),
    Error(StoreError),
}

/// Whether one of the tests fails for this item. None stands for no item.
fn fails(tests: &[Test], found: &Option<Item>) -> bool {
    !tests.iter().all(|test| test.holds(found.as_ref()))
}

/// Returns the item that a failed condition found, if an earlier try of the same write had stored it.
fn own(writer: &AttributeValue, failed: Failed) -> Result<Item, Failed> {
    match failed {
        Failed::Condition(Some(found)) if found.get(WRITER) == Some(writer) => Ok(found),
        other => Err(other),
    }
}
