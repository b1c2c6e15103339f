//! Moves messages out of a dead-letter queue: SQS's message move tasks.

use rusqlite::params;
use uuid::Uuid;

use super::errors::{ApiError, Kind, QueueError};
use super::queues::Queues;

impl Queues {
    /// Moves every message of a dead-letter queue, as a new message of the same group: to the destination, or to the
    /// queue that it came from if there is no destination. The task has ended when the call returns.
    pub(super) fn move_messages(&self, source_arn: &str, destination_arn: Option<&str>) -> Result<(), ApiError> {
        let source = self.by_arn(source_arn)?;
        if !self.is_dead_letter_queue(&source) {
            let message = "Source queue must be configured as a Dead Letter Queue.";
            return Err(ApiError::invalid(message));
        }
        let destination = destination_arn.map(|arn| self.by_arn(arn)).transpose()?;
        let now = self.now();
        self.store().move_all(&source, destination.as_deref(), now)?;
        for queue in self.all() {
            self.wake(&queue.settings.name);
        }
        Ok(())
    }

    fn by_arn(&self, arn: &str) -> Result<String, ApiError> {
        let queue = self.all().iter().find(|queue| queue.arn == arn);
        queue.map(|queue| queue.settings.name.clone()).ok_or_else(|| {
            let message = "The resource that you specified for the SourceArn parameter doesn't exist.";
            ApiError::new(Kind::ResourceNotFoundException, message)
        })
    }

    fn is_dead_letter_queue(&self, name: &str) -> bool {
        let mut queues = self.all().iter();
        queues.any(|queue| queue.redrive.as_ref().is_some_and(|(to, _)| to == name))
    }
}

impl super::store::Store {
    fn move_all(&mut self, source: &str, destination: Option<&str>, now: i64) -> Result<(), QueueError> {
        let write = self.write()?;
        let waiting: Vec<(i64, Option<String>)> = write
            .prepare_cached("SELECT id, dead_letter_source FROM message WHERE queue = ?1 AND visible_at <= ?2")?
            .query_map(params![source, now], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (row, came_from) in waiting {
            // An ARN ends with the queue's name.
            let came_from = came_from.as_deref().and_then(|arn| arn.rsplit(':').next());
            // A message that was sent to the dead-letter queue itself has no queue to go back to.
            let Some(destination) = destination.or(came_from) else {
                continue;
            };
            write
                .prepare_cached(
                    "UPDATE message SET queue = ?2, message_id = ?3, sent_at = ?4, visible_at = ?4,
                            receive_count = 0, first_received_at = NULL, nonce = NULL,
                            dead_letter_source = NULL
                     WHERE id = ?1",
                )?
                .execute(params![row, destination, Uuid::new_v4().to_string(), now])?;
        }
        Ok(write.commit()?)
    }
}
