//! Receives webhooks and verifies their signatures with the Standard Webhooks library.
//!
//! ```sh
//! WEBHOOK_SECRET=whsec_… PORT=8080 cargo run --package spillway-examples --bin verify_webhook
//! ```

use std::collections::HashSet;
use std::env;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use standardwebhooks::Webhook;

struct Receiver {
    webhook: Webhook,
    /// An event may arrive more than once. Store the ids in your database, in the transaction that processes the event.
    received: Mutex<HashSet<String>>,
}

/// Verifies the bytes as they arrived. Parsed and serialized again, they may differ and then fail verification.
async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if receiver.webhook.verify(&body, &headers).is_err() {
        return StatusCode::BAD_REQUEST;
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut received = receiver.received.lock().unwrap_or_else(PoisonError::into_inner);
    if received.insert(text(&event["id"])) {
        println!("{} {}", text(&event["type"]), text(&event["data"]["id"]));
    }
    StatusCode::NO_CONTENT
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let webhook = Webhook::new(&env::var("WEBHOOK_SECRET")?)?;
    let port: u16 = env::var("PORT").as_deref().unwrap_or("8080").parse()?;
    let receiver = Arc::new(Receiver { webhook, received: Mutex::default() });
    let router = Router::new().route("/", post(receive)).with_state(receiver);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(axum::serve(listener, router).await?)
}
