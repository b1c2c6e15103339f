//! `make plan-keys`: see [`spillway_operate::plan_keys`].

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    spillway_operate::finish(spillway_operate::plan_keys::run().await)
}
