//! The limits of SQS and their errors.

use super::errors::{ApiError, Kind};
use super::message::NewMessage;

/// Bytes of a message, and of all messages of a batch together: 1 MiB since August 2025.
pub(super) const BYTES_MAX: usize = 1024 * 1024;

/// A message that may be sent.
pub(super) fn message(message: &NewMessage) -> Result<(), ApiError> {
    if message.body.is_empty() {
        return Err(ApiError::missing("MessageBody"));
    }
    if !message.body.chars().all(is_allowed) {
        let text = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | \
                    #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.";
        return Err(ApiError::new(Kind::InvalidMessageContents, text));
    }
    if let Some(delay_s) = message.delay_s
        && !(0..=900).contains(&delay_s)
    {
        let reason = "DelaySeconds must be >= 0 and <= 900.";
        return Err(value(delay_s, "DelaySeconds", reason));
    }
    if let Some(group) = &message.group
        && (group.len() > 128 || group.is_empty() || !group.chars().all(|c| c.is_ascii_graphic()))
    {
        let reason = "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
        return Err(value(group, "MessageGroupId", reason));
    }
    if message.body.len() > BYTES_MAX {
        return Err(ApiError::invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {BYTES_MAX} bytes."
        )));
    }
    Ok(())
}

/// Seconds of a visibility timeout.
pub(super) fn visibility(seconds: i64) -> Result<u64, ApiError> {
    match u64::try_from(seconds) {
        Ok(ok @ ..=43_200) => Ok(ok),
        _ => Err(value(seconds, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided.")),
    }
}

/// Seconds that a receive call waits.
pub(super) fn wait(seconds: i64) -> Result<u64, ApiError> {
    match u64::try_from(seconds) {
        Ok(ok @ ..=20) => Ok(ok),
        _ => Err(value(seconds, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")),
    }
}

/// Messages in one receive call.
pub(super) fn limit(count: i64) -> Result<usize, ApiError> {
    match usize::try_from(count) {
        Ok(ok @ 1..=10) => Ok(ok),
        _ => Err(value(count, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")),
    }
}

fn value(given: impl std::fmt::Display, name: &str, reason: &str) -> ApiError {
    ApiError::invalid(format!("Value {given} for parameter {name} is invalid. Reason: {reason}"))
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}
