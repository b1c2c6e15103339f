//! `get-refund` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_endpoint(&get_refund::ENDPOINT, get_refund::handle).await
}
