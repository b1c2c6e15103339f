//! Moves messages out of a dead-letter queue: SQS's message move tasks.

use rusqlite::params;
use serde_json::{Value, json};
use uuid::Uuid;

use super::errors::{Kind, QueueError, Refusal};
use super::queues::Queues;

/// A task that was carried out. Here that takes an instant, so it is over when it is answered.
struct Task {
    handle: String,
    destination: Option<String>,
    moved: usize,
    started_at: i64,
}

impl Queues {
    /// Moves every message of the dead-letter queue `source` to `destination`, else to where each came
    /// from, as new messages of the same group; gives the task's handle.
    pub(super) fn move_messages(&self, source_arn: &str, destination_arn: Option<&str>) -> Result<String, Refusal> {
        let source = self.by_arn(source_arn)?;
        if !self.is_dead_letter_queue(&source) {
            let message = "Source queue must be configured as a Dead Letter Queue.";
            return Err(Refusal::invalid(message));
        }
        let destination = destination_arn.map(|arn| self.by_arn(arn)).transpose()?;
        let now = self.now();
        let mut store = self.store()?;
        let moved = store.move_all(&source, destination.as_deref(), now)?;
        let handle = store.note_task(&source, destination_arn, moved, now)?;
        drop(store);
        for queue in self.all() {
            self.wake(&queue.settings.name);
        }
        Ok(handle)
    }

    /// The latest `limit` tasks of this dead-letter queue, as `ListMessageMoveTasks` gives them.
    pub(super) fn move_tasks(&self, source_arn: &str, limit: i64) -> Result<Vec<Value>, Refusal> {
        let source = self.by_arn(source_arn)?;
        let tasks = self.store()?.tasks(&source, limit)?;
        let render = |task: Task| {
            let mut value = json!({
                "TaskHandle": task.handle,
                "Status": "COMPLETED",
                "SourceArn": source_arn,
                "ApproximateNumberOfMessagesMoved": task.moved,
                "ApproximateNumberOfMessagesToMove": task.moved,
                "StartedTimestamp": task.started_at,
            });
            if let Some(destination) = task.destination {
                value["DestinationArn"] = destination.into();
            }
            value
        };
        Ok(tasks.into_iter().map(render).collect())
    }

    fn by_arn(&self, arn: &str) -> Result<String, Refusal> {
        let queue = self.all().iter().find(|queue| queue.arn == arn);
        queue.map(|queue| queue.settings.name.clone()).ok_or_else(|| {
            let message = "The resource that you specified for the SourceArn parameter doesn't exist.";
            Refusal::new(Kind::ResourceNotFoundException, message)
        })
    }

    fn is_dead_letter_queue(&self, name: &str) -> bool {
        let mut queues = self.all().iter();
        queues.any(|queue| queue.redrive.as_ref().is_some_and(|(to, _)| to == name))
    }
}

impl super::store::Store {
    fn move_all(&mut self, source: &str, destination: Option<&str>, now: i64) -> Result<usize, QueueError> {
        let write = self.write()?;
        let waiting: Vec<(i64, Option<String>)> = write
            .prepare_cached("SELECT id, dead_letter_source FROM message WHERE queue = ?1 AND visible_at <= ?2")?
            .query_map(params![source, now], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut moved = 0;
        for (row, came_from) in waiting {
            // An ARN ends with the queue's name.
            let came_from = came_from.as_deref().and_then(|arn| arn.rsplit(':').next());
            // A message that was sent to the dead-letter queue itself came from nowhere.
            let Some(destination) = destination.or(came_from) else {
                continue;
            };
            moved += write
                .prepare_cached(
                    "UPDATE message SET queue = ?2, message_id = ?3, sent_at = ?4, visible_at = ?4,
                            receive_count = 0, first_received_at = NULL, nonce = NULL,
                            dead_letter_source = NULL
                     WHERE id = ?1",
                )?
                .execute(params![row, destination, Uuid::new_v4().to_string(), now])?;
        }
        write.commit()?;
        Ok(moved)
    }

    fn note_task(&self, source: &str, destination: Option<&str>, moved: usize, now: i64) -> Result<String, QueueError> {
        self.connection.execute(
            "INSERT INTO move_task (source, destination, moved, started_at) VALUES (?1, ?2, ?3, ?4)",
            params![source, destination, moved as i64, now],
        )?;
        Ok(self.connection.last_insert_rowid().to_string())
    }

    fn tasks(&self, source: &str, limit: i64) -> Result<Vec<Task>, QueueError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, destination, moved, started_at FROM move_task
             WHERE source = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let tasks = statement.query_map(params![source, limit], |row| {
            Ok(Task {
                handle: row.get::<_, i64>(0)?.to_string(),
                destination: row.get(1)?,
                moved: row.get::<_, i64>(2)? as usize,
                started_at: row.get(3)?,
            })
        })?;
        Ok(tasks.collect::<Result<_, _>>()?)
    }
}
