//! A function that answers every request with 200.

use lambda_http::{Body, Error, Request, Response, run, service_fn};

async fn handle(_: Request) -> Result<Response<Body>, Error> {
    Ok(Response::new(Body::Empty))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}
