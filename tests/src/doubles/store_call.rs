//! A call of the store, and the selection of calls.

use hyper::HeaderMap;
use hyper::body::Bytes;

/// One call as it arrived. Each retry of the SDK is its own call.
#[derive(Debug, Clone)]
pub struct Call {
    /// `PutItem`, …
    pub operation: String,
    /// The request in DynamoDB's JSON.
    pub body: String,
}

impl Call {
    pub(super) fn of(headers: &HeaderMap, body: &Bytes) -> Call {
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        Call { operation, body: String::from_utf8_lossy(body).into_owned() }
    }
}

/// Selects the calls that a fault applies to.
#[derive(Debug, Clone)]
pub struct Matching {
    operation: Option<&'static str>,
    parts: Vec<String>,
}

impl Matching {
    /// Every call.
    pub fn all() -> Matching {
        Matching { operation: None, parts: Vec::new() }
    }

    /// Calls of this operation.
    pub fn operation(name: &'static str) -> Matching {
        Matching { operation: Some(name), parts: Vec::new() }
    }

    /// Restricts it to calls whose body contains `part`.
    pub fn with(mut self, part: &str) -> Matching {
        self.parts.push(part.to_owned());
        self
    }

    pub(super) fn is(&self, call: &Call) -> bool {
        self.operation.is_none_or(|name| name == call.operation)
            && self.parts.iter().all(|part| call.body.contains(part))
    }
}
