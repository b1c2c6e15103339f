//! The operator's access: functions without a route, invoked through Lambda's API.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// The functions whose requests name the operator.
pub const OF_OPERATORS: [&str; 8] = [
    "create-merchant",
    "update-merchant",
    "issue-api-key",
    "revoke-api-key",
    "redeliver-event",
    "list-merchants",
    "list-api-keys",
    "list-operator-actions",
];

/// A user with the right to invoke functions.
#[derive(Debug, Clone)]
pub struct Operator {
    http: reqwest::Client,
    /// Address of Lambda's API, `http://127.0.0.1:PORT`.
    endpoint: String,
    /// Prefix of function names: `spillway-`, or empty on this machine.
    prefix: String,
    region: String,
    /// Whether clients must send their merchant's plan key.
    sends_plan_keys: bool,
}

impl Operator {
    /// The operator of the runner at `endpoint`.
    pub(crate) fn new(http: &reqwest::Client, endpoint: &str) -> Operator {
        let (endpoint, region) = (endpoint.to_owned(), "us-east-1".to_owned());
        Operator { http: http.clone(), endpoint, prefix: String::new(), region, sends_plan_keys: false }
    }

    /// For the stack of this name, at an emulator with several.
    pub(crate) fn of_stack(self, name: &str) -> Operator {
        Operator { prefix: format!("{name}-"), ..self }
    }

    /// For this region.
    pub(crate) fn in_region(self, region: String) -> Operator {
        Operator { region, ..self }
    }

    /// For a gateway that takes plan keys from clients only.
    pub(crate) fn sending_plan_keys(self) -> Operator {
        Operator { sends_plan_keys: true, ..self }
    }

    /// Invokes a function by its folder's name; the inner `Err` is the function's error, the outer one a sentence. A
    /// request that has to name its operator, and does not, names `tests`.
    pub async fn try_invoke(&self, function: &str, payload: &Value) -> Result<Result<Value, Value>, String> {
        let mut payload = payload.clone();
        if let Some(request) = payload.as_object_mut().filter(|_| OF_OPERATORS.contains(&function)) {
            request.entry("operator").or_insert_with(|| json!("tests"));
        }
        self.try_invoke_with(function, payload.to_string()).await
    }

    /// The same with a raw payload, which may have a key twice.
    pub async fn try_invoke_with(&self, function: &str, payload: String) -> Result<Result<Value, Value>, String> {
        let url = format!("{}/2015-03-31/functions/{}{function}/invocations", self.endpoint, self.prefix);
        let answer = self.signed(self.http.post(url), "lambda").body(payload).send().await;
        let answer = answer.map_err(|_| format!("{function} can't be invoked: the stack does not answer."))?;
        let (status, failed) = (answer.status(), answer.headers().contains_key("x-amz-function-error"));
        let text = answer.text().await.map_err(|_| format!("{function} gave half an answer."))?;
        let body = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
        match (failed, status.is_success()) {
            (true, _) => Ok(Err(body)),
            (false, true) => Ok(Ok(body)),
            (false, false) => Err(format!("{function} can't be invoked: {status} {text}")),
        }
    }

    /// The plan key that clients of this merchant must send, if the gateway does not take it from the authorizer. On
    /// AWS and on this machine no client sends or sees one.
    pub(crate) async fn plan_key(&self, merchant: &str) -> Result<Option<String>, String> {
        if !self.sends_plan_keys {
            return Ok(None);
        }
        let mut position = None;
        loop {
            let keys = self.plan_keys(position.as_deref()).await?;
            // Its name is the table's name and the merchant's id.
            let of_merchant = |key: &&Value| key["name"].as_str().is_some_and(|name| name.ends_with(merchant));
            let items = keys["item"].as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(key) = items.iter().find(of_merchant) {
                return Ok(key["value"].as_str().map(str::to_owned));
            }
            position = keys["position"].as_str().map(str::to_owned);
            if position.is_none() {
                return Err(format!("The gateway has no plan key of {merchant}."));
            }
        }
    }

    /// A page of all plan keys.
    async fn plan_keys(&self, position: Option<&str>) -> Result<Value, String> {
        let position = position.map(|position| format!("&position={position}")).unwrap_or_default();
        let url = format!("{}/apikeys?includeValues=true&limit=500{position}", self.endpoint);
        let answer = self.signed(self.http.get(url), "apigateway").send().await;
        let text = match answer {
            Ok(answer) => answer.text().await,
            Err(error) => Err(error),
        };
        let text = text.map_err(|_| "The gateway does not tell its plan keys.".to_owned())?;
        serde_json::from_str(&text).map_err(|_| format!("The gateway tells no plan keys: {text}"))
    }

    /// Adds an imitated signature of the account's own user: emulators read only user and region.
    fn signed(&self, request: RequestBuilder, service: &str) -> RequestBuilder {
        let credential = format!("Credential=test/20260101/{}/{service}/aws4_request", self.region);
        let signature = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, Signature=0");
        request.header("authorization", signature).header("x-amz-date", "20260101T000000Z")
    }
}
