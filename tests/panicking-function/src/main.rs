//! An endpoint that panics at `/panic`, and at any other route answers which environment serves it. Tests of panics
//! deploy it with the template beside it, or run it in the place of get-payment, with `panic` as the payment's id.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use lambda_http::Request;
use serde::Serialize;
use spillway_domain::id::hex;
use spillway_lambda::serve_http;
use spillway_runtime::Context;
use spillway_wire::{ApiRequestExt as _, ApiResponseExt as _, Parameters, Problem, Response};

/// The environment that answered.
#[derive(Serialize)]
struct Answer {
    /// Identifies the process.
    environment: &'static str,
    /// Requests so far, including this one and those that panicked.
    served: u64,
}

static ENVIRONMENT: OnceLock<String> = OnceLock::new();
static SERVED: AtomicU64 = AtomicU64::new(0);

#[expect(clippy::panic, reason = "that is what it is for")]
async fn handle(context: Arc<Context<()>>, request: Request, _: Parameters) -> Result<Response, Problem> {
    let served = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
    if request.route() == "/panic" || request.path_parameter("payment_id") == "panic" {
        panic!("the card of Jane Roe is 4242424242424242");
    }
    let environment = ENVIRONMENT.get_or_init(|| hex(&context.random::<16>()));
    Ok(Response::ok(&Answer { environment, served }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve_http(handle).await
}
