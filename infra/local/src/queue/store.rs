//! The queues' messages in SQLite.
//!
//! Times are in milliseconds since 1970 and come from the caller. A message whose `visible_at` has passed is visible.
//! Any other is in flight if it was received, else delayed.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::errors::QueueError;
use super::fair;
use super::message::{Message, NewMessage};
use super::queues::{Queue, Receive, ms};
use super::receipt::Receipt;

/// How many messages of a queue are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Ready to be received.
    pub visible: i64,
    /// Received and neither deleted nor returned yet.
    pub in_flight: i64,
    /// Sent and not visible yet.
    pub delayed: i64,
}

/// One copy of a message, ready to be stored.
pub(super) struct Copy<'a> {
    pub message_id: &'a str,
    pub message: &'a NewMessage,
    pub visible_at: i64,
}

/// The result of a receive call.
#[derive(Default)]
pub(super) struct Received {
    pub messages: Vec<Message>,
    /// Ids of the messages that went to the dead-letter queue.
    pub given_up: Vec<String>,
}

/// Why a receipt's visibility cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NotHidden {
    Gone,
    NotInFlight,
}

/// The file of all queues.
pub(super) struct Store {
    pub(super) connection: Connection,
}

/// Increased with each change of [`SCHEMA`].
const VERSION: i64 = 2;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        message_id TEXT NOT NULL,
        body TEXT NOT NULL,
        tenant TEXT NOT NULL,
        dead_letter_source TEXT,
        sent_at INTEGER NOT NULL,
        visible_at INTEGER NOT NULL,
        first_received_at INTEGER,
        receive_count INTEGER NOT NULL DEFAULT 0,
        nonce INTEGER
    );
    CREATE INDEX IF NOT EXISTS message_turn ON message (queue, tenant, visible_at, receive_count);
    CREATE INDEX IF NOT EXISTS message_visible ON message (queue, visible_at, receive_count);";

impl Store {
    /// Opens the file at `path`, or makes it.
    pub fn open(path: &Path) -> Result<Self, QueueError> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A killed process loses nothing; only a power cut could lose the last messages.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.set_prepared_statement_cache_capacity(64);
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version != VERSION {
            // Messages of an older schema are dropped.
            connection.execute_batch("DROP TABLE IF EXISTS message; DROP TABLE IF EXISTS move_task;")?;
            connection.pragma_update(None, "user_version", VERSION)?;
        }
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection })
    }

    /// A transaction that holds the write lock from its start.
    pub fn write(&mut self) -> Result<Transaction<'_>, QueueError> {
        let behavior = TransactionBehavior::Immediate;
        Ok(self.connection.transaction_with_behavior(behavior)?)
    }

    /// Stores all copies or none.
    pub fn send(&mut self, queue: &str, copies: &[Copy], now: i64) -> Result<(), QueueError> {
        let write = self.write()?;
        for copy in copies {
            write
                .prepare_cached(
                    "INSERT INTO message (queue, message_id, body, tenant, sent_at, visible_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    queue,
                    copy.message_id,
                    copy.message.body,
                    copy.message.group.as_deref().unwrap_or_default(),
                    now,
                    copy.visible_at,
                ])?;
        }
        Ok(write.commit()?)
    }

    /// Hides and returns visible messages, in random order if `shuffled`. Moves messages that were received too often to
    /// the dead-letter queue.
    pub fn receive(&mut self, queue: &Queue, ask: Receive, shuffled: bool, now: i64) -> Result<Received, QueueError> {
        let mut received = Received::default();
        let name = &queue.settings.name;
        let hidden_until = now + ms(ask.visibility.unwrap_or(queue.settings.visibility));
        // Most calls of a waiting receiver find no message and need no write lock.
        if self.next_visible_at(name)?.is_none_or(|at| at > now) {
            return Ok(received);
        }
        let write = self.write()?;
        loop {
            let wanted = ask.limit - received.messages.len();
            let rows = if shuffled {
                fair::shuffled(&write, name, wanted, now)?
            } else {
                fair::in_turn(&write, name, wanted, now)?
            };
            let mut given_up = 0;
            for row in rows.iter().copied() {
                if let Some(message_id) = give_up(&write, queue, row, now)? {
                    received.given_up.push(message_id);
                    given_up += 1;
                } else {
                    received.messages.push(hide(&write, name, row, hidden_until, now)?);
                }
            }
            if given_up == 0 {
                break;
            }
        }
        write.commit()?;
        Ok(received)
    }

    /// The time when the first message becomes visible. `None` if the queue is empty.
    pub fn next_visible_at(&self, queue: &str) -> Result<Option<i64>, QueueError> {
        let mut statement = self.connection.prepare_cached("SELECT MIN(visible_at) FROM message WHERE queue = ?1")?;
        Ok(statement.query_row([queue], |row| row.get(0))?)
    }

    /// Deletes the messages of the receipts. A receipt that is not the message's newest deletes nothing.
    pub fn delete(&mut self, queue: &str, receipts: &[Receipt]) -> Result<(), QueueError> {
        let write = self.write()?;
        for receipt in receipts {
            write
                .prepare_cached("DELETE FROM message WHERE id = ?1 AND queue = ?2 AND nonce = ?3")?
                .execute(params![receipt.row, queue, receipt.nonce])?;
        }
        Ok(write.commit()?)
    }

    /// Hides the message of the receipt until `visible_at`.
    pub fn hide_until(
        &mut self, queue: &str, receipt: Receipt, visible_at: i64, now: i64,
    ) -> Result<Result<(), NotHidden>, QueueError> {
        let write = self.write()?;
        let until: Option<i64> = write
            .prepare_cached("SELECT visible_at FROM message WHERE id = ?1 AND queue = ?2 AND nonce = ?3")?
            .query_row(params![receipt.row, queue, receipt.nonce], |row| row.get(0))
            .optional()?;
        match until {
            None => return Ok(Err(NotHidden::Gone)),
            Some(until) if until <= now => return Ok(Err(NotHidden::NotInFlight)),
            Some(_) => {}
        }
        write
            .prepare_cached("UPDATE message SET visible_at = ?2 WHERE id = ?1")?
            .execute(params![receipt.row, visible_at])?;
        write.commit()?;
        Ok(Ok(()))
    }

    /// Counts the queue's messages.
    pub fn counts(&self, queue: &str, now: i64) -> Result<Counts, QueueError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT COUNT(*) FILTER (WHERE visible_at <= ?2),
                    COUNT(*) FILTER (WHERE visible_at > ?2 AND receive_count > 0),
                    COUNT(*) FILTER (WHERE visible_at > ?2 AND receive_count = 0)
             FROM message WHERE queue = ?1",
        )?;
        let counts = statement.query_row(params![queue, now], |row| {
            Ok(Counts { visible: row.get(0)?, in_flight: row.get(1)?, delayed: row.get(2)? })
        })?;
        Ok(counts)
    }

    /// When the queue's oldest message was sent. A dead letter was sent to the queue before.
    pub fn oldest_sent_at(&self, queue: &str) -> Result<Option<i64>, QueueError> {
        let mut statement = self.connection.prepare_cached("SELECT MIN(sent_at) FROM message WHERE queue = ?1")?;
        Ok(statement.query_row([queue], |row| row.get(0))?)
    }

    /// Deletes the messages of every queue but these.
    pub fn keep_only(&self, queues: &[&str]) -> Result<(), QueueError> {
        let queues = serde_json::to_string(queues).unwrap_or_default();
        self.connection
            .execute("DELETE FROM message WHERE queue NOT IN (SELECT value FROM json_each(?1))", [queues])?;
        Ok(())
    }

    /// Makes all messages in flight visible.
    pub fn return_all(&self, now: i64) -> Result<(), QueueError> {
        self.connection
            .execute("UPDATE message SET visible_at = ?1 WHERE visible_at > ?1 AND receive_count > 0", [now])?;
        Ok(())
    }

    /// Deletes the queue's messages that were sent before `sent_before`.
    pub fn expire(&mut self, queue: &str, sent_before: i64) -> Result<(), QueueError> {
        self.connection
            .execute("DELETE FROM message WHERE queue = ?1 AND sent_at < ?2", params![queue, sent_before])?;
        Ok(())
    }
}

/// Moves a message that was received too often to the dead-letter queue. Returns its id if it was moved.
fn give_up(write: &Transaction, queue: &Queue, row: i64, now: i64) -> Result<Option<String>, QueueError> {
    let Some((dead_letters, receives_max)) = &queue.redrive else {
        return Ok(None);
    };
    let message_id = write
        .prepare_cached(
            "UPDATE message SET queue = ?2, dead_letter_source = ?3, visible_at = ?4,
                    receive_count = 0, first_received_at = NULL, nonce = NULL
             WHERE id = ?1 AND receive_count >= ?5 RETURNING message_id",
        )?
        .query_row(params![row, dead_letters, queue.arn, now, receives_max], |row| row.get(0))
        .optional()?;
    Ok(message_id)
}

fn hide(write: &Transaction, queue: &str, row: i64, until: i64, now: i64) -> Result<Message, QueueError> {
    // A random number, so that each receive has another receipt.
    let nonce = fastrand::i64(1..1 << 53);
    let message = write
        .prepare_cached(
            "UPDATE message SET visible_at = ?2, nonce = ?3, receive_count = receive_count + 1,
                    first_received_at = COALESCE(first_received_at, ?4)
             WHERE id = ?1
             RETURNING message_id, body, tenant, dead_letter_source, sent_at, first_received_at,
                       receive_count",
        )?
        .query_row(params![row, until, nonce, now], |columns| read(columns, Receipt { row, nonce }.handle(queue)))?;
    Ok(message)
}

fn read(columns: &Row, receipt_handle: String) -> rusqlite::Result<Message> {
    let tenant: String = columns.get(2)?;
    Ok(Message {
        message_id: columns.get(0)?,
        receipt_handle,
        body: columns.get(1)?,
        group: Some(tenant).filter(|tenant| !tenant.is_empty()),
        dead_letter_source: columns.get(3)?,
        sent_at: columns.get(4)?,
        first_received_at: columns.get(5)?,
        receive_count: columns.get(6)?,
    })
}
