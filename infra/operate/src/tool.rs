//! What all tools have in common: their settings, and how they end.

use std::fmt::Display;
use std::process::ExitCode;

use spillway_runtime::settings::Environment;
use spillway_runtime::{Context, Effects, Parts, SettingError, config};

/// Values of the settings that a function has from the template. A variable of the environment has priority.
const DEFAULTS: [(&str, &str); 3] = [("STORE_DEADLINE_MS", "9000"), ("STACK_NAME", "tools"), ("LOG_LEVEL", "error")];

/// Why a tool can't start.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// A variable is missing or empty.
    #[error("{0} is not set.")]
    Missing(&'static str),
    /// A variable has a value that is not allowed.
    #[error("{0}.")]
    Setting(#[from] SettingError),
    /// The HTTPS client can't be made.
    #[error("The HTTPS client can't be made.")]
    Client,
}

/// A variable of the environment. Errors if it is missing or empty.
pub(crate) fn required(name: &'static str) -> Result<String, ToolError> {
    optional(name).ok_or(ToolError::Missing(name))
}

/// A variable of the environment. None if it is missing or empty.
pub(crate) fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a switch is on. It is off if it is missing, empty or `0`.
pub(crate) fn is_on(name: &str) -> bool {
    optional(name).is_some_and(|value| value != "0")
}

/// The context of a tool that works on this table.
pub(crate) async fn context<P: Parts>(table: &str) -> Result<Context<P>, ToolError> {
    let default = |name: &str| DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let get = |name: &str| match name {
        "TABLE_NAME" => Some(table.to_owned()),
        _ => optional(name).or_else(|| default(name)),
    };
    let effects = Effects::real().map_err(|_| ToolError::Client)?;
    let aws = config(&effects).await;
    Ok(Context::new(Environment::new(&get), effects, &aws)?)
}

/// Prints the result of a tool. An error is one sentence, and the exit code is not 0.
pub fn finish<T: Display, E: Display>(result: Result<T, E>) -> ExitCode {
    match result {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
