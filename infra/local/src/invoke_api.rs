//! Lambda's Invoke API, for `cargo lambda invoke` and `aws lambda invoke --endpoint-url`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::host::PAYLOAD_LIMIT;
use crate::invoke::{Functions, InvokeError};
use crate::template::Template;

#[derive(Clone)]
struct Api {
    template: Arc<Template>,
    functions: Functions,
}

/// `POST /2015-03-31/functions/{name}/invocations`. The name is the folder, the name on AWS, the logical id, or an ARN
/// with one of them.
pub fn routes(template: Arc<Template>, functions: Functions) -> Router {
    let api = Api { template, functions };
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(DefaultBodyLimit::disable())
        .with_state(api)
}

async fn invoke(State(api): State<Api>, Path(name): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let short = name.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(5));
    let short = short.unwrap_or_else(|| name.split(':').next().unwrap_or(&name));
    let Some(function) = api.template.function(short) else {
        let mut known: Vec<&str> = api.template.functions.iter().map(|function| function.name.as_str()).collect();
        known.sort_unstable();
        let message = format!("Function not found: {name}. There are: {}", known.join(", "));
        return refuse(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    };
    let function = function.name.clone();
    let payload = if body.is_empty() { b"{}".to_vec() } else { body.to_vec() };
    if let Err(error) = serde_json::from_slice::<Value>(&payload) {
        let message = format!("Could not parse request body into json: {error}");
        let kind = "InvalidRequestContentException";
        return refuse(StatusCode::BAD_REQUEST, kind, &message);
    }
    if payload.len() > PAYLOAD_LIMIT {
        let message = format!("Request must be smaller than {PAYLOAD_LIMIT} bytes for this invocation");
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", &message);
    }
    let kind = headers.get("x-amz-invocation-type").map(HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind != b"RequestResponse") {
        let message = "The runner answers to RequestResponse only";
        return refuse(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message);
    }
    answer(api.functions.invoke(&function, payload).await)
}

fn answer(outcome: Result<Vec<u8>, InvokeError>) -> Response {
    let failed = outcome.is_err();
    let payload = match outcome {
        Ok(payload) | Err(InvokeError::Handled { payload, .. }) => payload,
        Err(error) => {
            let kind = match &error {
                InvokeError::TimedOut(_) => "Sandbox.Timedout",
                _ => "Runtime.ExitError",
            };
            let error = json!({"errorType": kind, "errorMessage": error.to_string()});
            error.to_string().into_bytes()
        }
    };
    let mut response = payload.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
    if failed {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    response
}

/// An error of Lambda's API in the header, and the fields that `cargo lambda invoke` reads in the body.
fn refuse(status: StatusCode, kind: &'static str, message: &str) -> Response {
    let told =
        json!({"Type": "User", "Message": message, "message": message, "errorType": kind, "errorMessage": message});
    let headers = [("x-amzn-errortype", kind), ("content-type", "application/json")];
    (status, headers, told.to_string()).into_response()
}
