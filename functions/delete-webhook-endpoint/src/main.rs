//! `delete-webhook-endpoint` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_endpoint(&delete_webhook_endpoint::ENDPOINT, delete_webhook_endpoint::handle).await
}
