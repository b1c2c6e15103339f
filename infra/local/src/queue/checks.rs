//! What SQS accepts, and what it says of the rest.

use super::errors::{Kind, Refusal};
use super::message::{Attributes, NewMessage};

/// Bytes of a message, and of all messages of a batch together: 1 MiB since August 2025.
pub(super) const BYTES_MAX: usize = 1024 * 1024;

/// A message that may be sent.
pub(super) fn message(message: &NewMessage) -> Result<(), Refusal> {
    if message.body.is_empty() {
        return Err(Refusal::missing("MessageBody"));
    }
    if !message.body.chars().all(is_allowed) {
        let text = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | \
                    #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.";
        return Err(Refusal::new(Kind::InvalidMessageContents, text));
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
    attributes(&message.attributes)?;
    if message.size() > BYTES_MAX {
        return Err(Refusal::invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {BYTES_MAX} bytes."
        )));
    }
    Ok(())
}

fn attributes(attributes: &Attributes) -> Result<(), Refusal> {
    if attributes.len() > 10 {
        let count = attributes.len();
        return Err(Refusal::invalid(format!(
            "Number of message attributes [{count}] exceeds the allowed maximum [10]."
        )));
    }
    for (name, attribute) in attributes {
        if !attribute.known_type() {
            return Err(Refusal::invalid(format!(
                "The type of message (user) attribute '{name}' is invalid. You must use only the \
                 following supported type prefixes: Binary, Number, String."
            )));
        }
        if attribute.value().is_none() {
            return Err(Refusal::invalid(format!(
                "The message (user) attribute '{name}' must contain a non-empty value of its type."
            )));
        }
    }
    Ok(())
}

/// Seconds of a visibility timeout.
pub(super) fn visibility(seconds: i64) -> Result<u64, Refusal> {
    match u64::try_from(seconds) {
        Ok(ok @ ..=43_200) => Ok(ok),
        _ => Err(value(seconds, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided.")),
    }
}

/// Seconds that a receive call waits.
pub(super) fn wait(seconds: i64) -> Result<u64, Refusal> {
    match u64::try_from(seconds) {
        Ok(ok @ ..=20) => Ok(ok),
        _ => Err(value(seconds, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")),
    }
}

/// Messages in one receive call.
pub(super) fn limit(count: i64) -> Result<usize, Refusal> {
    match usize::try_from(count) {
        Ok(ok @ 1..=10) => Ok(ok),
        _ => Err(value(count, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")),
    }
}

fn value(given: impl std::fmt::Display, name: &str, reason: &str) -> Refusal {
    Refusal::invalid(format!("Value {given} for parameter {name} is invalid. Reason: {reason}"))
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}
