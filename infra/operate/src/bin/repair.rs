//! `make compare` and `make repair`: see [`spillway_operate::repair`].

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    spillway_operate::finish(spillway_operate::repair::run().await)
}
