//! Problems: error answers in the form of RFC 9457. Only this module maps errors to texts and HTTP statuses.
//!
//! The gateway's own problems are in `infra/template.yaml`. They have the same codes and titles, but may have other
//! texts.

use std::collections::BTreeSet;

use lambda_http::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::api_key::Scope;
use spillway_domain::webhook::ENABLED_MAX;

use super::contract::{ProblemType, problem_types as types};
use super::faults::Invalid;
use super::response::{ApiResponseExt as _, Response, problem};
use super::versions::ApiVersion;

/// Seconds until the next try, in the header `Retry-After` of a 503.
const RETRY_AFTER_S: i64 = 1;

/// The challenges of RFC 6750, section 3, in the header `WWW-Authenticate`. If a function answers 401, the request has
/// a key that was valid a moment before. API Gateway renames this header of a function's answer to
/// `x-amzn-remapped-www-authenticate`. In the gateway's own answers it keeps its name.
const INVALID_TOKEN: &str = r#"Bearer realm="spillway", error="invalid_token""#;
const INSUFFICIENT_SCOPE: &str = r#"Bearer realm="spillway", error="insufficient_scope""#;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: &'static ProblemType,
    detail: String,
    errors: Vec<Invalid>,
    /// The cause for the log. The client does not see it.
    cause: String,
    /// The id of the object that was not created or changed, for the log. Empty if it is not known.
    about: String,
    /// Seconds until the next try, in the header `Retry-After`. None: the header is left out.
    retry_after_s: Option<i64>,
}

/// An error answer (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemBody<'a> {
    /// The type of problem as a URI. It is only an identifier and need not lead to a page.
    #[serde(rename = "type")]
    #[schemars(extend("format" = "uri"))]
    problem_type: String,
    /// The type of problem in words.
    title: &'a str,
    /// The HTTP status.
    #[schemars(extend("minimum" = 400, "maximum" = 599), with = "i32")]
    status: u16,
    /// What is wrong, for people.
    detail: &'a str,
    /// This occurrence of the problem: `urn:uuid:` and the request id.
    instance: String,
    /// The type of problem, for programs.
    code: &'a str,
    /// The id of this request, for the operator of this API.
    request_id: &'a str,
    /// All faults that were found. The query is checked first, then repeated keys, then card numbers, then the other
    /// faults of fields, and the first check with a fault ends the request. At most 100 faults, followed by the number of
    /// further ones.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Invalid],
}

impl Problem {
    /// A problem of this type. `detail` is for people.
    pub fn new(kind: &'static ProblemType, detail: &str) -> Problem {
        let retry_after_s = (kind.status == 503).then_some(RETRY_AFTER_S);
        let (errors, cause, about) = (Vec::new(), String::new(), String::new());
        Problem { kind, detail: detail.to_owned(), errors, cause, about, retry_after_s }
    }

    /// A problem of this type, which ends after `wait_ms`.
    pub fn after(kind: &'static ProblemType, wait_ms: i64, detail: &str) -> Problem {
        let seconds = wait_ms.saturating_add(999) / 1000;
        Problem { retry_after_s: Some(seconds.max(1)), ..Problem::new(kind, detail) }
    }

    /// Sets the id of the object that was not created or changed, for the log.
    #[must_use]
    pub fn about(self, id: &str) -> Problem {
        Problem { about: id.to_owned(), ..self }
    }

    /// The same problem with the faults of the request.
    #[must_use]
    pub fn with_errors(self, errors: Vec<Invalid>) -> Problem {
        Problem { errors, ..self }
    }

    /// 400: the body is not a JSON object, or the request is not valid HTTP.
    pub fn malformed_request(detail: &str) -> Problem {
        Problem::new(&types::MALFORMED_REQUEST, detail)
    }

    /// 400: the body repeats a key in an object. Spillway does not guess which value is meant.
    pub fn repeated_keys(errors: Vec<Invalid>) -> Problem {
        Problem::malformed_request("The body repeats a key in an object; see errors.").with_errors(errors)
    }

    /// 400: the query has unknown parameters and no other fault.
    pub fn unknown_parameters(errors: Vec<Invalid>) -> Problem {
        Problem::new(&types::UNKNOWN_PARAMETER, "The query has unknown parameters; see errors.").with_errors(errors)
    }

    /// 400: parameters of the query have faults. `errors` contains all of them.
    pub fn invalid_parameters(errors: Vec<Invalid>) -> Problem {
        Problem::new(&types::INVALID_PARAMETERS, "The parameters have faults; see errors.").with_errors(errors)
    }

    /// 400: the cursor does not belong to this list and these filters.
    pub fn invalid_cursor() -> Problem {
        let detail = "The cursor does not belong to this list, or the filters differ from those of its page.";
        Problem::new(&types::INVALID_CURSOR, detail)
    }

    /// 400: the header `Idempotency-Key` is missing. A repeated request is safe only with it.
    pub fn idempotency_key_missing() -> Problem {
        let detail = "Every POST needs the header Idempotency-Key, so that a repeated request takes effect only once.";
        Problem::new(&types::IDEMPOTENCY_KEY_MISSING, detail)
    }

    /// 400: the header `Idempotency-Key` is repeated or malformed.
    pub fn idempotency_key_invalid() -> Problem {
        let detail = "Send the header Idempotency-Key once, with 1 to 255 visible ASCII characters.";
        Problem::new(&types::IDEMPOTENCY_KEY_INVALID, detail)
    }

    /// 400: the header `Spillway-Version` is repeated or contains no version.
    pub fn unknown_version() -> Problem {
        let dates = ApiVersion::ALL.map(ApiVersion::as_str).join(", ");
        Problem::new(&types::UNKNOWN_VERSION, &format!("The header Spillway-Version must be one of: {dates}."))
    }

    /// 401: the request has no valid API key. The answer does not say what is wrong with the key.
    pub fn unauthorized() -> Problem {
        let detail = "The request carries no valid API key. Send the API key as `Authorization: Bearer sk_...`.";
        Problem::new(&types::UNAUTHORIZED, detail)
    }

    /// 403: the key lacks the scope.
    pub fn insufficient_scope(scope: Scope) -> Problem {
        let detail = format!("This API key lacks the scope {}.", scope.as_str());
        Problem::new(&types::INSUFFICIENT_SCOPE, &detail)
    }

    /// 403: the merchant is suspended.
    pub fn merchant_suspended() -> Problem {
        let detail = "This merchant is suspended: it can read, but not start anything new.";
        Problem::new(&types::MERCHANT_SUSPENDED, detail)
    }

    /// 404: the tenant has no such object, or the id is malformed. The answer is the same in all cases. `object`: the
    /// object in words, such as `payment`.
    pub fn not_found(object: &str) -> Problem {
        Problem::new(&types::NOT_FOUND, &format!("There is no {object} with this id."))
    }

    /// 409: the tenant has the most enabled webhook endpoints already.
    pub fn too_many_enabled_webhook_endpoints() -> Problem {
        let detail = format!("There are {ENABLED_MAX} enabled webhook endpoints already. No more are allowed.");
        Problem::new(&types::TOO_MANY_ENABLED_WEBHOOK_ENDPOINTS, &detail)
    }

    /// 412: the object has another version than `If-Match` names.
    pub fn precondition_failed() -> Problem {
        Problem::new(&types::PRECONDITION_FAILED, "The object has another version than the header If-Match names.")
    }

    /// 413: the body is longer than 64 KiB.
    pub fn body_too_large() -> Problem {
        Problem::new(&types::BODY_TOO_LARGE, "The body may have at most 65536 bytes.")
    }

    /// 415: the header `Content-Type` does not name JSON.
    pub fn unsupported_media_type() -> Problem {
        let detail = "The body must be sent with Content-Type: application/json.";
        Problem::new(&types::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 422: fields of the body have faults. `errors` contains all of them.
    pub fn invalid_request(errors: Vec<Invalid>) -> Problem {
        Problem::new(&types::INVALID_REQUEST, "The body has faults; see errors.").with_errors(errors)
    }

    /// 422: the idempotency key was used for another request.
    pub fn idempotency_key_reused() -> Problem {
        let detail = "This Idempotency-Key was used with another body. Use a new key for a new request.";
        Problem::new(&types::IDEMPOTENCY_KEY_REUSED, detail)
    }

    /// 428: the header `If-Match` is missing or malformed.
    pub fn precondition_required() -> Problem {
        let detail =
            "A change needs the header If-Match with the ETag of the object's present version, quotes included.";
        Problem::new(&types::PRECONDITION_REQUIRED, detail)
    }

    /// 500: an error of Spillway. `cause` is for the log only.
    pub fn internal_error(cause: impl Into<String>) -> Problem {
        let detail = "Something failed on our side. The same request may be sent again with the same idempotency key.";
        Problem { cause: cause.into(), ..Problem::new(&types::INTERNAL_ERROR, detail) }
    }

    /// 503: Spillway can't answer now. `cause` is for the log only.
    pub fn unavailable(cause: impl Into<String>) -> Problem {
        let detail = "The service can't answer right now. The same request may be sent again.";
        Problem { cause: cause.into(), ..Problem::new(&types::UNAVAILABLE, detail) }
    }

    /// The type of problem.
    pub fn kind(&self) -> &'static ProblemType {
        self.kind
    }

    /// Whether the error is Spillway's, not the client's: status 500 or above.
    pub fn is_ours(&self) -> bool {
        self.kind.status >= 500
    }

    /// The text for the log: status, code, the fields with faults, and the cause. Undeclared names are left out,
    /// because the client may have put anything there.
    pub fn for_log(&self) -> String {
        let named: BTreeSet<&str> = self.errors.iter().map(|fault| fault.field.as_str()).collect();
        let slash = if self.kind.status == 422 { "/" } else { "" };
        let fields: String =
            named.iter().filter(|name| !name.is_empty()).map(|name| format!(" {slash}{name}")).collect();
        let unnamed = if named.contains("") { " and a field not named here" } else { "" };
        let cause = if self.cause.is_empty() { String::new() } else { format!(": {}", self.cause) };
        format!("{} {}{fields}{unnamed}{cause}", self.kind.status, self.kind.code)
    }

    /// The answer.
    pub fn into_response(self, request_id: &str) -> Response {
        let body = ProblemBody {
            problem_type: format!("https://spillway.dev/problems/{}", self.kind.code.replace('_', "-")),
            title: self.kind.title,
            status: self.kind.status,
            detail: &self.detail,
            instance: format!("urn:uuid:{request_id}"),
            code: self.kind.code,
            request_id,
            errors: &self.errors,
        };
        // Every declared status is valid.
        let status = StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let response = problem(status, &body);
        let response = if self.about.is_empty() { response } else { response.about(&self.about) };
        match (self.kind.status, self.kind.code) {
            (401, _) => response.with_header("WWW-Authenticate", INVALID_TOKEN),
            (403, "insufficient_scope") => response.with_header("WWW-Authenticate", INSUFFICIENT_SCOPE),
            _ => match self.retry_after_s {
                Some(seconds) => response.with_header("Retry-After", seconds.to_string()),
                None => response,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fields, Json};

    #[test]
    fn the_log_names_declared_fields_only() {
        let body = r#"{"amount":"x","event_types":["",1],"metadata":{"jane.roe":1},"jane":"x"}"#;
        let mut fields = Fields::of_sent(Json::parse_object(body).unwrap());
        fields.integer("amount", 1..=9_i64);
        fields.text("currency", 3);
        fields.list("event_types", 9, "must be an event", |text| Some(text.to_owned()));
        fields.metadata();
        let line = Problem::invalid_request(fields.finish()).for_log();
        assert_eq!(line, "422 invalid_request /amount /currency /event_types /metadata and a field not named here");
        assert_eq!(Problem::not_found("payment").for_log(), "404 not_found");
        assert_eq!(Problem::internal_error("panic").for_log(), "500 internal_error: panic");
    }

    #[test]
    fn the_log_contains_neither_a_card_number_nor_its_key() {
        let fields = Fields::of_sent(Json::parse_object(r#"{"jane":"4242424242424242"}"#).unwrap());
        let line = Problem::invalid_request(fields.finish()).for_log();
        assert_eq!(line, "422 invalid_request and a field not named here");
    }

    #[test]
    fn each_status_has_its_headers() {
        let header = |problem: Problem, name: &str| {
            let answer = problem.into_response("r");
            answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let challenge = header(Problem::unauthorized(), "WWW-Authenticate");
        assert_eq!(challenge.as_deref(), Some("Bearer realm=\"spillway\", error=\"invalid_token\""));
        let challenge = header(Problem::insufficient_scope(Scope::PaymentsRead), "WWW-Authenticate");
        assert_eq!(challenge.as_deref(), Some("Bearer realm=\"spillway\", error=\"insufficient_scope\""));
        assert_eq!(header(Problem::unavailable(""), "Retry-After").as_deref(), Some("1"));
        for other in [
            Problem::merchant_suspended(),
            Problem::not_found("payment"),
            Problem::internal_error(""),
            Problem::body_too_large(),
        ] {
            assert_eq!(header(other.clone(), "WWW-Authenticate"), None);
            assert_eq!(header(other, "Retry-After"), None);
        }
    }
}
