//! A stack that runs on this machine, started by anyone. Errors are sentences.

use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::client;
use crate::queues::Queues;
use crate::system::System;
use crate::system::operator::Operator;
use crate::table::Table;
use crate::webhook_keys::WebhookKeys;

/// Time limit of the health check.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);

/// A running stack.
#[derive(Debug, Clone)]
pub struct RunningStack {
    http: reqwest::Client,
    description: Value,
    system: System,
}

/// The public API and the operator's functions are in [`System`]; the table and the queues are here.
impl Deref for RunningStack {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl RunningStack {
    /// The stack that this `dev.json` describes.
    pub fn of(description: Value) -> RunningStack {
        let http = client::http();
        let base_url = description["base_url"].as_str().unwrap_or_default();
        let operator = Operator::new(&http, base_url.trim_end_matches("/v1"));
        let system = System::new(&http, base_url, Some(operator));
        RunningStack { http, description, system }
    }

    /// The stack on the folder `data`, if it runs.
    pub async fn find(data: &Path) -> Option<RunningStack> {
        let description = std::fs::read_to_string(data.join("dev.json")).ok()?;
        let live = RunningStack::of(serde_json::from_str(&description).ok()?);
        // The file of a killed stack has an address that does not answer.
        let health = client::http_within(HEALTH_LIMIT).get(format!("{}/health", live.base_url())).send().await.ok()?;
        health.status().is_success().then_some(live)
    }

    /// The runner's `dev.json`.
    pub fn description(&self) -> &Value {
        &self.description
    }

    /// A text in `dev.json`; empty if it is missing.
    pub(crate) fn described(&self, field: &str) -> &str {
        self.description[field].as_str().unwrap_or_default()
    }

    /// The table, past any proxy.
    pub fn table(&self) -> Table {
        Table::new(&self.http, self.described("dynamodb_url"), self.described("table"))
    }

    /// Allowed, `used` and `refused` actions of each function's role, as sentences.
    pub async fn roles(&self) -> Value {
        let url = format!("{}/_roles", self.base_url().trim_end_matches("/v1"));
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The runner's page of metrics, in Prometheus's text format.
    pub async fn metrics_page(&self) -> String {
        let url = format!("{}/_metrics", self.base_url().trim_end_matches("/v1"));
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// The signing keys of webhooks.
    pub fn webhook_keys(&self) -> WebhookKeys {
        let url = format!("{}/_secrets", self.base_url().trim_end_matches("/v1"));
        WebhookKeys::new(&self.http, url, self.described("table"))
    }

    /// The queues.
    pub fn queues(&self) -> Queues {
        Queues::new(&self.http, self.described("sqs_url"))
    }
}
