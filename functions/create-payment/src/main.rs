//! `create-payment` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_endpoint(&create_payment::ENDPOINT, create_payment::handle).await
}
