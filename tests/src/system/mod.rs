//! A Spillway system as its users reach it: merchants through the API, operators through Lambda's invoke API. Methods
//! with `try_` return errors as sentences; the others fail the test.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::eventually::{Deadline, eventually};
use crate::client::Client;
use crate::receiver::{Attempt, Receiver};
use crate::{event, terms};

pub mod operator;

use operator::Operator;

/// A merchant with a client.
#[derive(Debug, Clone)]
pub struct Merchant {
    /// `mer_…`
    pub id: String,
    /// A client with its test key of every scope.
    pub client: Client,
}

impl Merchant {
    /// Merchant and mode as in the table's keys: `mer_…#test`.
    pub fn tenant(&self) -> String {
        format!("{}#test", self.id)
    }
}

/// A running Spillway system, local or deployed.
#[derive(Debug, Clone)]
pub struct System {
    http: reqwest::Client,
    base_url: String,
    operator: Option<Operator>,
}

impl System {
    /// The system whose API answers at `base_url`, `…/v1`.
    pub(crate) fn new(http: &reqwest::Client, base_url: &str, operator: Option<Operator>) -> System {
        System { http: http.clone(), base_url: base_url.to_owned(), operator }
    }

    /// `http://127.0.0.1:PORT/v1`
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The API's path as the API itself knows it: behind a stage it starts with the stage's name.
    pub fn path(&self) -> String {
        let path = self.base_url.splitn(4, '/').nth(3).unwrap_or_default();
        // An emulator without host names: /restapis/API/STAGE/_user_request_/v1 stands for /STAGE/v1.
        match path.strip_prefix("restapis/").and_then(|rest| rest.split_once('/')) {
            Some((_, rest)) => format!("/{}", rest.replace("/_user_request_", "")),
            None => format!("/{path}"),
        }
    }

    /// A client with this API key, valid or not.
    pub fn client(&self, secret: &str) -> Client {
        Client::new(&self.http, &self.base_url, secret)
    }

    /// Invokes a function through Lambda's API; the inner `Err` is the function's error, the outer one a sentence.
    pub async fn try_invoke(&self, function: &str, payload: &Value) -> Result<Result<Value, Value>, String> {
        self.operator()?.try_invoke(function, payload).await
    }

    /// The same, with the function's error as a sentence too.
    async fn invoked(&self, function: &str, payload: &Value) -> Result<Value, String> {
        self.try_invoke(function, payload).await?.map_err(|error| format!("{function} failed: {error}"))
    }

    fn operator(&self) -> Result<&Operator, String> {
        self.operator.as_ref().ok_or_else(|| "SPILLWAY_LAMBDA_URL is missing: functions can't be invoked.".to_owned())
    }

    /// Runs the sweep, as the schedule does.
    pub async fn try_run_due(&self) -> Result<(), String> {
        self.invoked("enqueue-due", &event::tick()).await.map(drop)
    }

    /// Creates a merchant with USD, EUR, JPY and KWD at 290 basis points + 30 and a delay of two days; `changes`
    /// replaces fields of the request.
    pub async fn try_new_merchant(&self, changes: &Value) -> Result<Merchant, String> {
        let merchant = self.invoked("create-merchant", &terms::merchant(changes)).await?;
        let id = merchant["id"].as_str().ok_or_else(|| format!("create-merchant answered {merchant}."))?;
        Ok(Merchant { id: id.to_owned(), client: self.try_new_key(id, &json!({})).await? })
    }

    /// Issues a key of the merchant; returns issue-api-key's answer and a client with the key; `changes` replaces
    /// fields of the request.
    pub async fn try_issue(&self, merchant: &str, changes: &Value) -> Result<(Value, Client), String> {
        let key = self.invoked("issue-api-key", &terms::key(merchant, changes)).await?;
        let secret = key["secret"].as_str().ok_or("issue-api-key gave no secret.")?;
        let client = self.client(secret).with_plan_key(self.operator()?.plan_key(merchant).await?);
        Ok((key, client))
    }

    /// A client with a new key of the merchant; `changes` replaces fields of the request.
    pub async fn try_new_key(&self, merchant: &str, changes: &Value) -> Result<Client, String> {
        self.try_issue(merchant, changes).await.map(|(_, client)| client)
    }

    /// Invokes a function through Lambda's API; `Err` is the function's error.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Value, Value> {
        self.try_invoke(function, payload).await.unwrap()
    }

    /// The same with a raw payload, which may have a key twice.
    pub async fn invoke_with(&self, function: &str, payload: &str) -> Result<Value, Value> {
        self.operator().unwrap().try_invoke_with(function, payload.to_owned()).await.unwrap()
    }

    /// Runs the sweep until it succeeds, as the schedule does on a slow store.
    pub async fn run_due(&self) {
        eventually("what is due is enqueued", Deadline::SOON, async || self.try_run_due().await).await;
    }

    /// Waits for at least `count` attempts at the receiver, with sweeps meanwhile, because an attempt's wait ends by a
    /// message's delay or by the `due` index. Returns all attempts.
    pub async fn attempts_at_least(&self, receiver: &Receiver, count: usize, deadline: Duration) -> Vec<Attempt> {
        eventually(&format!("{count} delivery attempts"), deadline, async || {
            self.run_due().await;
            let attempts = receiver.attempts();
            if attempts.len() < count { Err(format!("{} attempts", attempts.len())) } else { Ok(attempts) }
        })
        .await
    }

    /// Creates a merchant with USD, EUR, JPY and KWD at 290 basis points + 30 and a delay of two days.
    pub async fn new_merchant(&self) -> Merchant {
        self.new_merchant_with(json!({})).await
    }

    /// The same; `terms` replaces fields of the request.
    pub async fn new_merchant_with(&self, terms: Value) -> Merchant {
        self.try_new_merchant(&terms).await.unwrap()
    }

    /// A client with a new key of the merchant; `terms` replaces fields of the request.
    pub async fn new_key(&self, merchant: &str, terms: Value) -> Client {
        self.try_new_key(merchant, &terms).await.unwrap()
    }
}
