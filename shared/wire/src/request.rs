//! Requests of API Gateway's REST API as `lambda_http` requests, and the parts of them that endpoints use.

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
use spillway_domain::tenant::Mode;
use spillway_domain::trace::Trace;

use super::json::Json;
use super::problem::Problem;

/// The largest body, in bytes.
pub(super) const BODY_MAX: usize = 64 * 1024;

/// Why an event can't be converted to a request.
#[derive(Debug, PartialEq)]
pub enum Unreadable {
    /// The client's request is not valid HTTP, although API Gateway has accepted it.
    Request {
        /// The gateway's id of the request.
        request_id: String,
        /// The reason for the client, in one sentence.
        why: &'static str,
    },
    /// The payload is not an event of API Gateway's REST API.
    Event,
}

/// Converts an event of API Gateway's REST proxy integration to a request, with all values of repeated headers.
///
/// `lambda_http::run` is not used, because it keeps only the last value of a repeated header. A repeated
/// `Authorization` or `Idempotency-Key` must be refused. It also panics at an invalid `Host` and at invalid base64.
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
    // The event contains headers and parameters twice: with all values of each name, and with one value. The second
    // form is used only if the first is missing.
    *request.headers_mut() =
        if event.multi_value_headers.is_empty() { event.headers } else { event.multi_value_headers };
    let query = match event.multi_value_query_string_parameters {
        empty if empty.is_empty() => event.query_string_parameters,
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

/// The parts of an event that has invalid headers.
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
            Ok(event) if event.has_invalid_header() => {
                let request_id = event.request_context.request_id;
                Unreadable::Request { request_id, why: "A header has a character that HTTP does not allow." }
            }
            _ => Unreadable::Event,
        }
    }

    fn has_invalid_header(&self) -> bool {
        let many = self.multi_value_headers.iter().flatten();
        let many = many.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let mut all = many.chain(self.headers.iter().flatten());
        all.any(|(name, value)| HeaderName::try_from(name).is_err() || HeaderValue::try_from(value).is_err())
    }
}

/// Parts of a request that endpoints use, in addition to [`lambda_http::RequestExt`].
pub trait ApiRequestExt {
    /// The gateway's id of this request. "" if it is missing.
    fn request_id(&self) -> &str;

    /// The trace in the header `traceparent`. None if it is missing, repeated or malformed.
    fn trace(&self) -> Option<Trace>;

    /// The route: the path with the names of its parameters. "" if it is missing.
    fn route(&self) -> &str;

    /// A parameter of the path. "" if it is missing.
    fn path_parameter(&self, name: &str) -> &str;

    /// The path of an object below this request's path, as the client sees it: with the stage or the base path of a
    /// custom domain.
    fn location(&self, id: &str) -> String;

    /// The path of a resource in another collection, as the client sees it.
    fn location_of(&self, collection: &str, id: &str) -> String;

    /// The idempotency key. Errors with 400 if it is missing, repeated or malformed.
    fn idempotency_key(&self) -> Result<IdempotencyKey, Problem>;

    /// The body: a JSON object without repeated keys. Errors with 415 for another media type, 413 for a large body, and
    /// 400 for other faults, checked in this order.
    fn json(&self) -> Result<Json, Problem>;

    /// The body of a request that needs no body: an empty object if it is missing, else the same as
    /// [`ApiRequestExt::json`].
    fn no_json(&self) -> Result<Json, Problem>;
}

impl ApiRequestExt for Request {
    fn request_id(&self) -> &str {
        context(self).and_then(|context| context.request_id.as_deref()).unwrap_or_default()
    }

    fn trace(&self) -> Option<Trace> {
        let mut sent = self.headers().get_all("traceparent").iter();
        let trace = Trace::parse(sent.next()?.to_str().ok()?);
        trace.filter(|_| sent.next().is_none())
    }

    fn route(&self) -> &str {
        context(self).and_then(|context| context.resource_path.as_deref()).unwrap_or_default()
    }

    fn path_parameter(&self, name: &str) -> &str {
        self.path_parameters_ref().and_then(|parameters| parameters.first(name)).unwrap_or_default()
    }

    fn location(&self, id: &str) -> String {
        // The path in the request context is the one that the client sees.
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
        IdempotencyKey::parse(header).ok_or_else(Problem::idempotency_key_invalid)
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
        let text =
            std::str::from_utf8(bytes).map_err(|_| Problem::malformed_request("The body is not valid UTF-8."))?;
        // The gateway passes a body as text and replaces invalid UTF-8 by U+FFFD. The original bytes are lost, so the
        // body is refused. A body in base64 is unchanged, so it may contain this character.
        if matches!(self.body(), Body::Text(_)) && text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Problem::malformed_request("The body is not valid UTF-8, or contains the character U+FFFD."));
        }
        let sent =
            Json::parse_object(text).map_err(|error| Problem::malformed_request(&format!("The body {error}.")))?;
        match sent.repeated.finish() {
            errors if errors.is_empty() => Ok(sent.object),
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

/// The value of a header. None if the header is missing. Errors with `repeated` if it occurs more than once.
pub(super) fn single_header<'a>(
    request: &'a Request, name: &str, repeated: Problem,
) -> Result<Option<&'a str>, Problem> {
    let mut values = request.headers().get_all(name).iter().map(text);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(repeated),
    }
}

/// A text from the authorizer's context. "" if it is missing or not a text.
pub(super) fn authorizer_value<'a>(request: &'a Request, name: &str) -> &'a str {
    let authorizer = request.request_context_ref().and_then(RequestContext::authorizer);
    authorizer.and_then(|authorizer| authorizer.fields.get(name)).and_then(Value::as_str).unwrap_or_default()
}

/// The merchant in the authorizer's context, for the log. "" if it is missing.
pub fn caller_merchant(request: &Request) -> &str {
    authorizer_value(request, "merchant")
}

/// The mode in the authorizer's context, for the log. None if it is missing.
pub fn caller_mode(request: &Request) -> Option<Mode> {
    Mode::parse(authorizer_value(request, "mode"))
}

/// The well-formed ids in the request's path, for the log. Other values are left out, because they may be anything.
pub fn ids_in_path(request: &Request) -> impl Iterator<Item = &str> {
    let parameters = request.path_parameters_ref().into_iter().flat_map(|parameters| parameters.iter());
    parameters.map(|(_, value)| value).filter(|value| is_id(value))
}

/// The value of a header. It is valid UTF-8, because the event is JSON, but it may contain other characters than ASCII.
pub(super) fn text(value: &HeaderValue) -> &str {
    std::str::from_utf8(value.as_bytes()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
