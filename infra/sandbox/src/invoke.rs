//! Calls functions through Lambda's Invoke API.

use serde_json::Value;

/// Why a function gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The function's own error.
    #[error("{0}")]
    Function(String),
    /// The Invoke API refused the call, or did not answer.
    #[error("{0}")]
    Api(String),
}

/// The functions of a stack.
pub struct Functions {
    http: reqwest::Client,
    url: String,
}

impl Functions {
    /// The functions behind the Invoke API at `url`, such as `http://127.0.0.1:9000`. Errors if the HTTP client can't
    /// be built.
    pub fn at(url: &str) -> Result<Self, InvokeError> {
        // No proxy, because a proxy can't reach this machine's loopback address. No certificates, because the stack
        // does not use TLS and loading them takes time.
        let builder = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        let http = builder.build().map_err(|error| InvokeError::Api(error.to_string()))?;
        Ok(Self { http, url: format!("{url}/2015-03-31/functions") })
    }

    /// The function's answer to `event`. The client sets no time limit, because the runner has one for each function.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvokeError> {
        let api = |error: reqwest::Error| InvokeError::Api(error.to_string());
        let url = format!("{}/{function}/invocations", self.url);
        let answer = self.http.post(url).body(event.to_string()).send().await.map_err(api)?;
        let (status, failed) = (answer.status(), answer.headers().contains_key("x-amz-function-error"));
        let text = answer.text().await.map_err(api)?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let message = || body["errorMessage"].as_str().map_or_else(|| text.clone(), str::to_owned);
        match (failed, status.is_success()) {
            (true, _) => Err(InvokeError::Function(message())),
            (false, true) => Ok(body),
            (false, false) => Err(InvokeError::Api(message())),
        }
    }
}
