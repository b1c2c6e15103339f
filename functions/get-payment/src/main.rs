//! `get-payment` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_endpoint(&get_payment::ENDPOINT, get_payment::handle).await
}
