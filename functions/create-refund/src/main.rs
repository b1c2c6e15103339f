//! `create-refund` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_endpoint(&create_refund::ENDPOINT, create_refund::handle).await
}
