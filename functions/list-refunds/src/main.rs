//! `list-refunds` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_list(&list_refunds::ENDPOINT, list_refunds::handle).await
}
