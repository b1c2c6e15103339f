//! `rotate-webhook-secret` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_endpoint(&rotate_webhook_secret::ENDPOINT, rotate_webhook_secret::handle).await
}
