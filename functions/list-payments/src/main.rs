//! `list-payments` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_list(&list_payments::ENDPOINT, list_payments::handle).await
}
