//! `list-balance-transactions` as a Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    spillway_lambda::serve_list(&list_balance_transactions::ENDPOINT, list_balance_transactions::handle).await
}
