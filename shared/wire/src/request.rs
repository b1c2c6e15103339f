//! Requests of API Gateway's REST API, as `lambda_http` has them, and what all endpoints ask of them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayProxyRequestContext};
use lambda_http::http::{HeaderName, HeaderValue};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _};
use serde::Deserialize;
use serde_json::Value;
use spillway_domain::id::is_id;
use spillway_domain::idempotency::IdempotencyKey;

use super::json::Json;
use super::problem::Problem;
use super::view;

/// The largest body, in bytes.
pub(super) const BODY_MAX: usize = 64 * 1024;

/// Why an event does not become a request.
#[derive(Debug, PartialEq)]
pub enum Unreadable {
    /// API Gateway passed on what HTTP does not allow.
    Request {
        /// The gateway's id of the request.
        request_id: String,
        /// For the client, in one sentence.
        why: &'static str,
    },
    /// It is no event of API Gateway's REST API.
    Event,
}

/// The request of an event of API Gateway's REST proxy integration, with all values of repeated headers.
///
/// `lambda_http::run` would make it of the event too. But that keeps only the last value of a repeated header, and a
/// repeated `Authorization` or `Idempotency-Key` must be seen to be refused. It also panics at a `Host` that is no host
/// and at a body that is no base64.
pub fn read_request(payload: &str) -> Result<Request, Unreadable> {
    let Ok(event) = serde_json::from_str::<ApiGatewayProxyRequest>(payload) else {
        return Err(Rough::read(payload));
    };
    let body = match event.body {
        None => Body::Empty,
        Some(text) if event.is_base64_encoded => match STANDARD.decode(text) {
            Ok(bytes) => Body::Binary(bytes),
            Err(_) => {
                let request_id = event.request_context.request_id.unwrap_or_default();
                return Err(Unreadable::Request { request_id, why: "The body can't be decoded." });
            }
        },
        Some(text) => Body::Text(text),
    };
    let mut request = Request::new(body);
    *request.method_mut() = event.http_method;
    // Of each pair, the second keeps one value for each name. It counts only where the first is missing.
    *request.headers_mut() =
        if event.multi_value_headers.is_empty() { event.headers } else { event.multi_value_headers };
    let query = match event.multi_value_query_string_parameters {
        none if none.is_empty() => event.query_string_parameters,
        all => all,
    };
    let path = event.path.unwrap_or_default();
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    Ok(request
        .with_raw_http_path(path)
        .with_path_parameters(event.path_parameters)
        .with_query_string_parameters(query)
        .with_stage_variables(event.stage_variables)
        .with_request_context(RequestContext::ApiGatewayV1(event.request_context)))
}

/// An event whose headers may be anything.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rough {
    #[serde(default)]
    multi_value_headers: Option<HashMap<String, Vec<String>>>,
    #[serde(default)]
    headers: Option<HashMap<String, String>>,
    request_context: RoughContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoughContext {
    request_id: String,
}

impl Rough {
    /// Why this event can't be read.
    fn read(payload: &str) -> Unreadable {
        match serde_json::from_str::<Rough>(payload) {
            Ok(event) if event.has_odd_header() => {
                let request_id = event.request_context.request_id;
                Unreadable::Request { request_id, why: "A header has a character that no header may have." }
            }
            _ => Unreadable::Event,
        }
    }

    fn has_odd_header(&self) -> bool {
        let many = self.multi_value_headers.iter().flatten();
        let many = many.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let mut all = many.chain(self.headers.iter().flatten());
        all.any(|(name, value)| HeaderName::try_from(name).is_err() || HeaderValue::try_from(value).is_err())
    }
}

/// What endpoints ask of a request beside `lambda_http`'s own [`lambda_http::RequestExt`].
pub trait ApiRequestExt {
    /// The gateway's id of this request. "" if it gave none.
    fn request_id(&self) -> &str;

    /// The route: the path with its parameters' names. "" if the gateway gave none.
    fn route(&self) -> &str;

    /// A parameter of the path. "" if it is missing.
    fn path_parameter(&self, name: &str) -> &str;

    /// The address of something below this request's own path: right behind a stage and behind a custom domain.
    fn location(&self, id: &str) -> String;

    /// Where a resource of another collection is, as the client reaches it.
    fn location_of(&self, collection: &str, id: &str) -> String;

    /// The idempotency key, which every POST must have. 400 if it is missing, repeated or malformed.
    fn idempotency_key(&self) -> Result<IdempotencyKey, Problem>;

    /// The versions that a change may be based on. 428 if the header is missing or is not a list of entity tags.
    fn if_match(&self) -> Result<IfMatch, Problem>;

    /// The body, a JSON object in which no key is repeated. 415, 413 and 400 in this order.
    fn json(&self) -> Result<Json, Problem>;

    /// The body of a request that takes none: an empty object if there is none, else as [`ApiRequestExt::json`].
    fn no_json(&self) -> Result<Json, Problem>;
}

/// The header `If-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfMatch(Vec<String>);

impl IfMatch {
    /// 412 unless this version is named, or `*` stands for every one. A weak tag never matches (RFC 9110, section 13.1.1).
    pub fn check(&self, version: u64) -> Result<(), Problem> {
        let etag = view::etag(version);
        let is_named = self.0.iter().any(|named| *named == etag || named == "*");
        if is_named { Ok(()) } else { Err(Problem::precondition_failed()) }
    }
}

impl ApiRequestExt for Request {
    fn request_id(&self) -> &str {
        context(self).and_then(|context| context.request_id.as_deref()).unwrap_or_default()
    }

    fn route(&self) -> &str {
        context(self).and_then(|context| context.resource_path.as_deref()).unwrap_or_default()
    }

    fn path_parameter(&self, name: &str) -> &str {
        self.path_parameters_ref().and_then(|parameters| parameters.first(name)).unwrap_or_default()
    }

    fn location(&self, id: &str) -> String {
        // The gateway's own path: as the client sees it, with the stage or the custom domain's base path.
        let path = context(self).and_then(|context| context.path.as_deref()).unwrap_or_default();
        format!("{}/{id}", path.trim_end_matches('/'))
    }

    fn location_of(&self, collection: &str, id: &str) -> String {
        let path = context(self).and_then(|context| context.path.as_deref()).unwrap_or_default();
        let base = path.rfind("/v1/").map_or("", |at| &path[..at]);
        format!("{base}/v1/{collection}/{id}")
    }

    fn idempotency_key(&self) -> Result<IdempotencyKey, Problem> {
        let header = single_header(self, "idempotency-key", Problem::idempotency_key_invalid())?;
        let header = header.ok_or_else(Problem::idempotency_key_missing)?;
        IdempotencyKey::parse(header).map_err(|_| Problem::idempotency_key_invalid())
    }

    fn if_match(&self) -> Result<IfMatch, Problem> {
        let named: Vec<String> = tags(self, "if-match").map(str::to_owned).collect();
        let quoted = |tag: &str| tag.strip_prefix('"')?.strip_suffix('"').map(|inside| !inside.contains('"'));
        let is_tag = |tag: &String| tag == "*" || quoted(tag.strip_prefix("W/").unwrap_or(tag)) == Some(true);
        let all = !named.is_empty() && named.iter().all(is_tag);
        if all { Ok(IfMatch(named)) } else { Err(Problem::precondition_required()) }
    }

    fn no_json(&self) -> Result<Json, Problem> {
        let bytes: &[u8] = self.body();
        if bytes.is_empty() { Ok(Json::Object(Vec::new())) } else { self.json() }
    }

    fn json(&self) -> Result<Json, Problem> {
        let content_type = single_header(self, "content-type", Problem::unsupported_media_type())?.unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::unsupported_media_type());
        }
        let bytes: &[u8] = self.body();
        if bytes.len() > BODY_MAX {
            return Err(Problem::body_too_large());
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Problem::malformed_request("The body is no valid UTF-8."))?;
        // The gateway hands bodies on as text, with this character for whatever was no UTF-8. Nobody could tell that
        // from what the client meant, and it would be stored as if it were that. A body in base64 is as it was sent.
        if matches!(self.body(), Body::Text(_)) && text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Problem::malformed_request("The body is no valid UTF-8, or holds the character U+FFFD."));
        }
        let sent = Json::parse_object(text).map_err(|why| Problem::malformed_request(&format!("The body {why}.")))?;
        match sent.repeated.finish() {
            none if none.is_empty() => Ok(sent.object),
            errors => Err(Problem::repeated_keys(errors)),
        }
    }
}

fn context(request: &Request) -> Option<&ApiGatewayProxyRequestContext> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV1(context) => Some(context),
        _ => None,
    }
}

/// A header's only value. None if the header is missing, `repeated` if it came more than once.
pub(super) fn single_header<'a>(
    request: &'a Request, name: &str, repeated: Problem,
) -> Result<Option<&'a str>, Problem> {
    let mut values = request.headers().get_all(name).iter().map(text);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(repeated),
    }
}

/// A value that the authorizer put into the request's context. "" if it put no text there.
pub(super) fn authorizer_value<'a>(request: &'a Request, name: &str) -> &'a str {
    let authorizer = request.request_context_ref().and_then(RequestContext::authorizer);
    authorizer.and_then(|authorizer| authorizer.fields.get(name)).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the client has this version already.
pub(super) fn has_version(request: &Request, etag: &str) -> bool {
    tags(request, "if-none-match").any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The entity tags in a header.
fn tags<'a>(request: &'a Request, name: &str) -> impl Iterator<Item = &'a str> {
    request.headers().get_all(name).iter().map(text).flat_map(|value| value.split(',')).map(str::trim)
}

/// The merchant that the authorizer named, for the log. "" if it named none.
pub fn claimed_merchant(request: &Request) -> &str {
    authorizer_value(request, "merchant")
}

/// The ids in the request's path, for the log: what has no id's form may be anything.
pub fn ids_in_path(request: &Request) -> impl Iterator<Item = &str> {
    let parameters = request.path_parameters_ref().into_iter().flat_map(|parameters| parameters.iter());
    parameters.map(|(_, value)| value).filter(|value| is_id(value))
}

/// A header's value. It came as text, so it is valid UTF-8, though perhaps not ASCII.
fn text(value: &HeaderValue) -> &str {
    std::str::from_utf8(value.as_bytes()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
