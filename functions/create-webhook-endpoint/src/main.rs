//! `create-webhook-endpoint` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_endpoint(&create_webhook_endpoint::ENDPOINT, create_webhook_endpoint::handle).await
}
