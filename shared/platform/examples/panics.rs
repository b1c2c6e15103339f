//! An endpoint that panics when the payment in its path is called `panic` and tells its process's id otherwise. For
//! the test of what a client, the log and the next request see of a panic.

use std::process;
use std::sync::Arc;

use serde::Serialize;
use spillway_platform::api::{Problem, Request, Response};
use spillway_platform::runtime::{Context, serve_http};

#[derive(Serialize)]
struct Process {
    pid: u32,
}

#[expect(clippy::panic, reason = "that is what it is for")]
async fn handle(_: Arc<Context>, request: Request) -> Result<Response, Problem> {
    match request.path_parameter("payment_id") {
        "panic" => panic!("the card of Jane Roe is 4242424242424242"),
        _ => Ok(Response::ok(&Process { pid: process::id() })),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve_http(handle).await
}
