//! Lambda's Runtime API, as a function's process sees it. Each process has a path of its own:
//! `AWS_LAMBDA_RUNTIME_API=http://127.0.0.1:9000/_runtime/<token>`.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::oneshot;

use super::worker::{Delivery, Message};
use super::{Host, PAYLOAD_LIMIT};
use crate::invoke::{InvokeError, Outcome};

/// The Runtime API of all processes of `host`.
pub fn routes(host: Host) -> Router {
    let base = "/_runtime/{token}/2018-06-01/runtime";
    Router::new()
        .route(&format!("{base}/invocation/next"), get(next))
        .route(&format!("{base}/invocation/{{id}}/response"), post(response))
        .route(&format!("{base}/invocation/{{id}}/error"), post(error))
        .route(&format!("{base}/init/error"), post(init_error))
        .layer(DefaultBodyLimit::disable())
        .with_state(host)
}

async fn next(State(host): State<Host>, Path(token): Path<String>) -> Response {
    let (ready, delivery) = oneshot::channel();
    if !send(&host, &token, Message::Next(ready)).await {
        return StatusCode::FORBIDDEN.into_response();
    }
    match delivery.await {
        Ok(delivery) => event(delivery),
        // The process must end.
        Err(_) => StatusCode::GONE.into_response(),
    }
}

fn event(delivery: Delivery) -> Response {
    let mut response = Response::new(Body::from(delivery.payload));
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set("content-type", "application/json");
    set("lambda-runtime-aws-request-id", &delivery.id);
    set("lambda-runtime-deadline-ms", &delivery.deadline_ms.to_string());
    set("lambda-runtime-invoked-function-arn", &delivery.arn);
    response
}

async fn response(State(host): State<Host>, Path((token, id)): Path<(String, String)>, body: Bytes) -> StatusCode {
    if body.len() > PAYLOAD_LIMIT {
        let size = body.len();
        let message = format!("Response payload size ({size} bytes) exceeded maximum allowed");
        let payload = serde_json::json!({
            "errorType": "Function.ResponseSizeTooLarge", "errorMessage": message,
        });
        let outcome = Err(handled(payload.to_string().as_bytes()));
        answer(&host, &token, id, outcome).await;
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    answer(&host, &token, id, Ok(body.to_vec())).await
}

async fn error(State(host): State<Host>, Path((token, id)): Path<(String, String)>, body: Bytes) -> StatusCode {
    answer(&host, &token, id, Err(handled(&body))).await
}

async fn init_error(
    State(host): State<Host>, Path(token): Path<String>, headers: HeaderMap, body: Bytes,
) -> StatusCode {
    let kind = headers.get("lambda-runtime-function-error-type");
    let kind = kind.and_then(|kind| kind.to_str().ok());
    let why = match handled(&body) {
        InvokeError::Handled { message, .. } if !message.is_empty() => message,
        _ => kind.unwrap_or("it could not start").to_owned(),
    };
    if send(&host, &token, Message::InitError(why)).await { StatusCode::ACCEPTED } else { StatusCode::FORBIDDEN }
}

async fn answer(host: &Host, token: &str, id: String, outcome: Outcome) -> StatusCode {
    let (known, answer) = oneshot::channel();
    let message = Message::Answer { id, outcome, known };
    if !send(host, token, message).await {
        return StatusCode::FORBIDDEN;
    }
    match answer.await {
        Ok(true) => StatusCode::ACCEPTED,
        _ => StatusCode::BAD_REQUEST,
    }
}

async fn send(host: &Host, token: &str, message: Message) -> bool {
    match host.worker(token) {
        Some(worker) => worker.send(message).await.is_ok(),
        None => false,
    }
}

/// A function's error from its JSON. Missing fields are empty.
pub(crate) fn handled(payload: &[u8]) -> InvokeError {
    let fields: Value = serde_json::from_slice(payload).unwrap_or_default();
    let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
    InvokeError::Handled { message: text("errorMessage"), error_type: text("errorType"), payload: payload.to_vec() }
}
