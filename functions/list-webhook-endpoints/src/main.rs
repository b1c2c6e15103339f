//! `list-webhook-endpoints` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_list(&list_webhook_endpoints::ENDPOINT, list_webhook_endpoints::handle).await
}
