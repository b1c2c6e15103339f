//! A runner that does not start.

use std::path::Path;

use tokio::process::Command;
use tokio::time::timeout;

use crate::api::eventually::Deadline;
use crate::stack::Stack;
use crate::template;

/// What a runner on the folder `data` says that can't start with these variables: one sentence, and not a panic's.
pub async fn refusal(data: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(Stack::runner());
    command.env("TEMPLATE", template::path()).env("PORT", "0").env("DATA", data).kill_on_drop(true);
    command.envs(variables.iter().copied());
    let output = timeout(Deadline::SOON, command.output()).await.expect("it ends by itself").unwrap();
    let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    assert!(!output.status.success(), "it started: {told}");
    assert!(!told.is_empty() && !told.contains("panicked"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    told
}
