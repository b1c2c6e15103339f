//! A stack that runs already, whoever started it, as a tool uses it: what does not work is a sentence.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{self, Client, unique};
use crate::queues::Queues;
use crate::table::Table;

/// How long a stack may take to say that it is there.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);

/// A running stack.
#[derive(Debug, Clone)]
pub struct Live {
    http: reqwest::Client,
    description: Value,
}

impl Live {
    /// The stack that this `dev.json` describes.
    pub fn of(description: &Value) -> Live {
        Live { http: client::http(), description: description.clone() }
    }

    /// The stack on the folder `data`, if one runs there.
    pub async fn find(data: &Path) -> Option<Live> {
        let description = std::fs::read_to_string(data.join("dev.json")).ok()?;
        let live = Live::of(&serde_json::from_str(&description).ok()?);
        // Left behind by one that was killed, the file names an address where nobody answers.
        let health = client::http_within(HEALTH_LIMIT).get(format!("{}/health", live.base_url())).send().await.ok()?;
        health.status().is_success().then_some(live)
    }

    /// `http://127.0.0.1:PORT/v1`
    pub fn base_url(&self) -> &str {
        self.described("base_url")
    }

    /// The table.
    pub fn table(&self) -> Table {
        Table::new(&self.http, self.described("dynamodb_url"), self.described("table"))
    }

    /// The queues.
    pub fn queues(&self) -> Queues {
        Queues::new(&self.http, self.described("sqs_url"))
    }

    fn described(&self, field: &str) -> &str {
        self.description[field].as_str().unwrap_or_default()
    }

    /// Invokes a function through Lambda's API; `Err` is a sentence.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Value, String> {
        let origin = self.base_url().trim_end_matches("/v1");
        let url = format!("{origin}/2015-03-31/functions/{function}/invocations");
        let answer = self.http.post(url).body(payload.to_string()).send().await;
        let answer = answer.map_err(|_| format!("{function} can't be invoked: the stack does not answer."))?;
        let failed = !answer.status().is_success() || answer.headers().contains_key("x-amz-function-error");
        let text = answer.text().await.map_err(|_| format!("{function} gave half an answer."))?;
        if failed {
            return Err(format!("{function} failed: {text}"));
        }
        serde_json::from_str(&text).map_err(|_| format!("{function} answered {text}"))
    }

    /// Puts whatever is overdue on its queue, as the schedule would.
    pub async fn run_due(&self) -> Result<(), String> {
        let tick = json!({"version": "0", "id": unique(), "detail-type": "Scheduled Event", "source": "aws.scheduler",
            "time": "2026-01-31T12:00:00Z", "region": "us-east-1", "resources": [], "detail": {}});
        self.invoke("enqueue-due", &tick).await.map(|_| ())
    }

    /// A new merchant with the terms of [`crate::Stack::new_merchant`]; gives its id and a client with every scope.
    pub async fn new_merchant(&self, name: &str) -> Result<(String, Client), String> {
        let fee = json!({"fee_basis_points": 290, "fee_fixed": 30});
        let request = json!({"reference": unique(), "name": name, "plan": "high", "settlement_delay_days": 2,
            "shards": 4, "currencies": {"USD": fee, "EUR": fee, "JPY": fee, "KWD": fee}});
        let merchant = self.invoke("create-merchant", &request).await?;
        let id = merchant["id"].as_str().ok_or_else(|| format!("create-merchant answered {merchant}"))?;
        let request = json!({"merchant": id, "mode": "test", "reference": unique(), "expires_at": null,
            "scopes": ["payments:write", "payments:read", "balance:read", "webhooks:write"]});
        let key = self.invoke("issue-api-key", &request).await?;
        let secret = key["secret"].as_str().ok_or("issue-api-key gave no secret.")?;
        Ok((id.to_owned(), Client::new(&self.http, self.base_url(), secret)))
    }
}
