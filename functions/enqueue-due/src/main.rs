//! `enqueue-due` as a Lambda function. It uses all cores, because a backlog needs more than one.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    spillway_lambda::serve_tick(enqueue_due::handle).await
}
