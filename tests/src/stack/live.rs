//! A stack that runs, whoever started it: what does not work is a sentence.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{self, Client};
use crate::queues::Queues;
use crate::table::Table;
use crate::{event, terms};

/// How long a stack may take to say that it is there.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);

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

/// A running stack.
#[derive(Debug, Clone)]
pub struct Live {
    http: reqwest::Client,
    description: Value,
}

impl Live {
    /// The stack that this `dev.json` describes.
    pub fn of(description: Value) -> Live {
        Live { http: client::http(), description }
    }

    /// The stack on the folder `data`, if one runs there.
    pub async fn find(data: &Path) -> Option<Live> {
        let description = std::fs::read_to_string(data.join("dev.json")).ok()?;
        let live = Live::of(serde_json::from_str(&description).ok()?);
        // Left behind by one that was killed, the file names an address where nobody answers.
        let health = client::http_within(HEALTH_LIMIT).get(format!("{}/health", live.base_url())).send().await.ok()?;
        health.status().is_success().then_some(live)
    }

    /// What the runner tells of itself in `dev.json`.
    pub fn description(&self) -> &Value {
        &self.description
    }

    /// A text in `dev.json`; empty where that has none of this name.
    pub(crate) fn described(&self, field: &str) -> &str {
        self.description[field].as_str().unwrap_or_default()
    }

    /// `http://127.0.0.1:PORT/v1`
    pub fn base_url(&self) -> &str {
        self.described("base_url")
    }

    /// The table, past any proxy.
    pub fn table(&self) -> Table {
        Table::new(&self.http, self.described("dynamodb_url"), self.described("table"))
    }

    /// The queues.
    pub fn queues(&self) -> Queues {
        Queues::new(&self.http, self.described("sqs_url"))
    }

    /// A client with this API key, whatever it is.
    pub fn client(&self, secret: &str) -> Client {
        Client::new(&self.http, self.base_url(), secret)
    }

    /// Invokes a function through Lambda's API: its answer, or its own error; `Err` is a sentence.
    pub async fn try_invoke(&self, function: &str, payload: &Value) -> Result<Result<Value, Value>, String> {
        let origin = self.base_url().trim_end_matches("/v1");
        let url = format!("{origin}/2015-03-31/functions/{function}/invocations");
        let answer = self.http.post(url).body(payload.to_string()).send().await;
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

    /// The same, where the function's own error is a sentence too.
    async fn invoked(&self, function: &str, payload: &Value) -> Result<Value, String> {
        self.try_invoke(function, payload).await?.map_err(|error| format!("{function} failed: {error}"))
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

    /// A client with a new key of the merchant; the fields of `changes` replace those of the request to issue-api-key.
    pub async fn try_new_key(&self, merchant: &str, changes: &Value) -> Result<Client, String> {
        let key = self.invoked("issue-api-key", &terms::key(merchant, changes)).await?;
        Ok(self.client(key["secret"].as_str().ok_or("issue-api-key gave no secret.")?))
    }
}
