//! The endpoints of `docs/openapi.json`. Tests derive their routes from it, so that a new endpoint is tested without a
//! change of the tests.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Request, unique};

const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// An operation of the document.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// HTTP method.
    pub method: Method,
    /// Path below `/v1`, with its parameters in braces.
    pub path: String,
    operation: Value,
}

/// All endpoints, ordered by path.
pub fn endpoints() -> Vec<Endpoint> {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let endpoints = paths.flat_map(|(path, operations)| {
        operations.as_object().unwrap().iter().map(|(method, operation)| Endpoint {
            method: method.to_uppercase().parse().unwrap(),
            path: path.strip_prefix("/v1").unwrap().to_owned(),
            operation: operation.clone(),
        })
    });
    endpoints.collect()
}

impl Endpoint {
    /// Method and path, for messages.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Its function: the operation's id in the form of the folder's name.
    pub fn function(&self) -> String {
        let name = self.operation["operationId"].as_str().unwrap();
        let kebab = name.chars().flat_map(|letter| {
            let dash = letter.is_uppercase().then_some('-');
            dash.into_iter().chain(letter.to_lowercase())
        });
        kebab.collect()
    }

    /// Scope that a key needs; `None` for a public endpoint.
    pub fn scope(&self) -> Option<&str> {
        self.operation["security"][0]["api_key"][0].as_str()
    }

    /// Status of success.
    pub fn success(&self) -> u16 {
        let statuses = self.operation["responses"].as_object().unwrap().keys();
        statuses.filter_map(|status| status.parse().ok()).find(|status| (200..300).contains(status)).unwrap()
    }

    /// Whether a suspended merchant may not call it.
    pub fn needs_active_merchant(&self) -> bool {
        let answer = &self.operation["responses"]["403"]["content"]["application/problem+json"]["schema"]["allOf"][1];
        let codes = answer["properties"]["code"]["enum"].as_array().into_iter().flatten();
        codes.into_iter().any(|code| *code == json!("merchant_suspended"))
    }

    /// A valid request to `path`, which is [`Endpoint::path`] with its parameters replaced.
    pub fn request(&self, client: &Client, path: &str) -> Request {
        let mut request = client.request(self.method.clone(), path);
        if self.has_header("Idempotency-Key") {
            request = request.header("idempotency-key", &unique());
        }
        if self.has_header("If-Match") {
            request = request.header("if-match", "*");
        }
        if let Some(body) = self.operation["requestBody"]["content"]["application/json"].get("example") {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        request
    }

    /// Whether the document requires this header.
    fn has_header(&self, name: &str) -> bool {
        self.operation["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["name"] == name)
    }
}
