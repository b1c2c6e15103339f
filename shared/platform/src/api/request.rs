//! A request, from the event of API Gateway's REST proxy integration.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use serde::Deserialize;
use serde_json::Value;
use spillway_domain::id::is_id;
use spillway_domain::idempotency::IdempotencyKey;

use super::json::Json;
use super::problem::Problem;

/// The largest body, in bytes.
const BODY_MAX: usize = 64 * 1024;

/// The fields of the event that are used. (A header that a stricter type could not hold must not fail the whole.)
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiEvent {
    http_method: String,
    resource: Option<String>,
    multi_value_headers: Option<HashMap<String, Vec<String>>>,
    headers: Option<HashMap<String, String>>,
    multi_value_query_string_parameters: Option<HashMap<String, Vec<String>>>,
    query_string_parameters: Option<HashMap<String, String>>,
    path_parameters: Option<HashMap<String, String>>,
    request_context: RequestContext,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    request_id: String,
    path: Option<String>,
    authorizer: Option<HashMap<String, Value>>,
}

/// A request to an endpoint.
#[derive(Debug)]
pub struct Request {
    /// In upper case.
    pub method: String,
    /// The route: the path with its parameters' names.
    pub resource: String,
    /// The gateway's id of this request.
    pub request_id: String,
    /// The path as the client sees it, stage and base path included.
    path: String,
    /// By lower-case name, all values.
    headers: HashMap<String, Vec<String>>,
    /// By name, all values, decoded.
    pub(super) query: BTreeMap<String, Vec<String>>,
    path_parameters: HashMap<String, String>,
    pub(super) authorizer: HashMap<String, Value>,
    body: Option<String>,
    is_base64_encoded: bool,
}

impl From<ApiEvent> for Request {
    fn from(event: ApiEvent) -> Request {
        let mut headers: HashMap<String, Vec<String>> = HashMap::new();
        for (name, values) in all_values(event.multi_value_headers, event.headers) {
            // The same header in two spellings is the same header twice.
            headers.entry(name.to_ascii_lowercase()).or_default().extend(values);
        }
        Request {
            method: event.http_method,
            resource: event.resource.unwrap_or_default(),
            request_id: event.request_context.request_id,
            path: event.request_context.path.unwrap_or_default(),
            headers,
            query: all_values(event.multi_value_query_string_parameters, event.query_string_parameters)
                .into_iter()
                .collect(),
            path_parameters: event.path_parameters.unwrap_or_default(),
            authorizer: event.request_context.authorizer.unwrap_or_default(),
            body: event.body,
            is_base64_encoded: event.is_base64_encoded.unwrap_or_default(),
        }
    }
}

/// All values where the event has them all, else those of the form that keeps one for each name.
fn all_values(
    many: Option<HashMap<String, Vec<String>>>, single: Option<HashMap<String, String>>,
) -> HashMap<String, Vec<String>> {
    let many = many.filter(|many| !many.is_empty());
    many.unwrap_or_else(|| single.unwrap_or_default().into_iter().map(|(name, value)| (name, vec![value])).collect())
}

impl Request {
    /// A header's only value. None if it is missing; an error of the caller's choice if it came more than once.
    pub(super) fn single_header(&self, name: &str, twice: Problem) -> Result<Option<&str>, Problem> {
        match self.headers.get(name).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([value]) => Ok(Some(value)),
            Some(_) => Err(twice),
        }
    }

    /// The idempotency key, which every POST must have.
    pub fn idempotency_key(&self) -> Result<IdempotencyKey, Problem> {
        let header = self.single_header("idempotency-key", Problem::idempotency_key_invalid())?;
        let header = header.ok_or_else(Problem::idempotency_key_missing)?;
        IdempotencyKey::parse(header).map_err(|_| Problem::idempotency_key_invalid())
    }

    /// Whether the client has this version already.
    pub fn has_version(&self, etag: &str) -> bool {
        let known = self.headers.get("if-none-match").into_iter().flatten();
        known
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|value| value == "*" || value.strip_prefix("W/").unwrap_or(value) == etag)
    }

    /// A parameter of the path, "" if there is none.
    pub fn path_parameter(&self, name: &str) -> &str {
        self.path_parameters.get(name).map_or("", String::as_str)
    }

    /// The ids in its path, for the log: what has no id's form may be anything.
    pub(crate) fn named(&self) -> impl Iterator<Item = &String> {
        self.path_parameters.values().filter(|value| is_id(value))
    }

    /// The address of something below this request's own path: right behind a stage and behind a custom domain.
    pub fn location(&self, id: &str) -> String {
        format!("{}/{id}", self.path.trim_end_matches('/'))
    }

    /// The merchant that the authorizer named, for the log. "" if it named none.
    pub fn claimed_merchant(&self) -> &str {
        self.authorizer.get("merchant").and_then(Value::as_str).unwrap_or_default()
    }

    /// The body, a JSON object. 415, 413 and 400 in this order.
    pub fn json(&self) -> Result<Json, Problem> {
        let content_type = self.single_header("content-type", Problem::unsupported_media_type())?.unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::unsupported_media_type());
        }
        let body = self.body.as_deref().unwrap_or_default();
        let decoded;
        let bytes = if self.is_base64_encoded {
            let unreadable = |_| Problem::malformed_request("The body can't be decoded.");
            decoded = base64::engine::general_purpose::STANDARD.decode(body).map_err(unreadable)?;
            decoded.as_slice()
        } else {
            body.as_bytes()
        };
        if bytes.len() > BODY_MAX {
            return Err(Problem::body_too_large());
        }
        // The gateway hands bodies on as text, with this character for whatever was no UTF-8. Nobody could tell that
        // from what the client meant, and it would be stored as if it were that.
        if !self.is_base64_encoded && body.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Problem::malformed_request("The body is no valid UTF-8, or holds the character U+FFFD."));
        }
        Json::parse_object(bytes).map_err(|why| Problem::malformed_request(&why))
    }
}
