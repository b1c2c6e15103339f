//! Every refusal, as RFC 9457 problem details. The one place that knows statuses of errors.
//!
//! The gateway's own refusals have the same texts, in `infra/template.yaml`.

use serde::Serialize;
use spillway_domain::api_key::Scope;
use spillway_domain::ledger::LedgerError;
use spillway_domain::money::OutOfRange;

use super::fields::Invalid;
use super::response::Response;
use crate::store::StoreError;

/// Seconds after which an unavailable service may be asked again.
const RETRY_AFTER_S: u32 = 1;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: String,
    errors: Vec<Invalid>,
    /// For the log only: what the client is not told.
    cause: String,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    problem_type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: String,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Invalid],
}

impl Problem {
    fn new(status: u16, code: &'static str, title: &'static str, detail: &str) -> Problem {
        Problem { status, code, title, detail: detail.to_owned(), errors: Vec::new(), cause: String::new() }
    }

    /// 400: the request is none.
    pub fn malformed_request(detail: &str) -> Problem {
        Problem::new(400, "malformed_request", "Malformed request", detail)
    }

    /// 400: parameters of the query are wrong; every fault is told.
    pub fn invalid_parameters(errors: Vec<Invalid>) -> Problem {
        let detail = "The parameters have faults; see errors.";
        Problem { errors, ..Problem::new(400, "invalid_parameters", "Invalid parameters", detail) }
    }

    /// 400: no cursor of this list, or one that went on with other filters.
    pub fn invalid_cursor() -> Problem {
        let detail = "The cursor is not one that this list gave, or the filters beside it are not those it keeps.";
        Problem::new(400, "invalid_cursor", "Invalid cursor", detail)
    }

    /// 400: it must be there, because money may move.
    pub fn idempotency_key_missing() -> Problem {
        let detail = "This request needs an Idempotency-Key header, so that sending it again can't move money twice.";
        Problem::new(400, "idempotency_key_missing", "Idempotency key missing", detail)
    }

    /// 400: not one key of the right form.
    pub fn idempotency_key_invalid() -> Problem {
        let detail = "There must be one Idempotency-Key header, with 1 to 255 visible ASCII characters.";
        Problem::new(400, "idempotency_key_invalid", "Idempotency key invalid", detail)
    }

    /// 401: no valid key, whatever is wrong with it.
    pub fn unauthorized() -> Problem {
        Problem::new(401, "unauthorized", "Unauthorized", "The request carries no valid API key.")
    }

    /// 403: the key may not.
    pub fn insufficient_scope(scope: Scope) -> Problem {
        let detail = format!("This API key lacks the scope {}.", scope.as_str());
        Problem::new(403, "insufficient_scope", "Insufficient scope", &detail)
    }

    /// 403: the merchant may not.
    pub fn merchant_suspended() -> Problem {
        let detail = "This merchant is suspended: it may read, but starts nothing new.";
        Problem::new(403, "merchant_suspended", "Merchant suspended", detail)
    }

    /// 404: missing, foreign or malformed: one answer for all.
    pub fn not_found() -> Problem {
        Problem::new(404, "not_found", "Not found", "There is nothing here.")
    }

    /// 409: this mode has no processor.
    pub fn processor_not_configured() -> Problem {
        let detail = "No processor is configured for live payments. Use a test key.";
        Problem::new(409, "processor_not_configured", "Processor not configured", detail)
    }

    /// 409: there are too many already.
    pub fn too_many_webhook_endpoints(most: usize) -> Problem {
        let detail = format!("There may be at most {most} webhook endpoints.");
        Problem::new(409, "too_many_webhook_endpoints", "Too many webhook endpoints", &detail)
    }

    /// 413: longer than 64 KiB.
    pub fn body_too_large() -> Problem {
        Problem::new(413, "body_too_large", "Body too large", "The body may have at most 65536 bytes.")
    }

    /// 415: not JSON by its header.
    pub fn unsupported_media_type() -> Problem {
        let detail = "The body must be sent with Content-Type: application/json.";
        Problem::new(415, "unsupported_media_type", "Unsupported media type", detail)
    }

    /// 422: the body alone is wrong; every fault is told.
    pub fn invalid_request(errors: Vec<Invalid>) -> Problem {
        let problem = Problem::new(422, "invalid_request", "Invalid request", "The body has faults; see errors.");
        Problem { errors, ..problem }
    }

    /// 422: a known currency that this merchant does not take.
    pub fn currency_not_enabled(errors: Vec<Invalid>) -> Problem {
        let detail = "This merchant does not take this currency.";
        Problem { errors, ..Problem::new(422, "currency_not_enabled", "Currency not enabled", detail) }
    }

    /// 422: the key belongs to another request.
    pub fn idempotency_key_reused() -> Problem {
        let detail = "This Idempotency-Key was used with another body. Use a new key for a new request.";
        Problem::new(422, "idempotency_key_reused", "Idempotency key reused", detail)
    }

    /// 500: a fault of ours. The cause goes to the log only.
    pub fn internal_error(cause: impl Into<String>) -> Problem {
        let detail = "Something failed on our side. The same request may be sent again with the same idempotency key.";
        Problem { cause: cause.into(), ..Problem::new(500, "internal_error", "Internal error", detail) }
    }

    /// 503: not now.
    pub fn unavailable(cause: impl Into<String>) -> Problem {
        let detail = "The service can't answer right now. The same request may be sent again.";
        Problem { cause: cause.into(), ..Problem::new(503, "unavailable", "Unavailable", detail) }
    }

    /// Whether it is our fault rather than the client's.
    pub fn is_ours(&self) -> bool {
        self.status >= 500
    }

    /// Status, code and cause.
    pub(crate) fn for_log(&self) -> String {
        let cause = if self.cause.is_empty() { String::new() } else { format!(": {}", self.cause) };
        format!("{} {}{cause}", self.status, self.code)
    }

    /// The answer.
    pub fn into_response(self, request_id: &str) -> Response {
        let body = Body {
            problem_type: format!("https://spillway.dev/problems/{}", self.code.replace('_', "-")),
            title: self.title,
            status: self.status,
            detail: &self.detail,
            instance: format!("urn:uuid:{request_id}"),
            code: self.code,
            request_id,
            errors: &self.errors,
        };
        let response = Response::problem(self.status, &body);
        if self.status == 503 { response.with_header("Retry-After", RETRY_AFTER_S.to_string()) } else { response }
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

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Problem {
        Problem::internal_error(error.to_string())
    }
}

impl From<OutOfRange> for Problem {
    fn from(error: OutOfRange) -> Problem {
        Problem::internal_error(error.to_string())
    }
}
