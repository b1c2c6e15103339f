//! The signing keys of webhooks, through Secrets Manager's own API.

use serde_json::{Value, json};

use crate::table::call_aws;

/// The secret with the signing keys of a stack.
#[derive(Debug, Clone)]
pub struct WebhookKeys {
    http: reqwest::Client,
    url: String,
    name: String,
}

impl WebhookKeys {
    pub(crate) fn new(http: &reqwest::Client, url: String, table: &str) -> WebhookKeys {
        WebhookKeys { http: http.clone(), url, name: format!("{table}/webhook-keys") }
    }

    /// The keys: `{"current": "1", "1": "…"}`.
    pub async fn get(&self) -> Value {
        let answer = self.call("GetSecretValue", json!({"SecretId": self.name})).await;
        serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap()
    }

    /// Replaces the keys.
    pub async fn put(&self, keys: &Value) {
        self.call("PutSecretValue", json!({"SecretId": self.name, "SecretString": keys.to_string()})).await;
    }

    async fn call(&self, operation: &str, request: Value) -> Value {
        let (target, content_type) = (format!("secretsmanager.{operation}"), "application/x-amz-json-1.1");
        let answer = call_aws(&self.http, &self.url, "secretsmanager", &target, content_type, &request).await;
        answer.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }
}
