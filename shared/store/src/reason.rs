//! The reasons of failed calls. This file interprets every error and every cancellation reason of DynamoDB.

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::CancellationReason;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

use super::Item;
use spillway_runtime::missing_right;
use spillway_wire::Problem;

/// Why a store operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store is throttled, slow or not reachable, or a conflict lasted too long. The same call may succeed later.
    #[error("the store can't answer: {0}")]
    Unavailable(String),
    /// The store refuses the call itself. The code or the deployment is wrong.
    #[error("the store refuses: {0}")]
    Refused(String),
    /// An item can't be read as what its key says.
    #[error("an item can't be read: {0}")]
    Corrupt(String),
}

/// Error codes of calls that exceed the throughput of the table, of a partition or of the account.
const THROTTLED: [&str; 4] =
    ["ThrottlingException", "ThrottlingError", "ProvisionedThroughputExceededException", "RequestLimitExceeded"];

/// Error codes of other calls that may succeed later.
const NOT_NOW: [&str; 5] = [
    "LimitExceededException",
    "InternalServerError",
    "TransactionInProgressException",
    "TransactionConflictException",
    "ServiceUnavailable",
];

/// Reasons of a canceled transaction that may be gone at the next try.
const PASSING: [&str; 4] =
    ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"];

impl StoreError {
    /// Whether the table, a partition or the account has no throughput left for the call.
    pub fn is_throttling(&self) -> bool {
        matches!(self, StoreError::Unavailable(code) if THROTTLED.contains(&code.as_str()))
    }

    /// The error of a request that the SDK refuses to build: the code is wrong.
    pub(super) fn incomplete(error: BuildError) -> StoreError {
        StoreError::Refused(error.to_string())
    }

    pub(super) fn from_sdk<E: ProvideErrorMetadata>(error: SdkError<E>) -> StoreError {
        let code = error.code().unwrap_or_default().to_owned();
        match &error {
            SdkError::TimeoutError(_) => StoreError::Unavailable("no answer in time".to_owned()),
            SdkError::DispatchFailure(_) => StoreError::Unavailable("no connection".to_owned()),
            SdkError::ResponseError(_) => StoreError::Unavailable("no readable answer".to_owned()),
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                if status >= 500 || THROTTLED.iter().chain(&NOT_NOW).any(|passing| *passing == code) {
                    StoreError::Unavailable(code)
                } else {
                    StoreError::Refused(missing_right(&error).unwrap_or(code))
                }
            }
            _ => StoreError::Refused(error.to_string()),
        }
    }
}

/// The index of the first action of a canceled transaction whose condition failed. Errors with
/// [`StoreError::Unavailable`] if any action has a passing reason: then the results of the conditions are not final.
pub(super) fn first_failed_condition(reasons: &[CancellationReason]) -> Result<usize, StoreError> {
    if let Some(passing) = reasons.iter().find_map(passing) {
        return Err(StoreError::Unavailable(passing.to_owned()));
    }
    let failed = reasons.iter().position(|reason| reason.code() == Some("ConditionalCheckFailed"));
    failed.ok_or_else(|| StoreError::Refused("TransactionCanceledException".to_owned()))
}

/// Why a plain write failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// Its condition failed for this item. None if no item exists.
    Condition(Option<Item>),
    /// It failed for another reason.
    Error(StoreError),
}

impl Failed {
    pub(super) fn from_put(error: SdkError<PutItemError>) -> Failed {
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => Failed::Condition(failed.item.clone()),
            _ => Failed::Error(StoreError::from_sdk(error)),
        }
    }

    pub(super) fn from_update(error: SdkError<UpdateItemError>) -> Failed {
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => Failed::Condition(failed.item.clone()),
            _ => Failed::Error(StoreError::from_sdk(error)),
        }
    }
}

fn passing(reason: &CancellationReason) -> Option<&str> {
    reason.code().filter(|code| PASSING.contains(code))
}

/// Makes the SDK retry writes that conflict with another transaction, with the SDK's backoff and jitter and with the
/// same token. The SDK itself retries throttling and lost connections, but not conflicts.
#[derive(Debug)]
pub struct Conflicts;

impl ClassifyRetry for Conflicts {
    fn name(&self) -> &'static str {
        "Conflicts"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        let Some(error) = error.as_operation_error() else { return RetryAction::NoActionIndicated };
        let put = error.downcast_ref::<PutItemError>().and_then(ProvideErrorMetadata::code);
        let update = error.downcast_ref::<UpdateItemError>().and_then(ProvideErrorMetadata::code);
        let conflict = match error.downcast_ref() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                canceled.cancellation_reasons().iter().any(|reason| passing(reason).is_some())
            }
            _ => put.or(update) == Some("TransactionConflictException"),
        };
        // A throttling error takes half as much of the client's retry quota as a transient error.
        if conflict { RetryAction::throttling_error() } else { RetryAction::NoActionIndicated }
    }
}

/// Keeps the SDK from retrying an update that the table throttles.
#[derive(Debug)]
pub struct ThrottledUpdates;

impl ClassifyRetry for ThrottledUpdates {
    fn name(&self) -> &'static str {
        "ThrottledUpdates"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(|output| output.err()?.as_operation_error());
        let code = error.and_then(|error| error.downcast_ref::<UpdateItemError>()?.code());
        if code.is_some_and(|code| THROTTLED.contains(&code)) {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Unavailable(_) => Problem::unavailable(error.to_string()),
            StoreError::Refused(_) | StoreError::Corrupt(_) => Problem::internal_error(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::{Response, StatusCode};
    use aws_smithy_types::body::SdkBody;

    use super::*;

    /// The result for a transaction that was canceled with these codes, one for each action.
    fn canceled(codes: [&str; 3]) -> Result<usize, StoreError> {
        let reasons = codes.map(|code| CancellationReason::builder().code(code).build());
        first_failed_condition(&reasons)
    }

    #[test]
    fn a_passing_reason_precedes_a_failed_condition() {
        let failed = "ConditionalCheckFailed";
        assert_eq!(canceled([failed, "None", "None"]), Ok(0));
        assert_eq!(canceled(["None", "None", failed]), Ok(2));
        for passing in PASSING {
            for codes in [[passing, "None", "None"], [failed, "None", passing], [passing, failed, "None"]] {
                assert_eq!(canceled(codes), Err(StoreError::Unavailable(passing.to_owned())), "{codes:?}");
            }
        }
        assert!(matches!(canceled(["None", "ValidationError", "None"]), Err(StoreError::Refused(_))));
    }

    #[test]
    fn only_a_missing_right_shows_the_message_of_aws() {
        let refused = |code: &str| {
            let message = "User: me is not authorized to perform: dynamodb:PutItem on resource: table";
            let error = aws_sdk_dynamodb::error::ErrorMetadata::builder().code(code).message(message).build();
            let raw = Response::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
            StoreError::from_sdk(SdkError::service_error(PutItemError::generic(error), raw)).to_string()
        };
        assert_eq!(
            refused("AccessDeniedException"),
            "the store refuses: AccessDeniedException: User: me is not authorized to perform: dynamodb:PutItem on \
             resource: table"
        );
        assert_eq!(refused("ValidationException"), "the store refuses: ValidationException");
    }
}
