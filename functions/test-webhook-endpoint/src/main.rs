//! `test-webhook-endpoint` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_endpoint(&test_webhook_endpoint::ENDPOINT, test_webhook_endpoint::handle).await
}
