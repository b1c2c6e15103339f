//! A request, from the event of API Gateway's REST proxy integration.

use std::collections::HashMap;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::Value;
use spillway_domain::id::is_id;
use spillway_domain::idempotency::IdempotencyKey;

use super::json::Json;
use super::parameters::Parameters;
use super::problem::Problem;

/// The largest body, in bytes.
pub(super) const BODY_MAX: usize = 64 * 1024;

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

/// A request to an endpoint, without its query: that is for those handlers alone that read it.
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
    path_parameters: HashMap<String, String>,
    pub(super) authorizer: HashMap<String, Value>,
    body: Option<String>,
    is_base64_encoded: bool,
}

impl ApiEvent {
    /// The request, and the parameters of its query.
    pub fn read(self) -> (Request, Parameters) {
        let mut headers: HashMap<String, Vec<String>> = HashMap::new();
        for (name, values) in all_values(self.multi_value_headers, self.headers) {
            // The same header in two spellings is the same header twice.
            headers.entry(name.to_ascii_lowercase()).or_default().extend(values);
        }
        let query = all_values(self.multi_value_query_string_parameters, self.query_string_parameters);
        let request = Request {
            method: self.http_method,
            resource: self.resource.unwrap_or_default(),
            request_id: self.request_context.request_id,
            path: self.request_context.path.unwrap_or_default(),
            headers,
            path_parameters: self.path_parameters.unwrap_or_default(),
            authorizer: self.request_context.authorizer.unwrap_or_default(),
            body: self.body,
            is_base64_encoded: self.is_base64_encoded.unwrap_or_default(),
        };
        (request, Parameters::of(query.into_iter().collect()))
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
    pub(super) fn has_version(&self, etag: &str) -> bool {
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

    /// The body, a JSON object in which no key is repeated. 415, 413 and 400 in this order.
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
        let text = std::str::from_utf8(bytes).map_err(|_| Problem::malformed_request("The body is no valid UTF-8."))?;
        // The gateway hands bodies on as text, with this character for whatever was no UTF-8. Nobody could tell that
        // from what the client meant, and it would be stored as if it were that.
        if !self.is_base64_encoded && text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Problem::malformed_request("The body is no valid UTF-8, or holds the character U+FFFD."));
        }
        let sent = Json::parse_object(text).map_err(|why| Problem::malformed_request(&format!("The body {why}.")))?;
        match sent.repeated.finish() {
            none if none.is_empty() => Ok(sent.object),
            errors => Err(Problem::repeated_keys(errors)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::faults::{Invalid, Place};
    use super::*;

    fn body(text: &str, is_base64_encoded: bool) -> Result<Json, Problem> {
        let headers = serde_json::json!({"Content-Type": "application/json"});
        let event = serde_json::json!({"headers": headers, "body": text, "isBase64Encoded": is_base64_encoded});
        serde_json::from_value::<ApiEvent>(event).unwrap().read().0.json()
    }

    fn encoded(bytes: &[u8]) -> Result<Json, Problem> {
        body(&base64::engine::general_purpose::STANDARD.encode(bytes), true)
    }

    #[test]
    fn a_body_is_read_as_text_or_in_base64() {
        let expected = Json::Object(vec![("a".to_owned(), Json::Text("é".to_owned()))]);
        assert_eq!(body("{\"a\":\"é\"}", false), Ok(expected.clone()));
        assert_eq!(encoded("{\"a\":\"é\"}".as_bytes()), Ok(expected));
        // In base64 nothing was replaced on the way, so this is what the client sent.
        assert_eq!(
            encoded("{\"a\":\"\u{fffd}\"}".as_bytes()),
            Ok(Json::Object(vec![("a".to_owned(), Json::Text("\u{fffd}".to_owned()))]))
        );
    }

    #[test]
    fn a_body_that_is_not_read_is_told_why() {
        let malformed = |why: &str| Err(Problem::malformed_request(why));
        assert_eq!(body("", false), malformed("The body is empty; send a JSON object."));
        assert_eq!(body("\u{feff}{}", false), malformed("The body begins with a byte order mark; send it without."));
        assert_eq!(encoded(b"\xef\xbb\xbf{}"), malformed("The body begins with a byte order mark; send it without."));
        // The byte order mark of UTF-16, as the gateway hands it on, and itself.
        let replaced = "The body is no valid UTF-8, or holds the character U+FFFD.";
        assert_eq!(body("\u{fffd}\u{fffd}{\0", false), malformed(replaced));
        assert_eq!(encoded(b"\xff\xfe{\0}\0"), malformed("The body is no valid UTF-8."));
        assert_eq!(body("e30", true), malformed("The body can't be decoded."));
        assert_eq!(body(&"é".repeat(32_769), false), Err(Problem::body_too_large()));
    }

    #[test]
    fn no_body_at_all_is_an_empty_one() {
        let event = serde_json::json!({"headers": {"content-type": "application/json"}, "body": null});
        let (request, _) = serde_json::from_value::<ApiEvent>(event).unwrap().read();
        assert_eq!(request.json(), Err(Problem::malformed_request("The body is empty; send a JSON object.")));
    }

    #[test]
    fn repeated_keys_are_refused_with_their_places() {
        let repeated = |pointer: &str| Invalid {
            place: Place::Pointer(pointer.to_owned()),
            detail: "is there more than once".to_owned(),
            field: String::new(),
        };
        let expected = Problem::repeated_keys(vec![repeated("/amount"), repeated("/metadata/a")]);
        assert_eq!(body(r#"{"amount":1,"amount":100,"metadata":{"a":"1","a":"2"}}"#, false), Err(expected));
    }
}
