//! The dated versions of the API, the answers of older versions, and deprecations: docs/api-versions.md.

use lambda_http::http::header::ETAG;
use lambda_http::{Body, Request};
use serde_json::Value;

use super::contract::Method;
use super::problem::Problem;
use super::request::single_header;
use super::response::{ApiResponseExt as _, Response};

/// The header of requests and answers that contains the version.
pub const VERSION_HEADER: &str = "spillway-version";

/// A dated version of the API. A later version is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion(&'static str);

impl ApiVersion {
    /// Release 0.1.0. It is the version of a request without the header.
    pub const FIRST: ApiVersion = ApiVersion("2026-11-28");
    /// A deletion requires `If-Match`.
    pub const GUARDED_DELETION: ApiVersion = ApiVersion("2026-12-01");
    /// All versions, the oldest first.
    pub const ALL: [ApiVersion; 2] = [ApiVersion::FIRST, ApiVersion::GUARDED_DELETION];

    /// The version of a request. Errors with 400 if the header is repeated or contains no version.
    pub fn of(request: &Request) -> Result<ApiVersion, Problem> {
        let Some(date) = single_header(request, VERSION_HEADER, Problem::unknown_version())? else {
            return Ok(ApiVersion::FIRST);
        };
        ApiVersion::ALL.into_iter().find(|version| version.0 == date).ok_or_else(Problem::unknown_version)
    }

    /// The date, as in the header.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// A change of an endpoint's answers that would break clients, so older versions do not have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShapeChange {
    /// The first version that has the change.
    pub(super) since: ApiVersion,
    pub(super) method: Method,
    /// The route of the endpoint.
    pub(super) path: &'static str,
    /// Turns the body of an answer back to the shape before the change.
    pub(super) undo: fn(&mut Value),
}

/// All changes of answers, the oldest first.
pub(super) const SHAPE_CHANGES: &[ShapeChange] = &[];

/// A deprecated operation, or an operation with a deprecated field.
#[derive(Debug, Clone, Copy)]
pub struct Deprecation {
    /// The method of the operation.
    pub method: Method,
    /// The route of the operation.
    pub path: &'static str,
    /// The deprecated field. None if the whole operation is deprecated.
    pub field: Option<&'static str>,
    /// What a client should use instead, as a sentence in Markdown.
    pub instead: &'static str,
    /// The value of the header `Deprecation` (RFC 9745): `@` and a time in seconds since 1970.
    pub since: &'static str,
    /// The value of the header `Sunset` (RFC 8594), a time in the format of HTTP. The operation or field may be gone
    /// from then on.
    pub sunset: &'static str,
}

/// All deprecations. An operation has at most one, because a header contains one time.
pub const DEPRECATIONS: &[Deprecation] = &[];

/// The answer of the newest version in the shape of `version`.
///
/// Caches keep the shapes apart, because the answer has `Vary`. An older shape has a tag of its own, because a tag must
/// not mean two bodies (RFC 9110, section 8.8.1).
pub(super) fn in_shape_of(
    version: ApiVersion, operation: (&str, &str), answer: Response, changes: &[ShapeChange],
) -> Response {
    let is_changed = |change: &&ShapeChange| (change.method.as_str(), change.path) == operation;
    if !answer.status().is_success() || !changes.iter().any(|change| is_changed(&change)) {
        return answer;
    }
    let mut answer = answer.with_header("vary", VERSION_HEADER);
    let newer: Vec<_> = changes.iter().rev().filter(is_changed).filter(|change| change.since > version).collect();
    let Ok(mut body) = serde_json::from_slice::<Value>(answer.body()) else { return answer };
    if newer.is_empty() {
        return answer;
    }
    newer.iter().for_each(|change| (change.undo)(&mut body));
    *answer.body_mut() = Body::Text(body.to_string());
    let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()?.strip_suffix('"'));
    match tag.map(|tag| format!("{tag}-{}\"", version.0)) {
        Some(tag) => answer.with_version(tag),
        None => answer,
    }
}

/// The answer with the headers of the operation's deprecation, if it has one.
pub(super) fn with_deprecation(operation: (&str, &str), answer: Response, all: &[Deprecation]) -> Response {
    match all.iter().find(|entry| (entry.method.as_str(), entry.path) == operation) {
        Some(entry) => answer.with_header("deprecation", entry.since).with_header("sunset", entry.sunset),
        None => answer,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHOW: (&str, &str) = ("GET", "/v1/things/{thing_id}");

    /// Version 2 split `name` into `given` and `family`; version 3 moved `size` into `shape`.
    const CHANGES: [ShapeChange; 2] = [
        ShapeChange {
            since: ApiVersion("2027-02-01"),
            method: Method::Get,
            path: SHOW.1,
            undo: |body| body["name"] = format!("{} {}", text(&body["given"]), text(&body["family"])).into(),
        },
        ShapeChange {
            since: ApiVersion("2027-03-01"),
            method: Method::Get,
            path: SHOW.1,
            undo: |body| body["given"] = body["person"]["given"].take(),
        },
    ];

    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    /// Body, tag and `Vary` of the answer to a request.
    fn shown(version: &'static str, operation: (&str, &str)) -> (Value, String, bool) {
        let newest = json!({"person": {"given": "Ada"}, "family": "Byron"});
        let answer = Response::ok(&newest).with_version("\"7\"");
        let answer = in_shape_of(ApiVersion(version), operation, answer, &CHANGES);
        let body = serde_json::from_slice(answer.body()).unwrap();
        (body, answer.headers()["etag"].to_str().unwrap().to_owned(), answer.headers().contains_key("vary"))
    }

    #[test]
    fn an_older_version_undoes_each_newer_change() {
        let newest = json!({"person": {"given": "Ada"}, "family": "Byron"});
        assert_eq!(shown("2027-03-01", SHOW), (newest.clone(), "\"7\"".to_owned(), true));
        let second = json!({"person": {"given": null}, "given": "Ada", "family": "Byron"});
        assert_eq!(shown("2027-02-01", SHOW), (second, "\"7-2027-02-01\"".to_owned(), true));
        let (first, tag, _) = shown("2027-01-01", SHOW);
        assert_eq!((&first["name"], tag.as_str()), (&json!("Ada Byron"), "\"7-2027-01-01\""));
        for other in [("POST", SHOW.1), ("GET", "/v1/things")] {
            assert_eq!(shown("2027-01-01", other), (newest.clone(), "\"7\"".to_owned(), false), "{other:?}");
        }
    }

    #[test]
    fn a_problem_has_one_shape() {
        let problem = Problem::not_found("thing").into_response("r");
        let same = in_shape_of(ApiVersion::FIRST, SHOW, problem.clone(), &CHANGES);
        assert_eq!((same.body(), same.headers()), (problem.body(), problem.headers()));
    }

    #[test]
    fn a_deprecated_operation_says_since_when_and_until_when() {
        let entry = Deprecation {
            method: Method::Get,
            path: SHOW.1,
            field: None,
            instead: "Use `GET /v1/objects`.",
            since: "@1798761600",
            sunset: "Fri, 31 Dec 2027 00:00:00 GMT",
        };
        let headers = |operation| {
            let answer = with_deprecation(operation, Response::ok(&1), &[entry]);
            ["deprecation", "sunset"]
                .map(|name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()))
        };
        assert_eq!(headers(SHOW), [Some(entry.since.to_owned()), Some(entry.sunset.to_owned())]);
        assert_eq!(headers(("DELETE", SHOW.1)), [None, None]);
    }

    #[test]
    fn a_request_names_one_version_or_none() {
        let read = |sent: &[&str]| {
            let mut request = Request::default();
            for value in sent {
                request.headers_mut().append(VERSION_HEADER, value.parse().unwrap());
            }
            ApiVersion::of(&request)
        };
        assert_eq!(read(&[]), Ok(ApiVersion::FIRST));
        for version in ApiVersion::ALL {
            assert_eq!(read(&[version.as_str()]), Ok(version));
        }
        for wrong in [&["2026-11-27"][..], &[""], &["latest"], &["2026-11-28", "2026-11-28"]] {
            assert_eq!(read(wrong), Err(Problem::unknown_version()), "{wrong:?}");
        }
        assert!(ApiVersion::ALL.is_sorted());
    }
}
