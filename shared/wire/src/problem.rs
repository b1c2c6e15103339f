//! Every refusal, as RFC 9457 problem details. The one place that knows statuses of errors.
//!
//! The gateway's own refusals, in `infra/template.yaml`, share codes and titles; their texts may differ.

use std::collections::BTreeSet;

use lambda_http::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::api_key::Scope;
use spillway_domain::webhook::{ENABLED_MAX, ENDPOINTS_MAX, EndpointLimit};

use super::contract::{ProblemType, problem_types as types};
use super::faults::Invalid;
use super::response::{ApiResponseExt as _, Response, problem};

/// Seconds after which an unavailable service may be asked again.
const RETRY_AFTER_S: u32 = 1;

/// The challenges of RFC 6750, section 3. Where a function answers 401, a key came and was right a moment before. API
/// Gateway renames this header of a function to `x-amzn-remapped-www-authenticate`; in its own answers it stays as the
/// template has it.
const INVALID_TOKEN: &str = r#"Bearer realm="spillway", error="invalid_token""#;
const INSUFFICIENT_SCOPE: &str = r#"Bearer realm="spillway", error="insufficient_scope""#;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: &'static ProblemType,
    detail: String,
    errors: Vec<Invalid>,
    /// For the log only: what the client is not told.
    cause: String,
}

/// A refusal (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemBody<'a> {
    /// The kind of problem, as an address. It names the kind; nothing need be there.
    #[serde(rename = "type")]
    #[schemars(extend("format" = "uri"))]
    problem_type: String,
    /// The kind of problem in words.
    title: &'a str,
    /// The HTTP status.
    #[schemars(extend("minimum" = 400, "maximum" = 599), with = "i32")]
    status: u16,
    /// What is wrong, for people.
    detail: &'a str,
    /// This very occurrence: `urn:uuid:` and the request id.
    instance: String,
    /// The kind of problem, for programs.
    code: &'a str,
    /// The id of this request, for the operator of this API.
    request_id: &'a str,
    /// All that the step which refused the request found: the query, then repeated keys, then the fields. At most 100, and
    /// then how many there are besides.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Invalid],
}

impl Problem {
    /// A problem of this kind. `detail` is for people.
    pub fn new(kind: &'static ProblemType, detail: &str) -> Problem {
        Problem { kind, detail: detail.to_owned(), errors: Vec::new(), cause: String::new() }
    }

    /// 400: the request is none.
    pub fn malformed_request(detail: &str) -> Problem {
        Problem::new(&types::MALFORMED_REQUEST, detail)
    }

    /// 400: keys are repeated, and which value is meant is not guessed.
    pub fn repeated_keys(errors: Vec<Invalid>) -> Problem {
        Problem { errors, ..Problem::malformed_request("The body has a key more than once in an object; see errors.") }
    }

    /// 400: the query has parameters that this request does not have, and no other fault.
    pub fn unknown_parameters(errors: Vec<Invalid>) -> Problem {
        let detail = "This request has no parameters of these names; see errors.";
        Problem { errors, ..Problem::new(&types::UNKNOWN_PARAMETER, detail) }
    }

    /// 400: parameters of the query are wrong; every fault is told.
    pub fn invalid_parameters(errors: Vec<Invalid>) -> Problem {
        let detail = "The parameters have faults; see errors.";
        Problem { errors, ..Problem::new(&types::INVALID_PARAMETERS, detail) }
    }

    /// 400: no cursor of this list, or one that went on with other filters.
    pub fn invalid_cursor() -> Problem {
        let detail = "The cursor is not one that this list gave, or the filters beside it are not those it keeps.";
        Problem::new(&types::INVALID_CURSOR, detail)
    }

    /// 400: it must be there, so that the same request may be sent again.
    pub fn idempotency_key_missing() -> Problem {
        let detail = "Every POST needs an Idempotency-Key header, so that sending it again can't do it twice.";
        Problem::new(&types::IDEMPOTENCY_KEY_MISSING, detail)
    }

    /// 400: not one key of the right form.
    pub fn idempotency_key_invalid() -> Problem {
        let detail = "There must be one Idempotency-Key header, with 1 to 255 visible ASCII characters.";
        Problem::new(&types::IDEMPOTENCY_KEY_INVALID, detail)
    }

    /// 401: no valid key, whatever is wrong with it.
    pub fn unauthorized() -> Problem {
        let detail = "The request carries no valid API key. Send the API key as `Authorization: Bearer sk_...`.";
        Problem::new(&types::UNAUTHORIZED, detail)
    }

    /// 403: the key may not.
    pub fn insufficient_scope(scope: Scope) -> Problem {
        let detail = format!("This API key lacks the scope {}.", scope.as_str());
        Problem::new(&types::INSUFFICIENT_SCOPE, &detail)
    }

    /// 403: the merchant may not.
    pub fn merchant_suspended() -> Problem {
        let detail = "This merchant is suspended: it may read, but starts nothing new.";
        Problem::new(&types::MERCHANT_SUSPENDED, detail)
    }

    /// 404: a `what` that is missing or another merchant's, or an id that is malformed: one answer for all.
    pub fn not_found(what: &str) -> Problem {
        Problem::new(&types::NOT_FOUND, &format!("There is no {what} with this id."))
    }

    /// 409: this mode has no processor.
    pub fn processor_not_configured() -> Problem {
        let detail = "No processor is configured for live payments. Use a test key.";
        Problem::new(&types::PROCESSOR_NOT_CONFIGURED, detail)
    }

    /// 409: there are too many already.
    pub fn too_many_webhook_endpoints(limit: EndpointLimit) -> Problem {
        let (kind, detail) = match limit {
            EndpointLimit::Enabled => (
                &types::TOO_MANY_ENABLED_WEBHOOK_ENDPOINTS,
                format!("There are {ENABLED_MAX} enabled webhook endpoints, and there may be no more."),
            ),
            EndpointLimit::All => (
                &types::TOO_MANY_WEBHOOK_ENDPOINTS,
                format!(
                    "There are {ENDPOINTS_MAX} webhook endpoints, disabled ones included, and there may be no more."
                ),
            ),
        };
        Problem::new(kind, &detail)
    }

    /// 412: the object has another version than the one that the change is based on.
    pub fn precondition_failed() -> Problem {
        Problem::new(&types::PRECONDITION_FAILED, "The object has another version than the header If-Match names.")
    }

    /// 413: longer than 64 KiB.
    pub fn body_too_large() -> Problem {
        Problem::new(&types::BODY_TOO_LARGE, "The body may have at most 65536 bytes.")
    }

    /// 415: not JSON by its header.
    pub fn unsupported_media_type() -> Problem {
        let detail = "The body must be sent with Content-Type: application/json.";
        Problem::new(&types::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 422: the body alone is wrong; every fault is told.
    pub fn invalid_request(errors: Vec<Invalid>) -> Problem {
        let problem = Problem::new(&types::INVALID_REQUEST, "The body has faults; see errors.");
        Problem { errors, ..problem }
    }

    /// 422: a known currency that this merchant does not take.
    pub fn currency_not_enabled(errors: Vec<Invalid>) -> Problem {
        let detail = "This merchant does not take this currency.";
        Problem { errors, ..Problem::new(&types::CURRENCY_NOT_ENABLED, detail) }
    }

    /// 422: the key belongs to another request.
    pub fn idempotency_key_reused() -> Problem {
        let detail = "This Idempotency-Key was used with another body. Use a new key for a new request.";
        Problem::new(&types::IDEMPOTENCY_KEY_REUSED, detail)
    }

    /// 428: a change needs the version that it is based on.
    pub fn precondition_required() -> Problem {
        let detail =
            "A change needs the ETag of the object that it is based on, with its quotes, in the header If-Match.";
        Problem::new(&types::PRECONDITION_REQUIRED, detail)
    }

    /// 500: a fault of ours. The cause goes to the log only.
    pub fn internal_error(cause: impl Into<String>) -> Problem {
        let detail = "Something failed on our side. The same request may be sent again with the same idempotency key.";
        Problem { cause: cause.into(), ..Problem::new(&types::INTERNAL_ERROR, detail) }
    }

    /// 503: not now.
    pub fn unavailable(cause: impl Into<String>) -> Problem {
        let detail = "The service can't answer right now. The same request may be sent again.";
        Problem { cause: cause.into(), ..Problem::new(&types::UNAVAILABLE, detail) }
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> &'static ProblemType {
        self.kind
    }

    /// Whether it is our fault rather than the client's.
    pub fn is_ours(&self) -> bool {
        self.kind.status >= 500
    }

    /// Status, code, the fields that have faults, and the cause. A name that the client made up may hold anything and is
    /// left out.
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
        // Each is one of the declared statuses.
        let status = StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let response = problem(status, &body);
        match (self.kind.status, self.kind.code) {
            (401, _) => response.with_header("WWW-Authenticate", INVALID_TOKEN),
            (403, "insufficient_scope") => response.with_header("WWW-Authenticate", INSUFFICIENT_SCOPE),
            (503, _) => response.with_header("Retry-After", RETRY_AFTER_S.to_string()),
            _ => response,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fields, Json};

    #[test]
    fn the_log_has_the_fields_at_fault_and_no_name_that_the_client_made_up() {
        let body = r#"{"amount":"x","event_types":["",1],"metadata":{"jane.roe":1},"jane":"x"}"#;
        let mut fields = Fields::of_sent(Json::parse_object(body).unwrap());
        fields.integer("amount", 1..=9_i64);
        fields.text("currency", 3);
        fields.list("event_types", 9, "must be an event", |text| Some(text.to_owned()));
        fields.metadata();
        let told = Problem::invalid_request(fields.finish()).for_log();
        assert_eq!(told, "422 invalid_request /amount /currency /event_types /metadata and a field not named here");
        assert_eq!(Problem::not_found("payment").for_log(), "404 not_found");
        assert_eq!(Problem::internal_error("panic").for_log(), "500 internal_error: panic");
    }

    #[test]
    fn the_log_of_a_card_number_says_neither_it_nor_where_it_was() {
        let fields = Fields::of_sent(Json::parse_object(r#"{"jane":"4242424242424242"}"#).unwrap());
        let told = Problem::invalid_request(fields.finish()).for_log();
        assert_eq!(told, "422 invalid_request and a field not named here");
    }

    #[test]
    fn problems_have_the_headers_of_their_status() {
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
