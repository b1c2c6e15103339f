//! Answers, and the form in which API Gateway takes them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::request::Request;
use super::view;

/// An answer to a request.
#[derive(Debug, Clone)]
pub struct Response {
    status: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    subject: Option<String>,
}

/// The answer as API Gateway's proxy integration takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiResponse {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

impl Response {
    /// 200 with a body that a cache may keep, but must ask about.
    pub fn ok(body: &impl Serialize) -> Response {
        Response::json(200, "application/json", body).with_header("Cache-Control", "no-cache")
    }

    /// 201: stored, nothing more to do.
    pub fn created(body: &impl Serialize, location: String) -> Response {
        Response::json(201, "application/json", body).with_header("Location", location)
    }

    /// 202: stored, and work has begun.
    pub fn accepted(body: &impl Serialize, location: String) -> Response {
        Response::json(202, "application/json", body).with_header("Location", location)
    }

    /// This answer with the version of what it shows, or 304 in its place if the client has that version already.
    #[must_use]
    pub fn at_version(self, version: u64, request: &Request) -> Response {
        let etag = view::etag(version);
        let is_known = request.has_version(&etag);
        let response = self.with_version(etag);
        if is_known { response.not_modified() } else { response }
    }

    /// 304: the headers are those of this answer, so that caches keep it as long (RFC 9110, section 15.4.5), but for those
    /// of the body that it does not have.
    fn not_modified(mut self) -> Response {
        self.headers.remove("Content-Type");
        Response { status: 304, body: String::new(), ..self }
    }

    pub(super) fn problem(status: u16, body: &impl Serialize) -> Response {
        Response::json(status, "application/problem+json", body).with_header("Cache-Control", "no-store")
    }

    fn json(status: u16, content_type: &str, body: &impl Serialize) -> Response {
        let headers = BTreeMap::from([("Content-Type", content_type.to_owned())]);
        // What is rendered is made of texts and numbers: writing it to memory can't fail.
        let body = serde_json::to_string(body).unwrap_or_default();
        Response { status, headers, body, subject: None }
    }

    /// Sets a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.insert(name, value.into());
        self
    }

    /// Sets the version of what is shown.
    #[must_use]
    pub fn with_version(self, etag: impl Into<String>) -> Response {
        self.with_header("ETag", etag)
    }

    /// A balance, for example, must never be shown from a cache.
    #[must_use]
    pub fn never_cached(self) -> Response {
        self.with_header("Cache-Control", "no-store")
    }

    /// It will never change any more.
    #[must_use]
    pub fn final_for_this_client(self) -> Response {
        self.with_header("Cache-Control", "private, max-age=86400, immutable")
    }

    /// Marks the answer to a repeated request.
    #[must_use]
    pub fn replayed(self, replayed: bool) -> Response {
        if replayed { self.with_header("Idempotent-Replayed", "true") } else { self }
    }

    /// What it is about, for the log.
    #[must_use]
    pub fn about(mut self, id: &str) -> Response {
        self.subject = Some(id.to_owned());
        self
    }

    /// What it is about.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// For API Gateway.
    pub(crate) fn render(mut self, request_id: &str) -> ApiResponse {
        self.headers.insert("Request-Id", request_id.to_owned());
        ApiResponse { status_code: self.status, headers: self.headers, body: self.body, is_base64_encoded: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_modified_keeps_the_headers_that_are_not_of_the_body() {
        let shown = Response::ok(&"x").final_for_this_client().with_version("\"2\"").about("pay_1");
        let expected = [("Cache-Control", "private, max-age=86400, immutable"), ("ETag", "\"2\""), ("Request-Id", "r")];
        let answer = shown.not_modified();
        assert_eq!(answer.subject(), Some("pay_1"));
        let answer = answer.render("r");
        assert_eq!((answer.status_code, answer.body.as_str()), (304, ""));
        assert_eq!(answer.headers, BTreeMap::from(expected.map(|(name, value)| (name, value.to_owned()))));
    }
}
