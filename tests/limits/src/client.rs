//! The HTTP client of the AWS SDK.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use std::future::Future;

use crate::call::Call;

#[derive(Clone)]
struct Connector<F>(F);

impl<F> std::fmt::Debug for Connector<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl<F, Fut> HttpConnector for Connector<F>
where
    F: Fn(&str, Call) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(u16, String), ConnectorError>> + Send + 'static,
{
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let (service, operation) = target.rsplit_once('.').unwrap_or(("", target));
        let body = request.body().bytes().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        let answered = (self.0)(service, Call { operation: operation.to_owned(), body });
        HttpConnectorFuture::new(async move {
            let (status, body) = answered.await?;
            Ok(HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body)))
        })
    }
}

/// An HTTP client whose calls `answer` answers with a status and a body. Its first argument is the service, such as `DynamoDB_20120810` or
/// `AmazonSQS`. A [`ConnectorError`] is a connection that fails.
pub fn http_client<F, Fut>(answer: F) -> SharedHttpClient
where
    F: Fn(&str, Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(u16, String), ConnectorError>> + Send + 'static,
{
    let connector = SharedHttpConnector::new(Connector(answer));
    http_client_fn(move |_, _| connector.clone())
}
