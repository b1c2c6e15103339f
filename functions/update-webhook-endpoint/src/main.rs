//! `update-webhook-endpoint` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_endpoint(&update_webhook_endpoint::ENDPOINT, update_webhook_endpoint::handle).await
}
