//! `redeliver-event` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    spillway_lambda::serve_direct(redeliver_event::handle).await
}
