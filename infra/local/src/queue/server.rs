//! The HTTP server of the SQS API.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::api::Api;
use super::errors::{ApiError, Kind};
use super::queues::Queues;
use crate::roles::Roles;

/// Serves the SQS API until the future is dropped. Functions' calls are checked against their roles. A queue's URL is
/// `http://<the listener's address>/000000000000/<the queue's name>`.
pub async fn serve(listener: TcpListener, queues: Queues, roles: Roles) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    let api = Api { queues, base_url: format!("http://{address}") };
    let router = Router::new()
        .fallback(post(answer))
        // The largest batch, and room for JSON's escapes.
        .layer(DefaultBodyLimit::max(8 * 1024 * 1024))
        .with_state((api, roles));
    let listener = listener.tap_io(|stream| {
        // Otherwise an answer could wait 40 ms for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}

async fn answer(State((api, roles)): State<(Api, Roles)>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let action = header("x-amz-target").and_then(|target| target.strip_prefix("AmazonSQS."));
    let answer = match action {
        Some(action) => match roles.check_queue_call(header("authorization"), action, &body) {
            Ok(()) => call(&api, action, &body).await,
            Err(refusal) => Err(refusal.into()),
        },
        None => Err(unknown("")),
    };
    let mut response = match answer {
        Ok(value) => {
            let content_type = [(header::CONTENT_TYPE, super::CONTENT_TYPE)];
            (content_type, value.to_string()).into_response()
        }
        Err(refusal) => refusal.into_response(),
    };
    if let Ok(id) = Uuid::new_v4().to_string().parse() {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

pub(super) async fn call(api: &Api, action: &str, body: &[u8]) -> Result<serde_json::Value, ApiError> {
    match action {
        "SendMessage" => api.send_message(parse(body)?),
        "SendMessageBatch" => api.send_message_batch(&parse(body)?),
        "ReceiveMessage" => api.receive_message(parse(body)?).await,
        "DeleteMessage" => api.delete_message(&parse(body)?),
        "DeleteMessageBatch" => api.delete_message_batch(&parse(body)?),
        "ChangeMessageVisibility" => api.change_message_visibility(&parse(body)?),
        "GetQueueAttributes" => api.get_queue_attributes(&parse(body)?),
        "ListQueues" => Ok(api.list_queues(&parse(body)?)),
        "StartMessageMoveTask" => api.start_message_move_task(&parse(body)?),
        other => Err(unknown(other)),
    }
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::invalid(error.to_string()))
}

fn unknown(action: &str) -> ApiError {
    let message = format!("The action {action} is not valid for this web service.");
    ApiError::new(Kind::UnknownOperationException, message)
}
