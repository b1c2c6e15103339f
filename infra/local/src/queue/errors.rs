//! Errors of SQS with AWS's texts and codes.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::roles::Refusal;

/// Why the queue's file cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the queues' file: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A thread ended while it held the file.
    #[error("the queues' file is unusable after a panic")]
    Poisoned,
    #[error("there is no queue {0}")]
    NoQueue(String),
}

/// The SQS API's errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    AccessDenied,
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InternalFailure,
    InvalidAttributeName,
    InvalidBatchEntryId,
    InvalidMessageContents,
    InvalidParameterValue,
    MessageNotInflight,
    MissingParameter,
    QueueDoesNotExist,
    ReceiptHandleIsInvalid,
    ResourceNotFoundException,
    TooManyEntriesInBatchRequest,
    UnknownOperationException,
}

impl Kind {
    /// The name in `__type`, and the older name in the header `x-amzn-query-error`.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::AccessDenied => ("com.amazon.coral.service#AccessDeniedException", "AccessDenied"),
            Self::BatchEntryIdsNotDistinct => {
                ("com.amazonaws.sqs#BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
            }
            Self::BatchRequestTooLong => {
                ("com.amazonaws.sqs#BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong")
            }
            Self::EmptyBatchRequest => {
                ("com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest")
            }
            Self::InternalFailure => ("com.amazon.coral.service#InternalFailure", "InternalFailure"),
            Self::InvalidAttributeName => ("com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName"),
            Self::InvalidBatchEntryId => {
                ("com.amazonaws.sqs#InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId")
            }
            Self::InvalidMessageContents => ("com.amazonaws.sqs#InvalidMessageContents", "InvalidMessageContents"),
            Self::InvalidParameterValue => {
                ("com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue")
            }
            Self::MessageNotInflight => {
                ("com.amazonaws.sqs#MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight")
            }
            Self::MissingParameter => {
                ("com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter")
            }
            Self::QueueDoesNotExist => {
                ("com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
            }
            Self::ReceiptHandleIsInvalid => ("com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::ResourceNotFoundException => {
                ("com.amazonaws.sqs#ResourceNotFoundException", "ResourceNotFoundException")
            }
            Self::TooManyEntriesInBatchRequest => (
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
            Self::UnknownOperationException => ("com.amazon.coral.service#UnknownOperationException", "InvalidAction"),
        }
    }

    /// The code of a failed entry in a batch's answer.
    pub fn code(self) -> &'static str {
        self.names().1
    }

    fn is_the_senders(self) -> bool {
        self != Self::InternalFailure
    }
}

/// An error of the SQS API and its message.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub(super) struct ApiError {
    pub kind: Kind,
    pub message: String,
}

impl ApiError {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidParameterValue, message)
    }

    pub fn missing(name: &str) -> Self {
        let message = format!("The request must contain the parameter {name}.");
        Self::new(Kind::MissingParameter, message)
    }

    pub fn no_queue() -> Self {
        Self::new(Kind::QueueDoesNotExist, "The specified queue does not exist.")
    }

    /// The failed entry `id` in a batch's answer.
    pub fn entry(&self, id: &str) -> serde_json::Value {
        json!({
            "Id": id,
            "SenderFault": self.kind.is_the_senders(),
            "Code": self.kind.code(),
            "Message": self.message,
        })
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(Kind::AccessDenied, refusal.to_string())
    }
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::NoQueue(_) => Self::no_queue(),
            other => Self::new(Kind::InternalFailure, other.to_string()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (name, older_name) = self.kind.names();
        let (status, fault) = if self.kind.is_the_senders() {
            (StatusCode::BAD_REQUEST, "Sender")
        } else {
            (StatusCode::INTERNAL_SERVER_ERROR, "Receiver")
        };
        let headers = [
            (header::CONTENT_TYPE.as_str(), super::CONTENT_TYPE.to_owned()),
            ("x-amzn-query-error", format!("{older_name};{fault}")),
        ];
        let body = json!({"__type": name, "message": self.message});
        (status, headers, body.to_string()).into_response()
    }
}
