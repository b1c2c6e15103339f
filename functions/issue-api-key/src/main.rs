//! `issue-api-key` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    spillway_lambda::serve_direct(issue_api_key::handle).await
}
