//! `dispatch-changes` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    spillway_lambda::serve_changes(dispatch_changes::handle).await
}
