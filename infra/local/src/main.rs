//! The program `spillway-local`: see the library beside it.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    spillway_local::run().await
}
