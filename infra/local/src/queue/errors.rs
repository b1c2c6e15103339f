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
    /// The name in `__type`, and the older name, which is the code of a failed entry in a batch's answer.
    fn names(self) -> (String, String) {
        let own = format!("{self:?}");
        let (name, older_name) = match self {
            Self::AccessDenied => ("AccessDeniedException", "AccessDenied"),
            Self::InternalFailure => ("InternalFailure", "InternalFailure"),
            Self::InvalidParameterValue => ("InvalidParameterValueException", "InvalidParameterValue"),
            Self::MissingParameter => ("MissingRequiredParameterException", "MissingParameter"),
            Self::UnknownOperationException => ("UnknownOperationException", "InvalidAction"),
            Self::InvalidAttributeName
            | Self::InvalidMessageContents
            | Self::ReceiptHandleIsInvalid
            | Self::ResourceNotFoundException => return (format!("com.amazonaws.sqs#{own}"), own),
            _ => {
                let older_name = if self == Self::QueueDoesNotExist { "NonExistentQueue" } else { &own };
                return (format!("com.amazonaws.sqs#{own}"), format!("AWS.SimpleQueueService.{older_name}"));
            }
        };
        (format!("com.amazon.coral.service#{name}"), older_name.to_owned())
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
            "Code": self.kind.names().1,
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
