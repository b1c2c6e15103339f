//! Creates the merchant and the API key that a local stack starts with. The dev runner starts this program (`SETUP`)
//! with `STACK_URL` and `STATE_DIR`. It prints the fields `base_url`, `api_key` and `merchant_id` as JSON for scripts,
//! and an introduction for people to its standard error.

mod introduction;
mod invoke;
mod merchant;

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use invoke::Functions;
use merchant::SandboxError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), SandboxError> {
    let variable = |name| std::env::var(name).map_err(|_| SandboxError::Variable(name));
    let (stack_url, state) = (variable("STACK_URL")?, PathBuf::from(variable("STATE_DIR")?));
    let functions = Functions::at(&stack_url)?;
    let sandbox = merchant::prepare(&functions, &state.join("sandbox.json")).await?;
    let base_url = format!("{stack_url}/v1");
    eprint!("{}", introduction::text(&base_url, &sandbox));
    println!("{}", json!({"base_url": base_url, "api_key": sandbox.api_key, "merchant_id": sandbox.merchant_id}));
    Ok(())
}
