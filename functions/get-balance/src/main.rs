//! `get-balance` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_endpoint(&get_balance::ENDPOINT, get_balance::handle).await
}
