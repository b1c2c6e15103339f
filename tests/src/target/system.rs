//! A system as those outside of it know it: where its API answers, and functions that an operator may call. What does
//! not work is a sentence, or fails the test.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::eventually::{Deadline, eventually};
use crate::client::Client;
use crate::receiver::{Attempt, Receiver};
use crate::{event, terms};

use super::operator::Operator;

/// A merchant of one's own, and how to call the API as it.
#[derive(Debug, Clone)]
pub struct Merchant {
    /// `mer_…`
    pub id: String,
    /// A client that holds its test key with every scope.
    pub client: Client,
}

impl Merchant {
    /// The merchant in test mode as keys name it: `mer_…#test`.
    pub fn tenant(&self) -> String {
        format!("{}#test", self.id)
    }
}

/// A system from outside.
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

    /// The path of the API as the API itself knows it: behind a stage it begins with the stage's name.
    pub fn path(&self) -> String {
        let path = self.base_url.splitn(4, '/').nth(3).unwrap_or_default();
        // An emulator without host names: /restapis/API/STAGE/_user_request_/v1 stands for /STAGE/v1.
        match path.strip_prefix("restapis/").and_then(|rest| rest.split_once('/')) {
            Some((_, rest)) => format!("/{}", rest.replace("/_user_request_", "")),
            None => format!("/{path}"),
        }
    }

    /// A client with this API key, whatever it is.
    pub fn client(&self, secret: &str) -> Client {
        Client::new(&self.http, &self.base_url, secret)
    }

    /// Invokes a function through Lambda's API: its answer, or its own error; `Err` is a sentence.
    pub async fn try_invoke(&self, function: &str, payload: &Value) -> Result<Result<Value, Value>, String> {
        self.operator()?.try_invoke(function, payload).await
    }

    /// The same, where the function's own error is a sentence too.
    async fn invoked(&self, function: &str, payload: &Value) -> Result<Value, String> {
        self.try_invoke(function, payload).await?.map_err(|error| format!("{function} failed: {error}"))
    }

    fn operator(&self) -> Result<&Operator, String> {
        self.operator
            .as_ref()
            .ok_or_else(|| "Nobody told where functions can be invoked: SPILLWAY_LAMBDA_URL.".to_owned())
    }

    /// Puts whatever is overdue on its queue, as the schedule would.
    pub async fn try_run_due(&self) -> Result<(), String> {
        self.invoked("enqueue-due", &event::tick()).await.map(drop)
    }

    /// A new merchant with USD, EUR, JPY and KWD at 290 basis points + 30, and a delay of two days; the fields of
    /// `changes` replace those of the request to create-merchant.
    pub async fn try_new_merchant(&self, changes: &Value) -> Result<Merchant, String> {
        let merchant = self.invoked("create-merchant", &terms::merchant(changes)).await?;
        let id = merchant["id"].as_str().ok_or_else(|| format!("create-merchant answered {merchant}."))?;
        Ok(Merchant { id: id.to_owned(), client: self.try_new_key(id, &json!({})).await? })
    }

    /// A new key of the merchant as issue-api-key tells it, and a client that holds it; the fields of `changes` replace
    /// those of the request.
    pub async fn try_issue(&self, merchant: &str, changes: &Value) -> Result<(Value, Client), String> {
        let key = self.invoked("issue-api-key", &terms::key(merchant, changes)).await?;
        let secret = key["secret"].as_str().ok_or("issue-api-key gave no secret.")?;
        let client = self.client(secret).with_plan_key(self.operator()?.plan_key(merchant).await?);
        Ok((key, client))
    }

    /// A client with a new key of the merchant; the fields of `changes` replace those of the request to issue-api-key.
    pub async fn try_new_key(&self, merchant: &str, changes: &Value) -> Result<Client, String> {
        self.try_issue(merchant, changes).await.map(|(_, client)| client)
    }

    /// Invokes a function through Lambda's API; `Err` is the function's own error.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Value, Value> {
        self.try_invoke(function, payload).await.unwrap()
    }

    /// The same with a payload as it is typed: what no JSON value can hold, a key twice for example.
    pub async fn invoke_with(&self, function: &str, payload: &str) -> Result<Value, Value> {
        self.operator().unwrap().try_invoke_with(function, payload.to_owned()).await.unwrap()
    }

    /// Puts whatever is overdue on its queue, as the schedule would; it too would try again where the store is slow.
    pub async fn run_due(&self) {
        eventually("what is due is enqueued", Deadline::SOON, async || self.try_run_due().await).await;
    }

    /// Waits until the receiver had at least `count` attempts, and enqueues what is due meanwhile, because the wait before
    /// an attempt ends with a message's delay or with the `due` index. Gives all attempts.
    pub async fn attempts_at_least(&self, receiver: &Receiver, count: usize, deadline: Duration) -> Vec<Attempt> {
        eventually(&format!("{count} delivery attempts"), deadline, async || {
            self.run_due().await;
            let attempts = receiver.attempts();
            if attempts.len() < count { Err(format!("{} attempts", attempts.len())) } else { Ok(attempts) }
        })
        .await
    }

    /// A new merchant with USD, EUR, JPY and KWD at 290 basis points + 30, and a delay of two days.
    pub async fn new_merchant(&self) -> Merchant {
        self.new_merchant_with(json!({})).await
    }

    /// The same, with other terms: the fields of `terms` replace those of the request to create-merchant.
    pub async fn new_merchant_with(&self, terms: Value) -> Merchant {
        self.try_new_merchant(&terms).await.unwrap()
    }

    /// A client with a new key of the merchant; the fields of `terms` replace those of the request to issue-api-key.
    pub async fn new_key(&self, merchant: &str, terms: Value) -> Client {
        self.try_new_key(merchant, &terms).await.unwrap()
    }
}
