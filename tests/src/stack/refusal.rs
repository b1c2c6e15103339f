//! A runner that refuses to start.

use std::path::Path;

use tokio::process::Command;
use tokio::time::timeout;

use crate::api::eventually::Deadline;
use crate::stack::Stack;
use crate::template;

/// The sentence of a runner on the folder `data` that refuses to start with these variables. It must be one line and no
/// panic.
pub async fn refusal(data: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(Stack::runner());
    command.env("TEMPLATE", template::path()).env("PORT", "0").env("DATA", data).kill_on_drop(true);
    command.envs(variables.iter().copied());
    let output = timeout(Deadline::SOON, command.output()).await.expect("it ends by itself").unwrap();
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    assert!(!output.status.success(), "it started: {message}");
    assert!(!message.is_empty() && !message.contains("panicked"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}
