//! The card processors, which move the money. Each file translates to the units and words of one processor.

mod sandbox;

use spillway_domain::operation::{Answer, Operation, UnknownOutcomePolicy};
use spillway_domain::tenant::Mode;

use sandbox::Sandbox;
use spillway_runtime::settings::Environment;
use spillway_runtime::{SettingError, Start};
use spillway_store::Store;

/// The name of the processor for payments of this mode. None if no processor is built for it.
pub fn for_mode(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::Test => Some(sandbox::NAME),
        Mode::Live => None,
    }
}

/// Whether the processor of this mode may accept this token.
pub fn knows_token(mode: Mode, token: &str) -> bool {
    match mode {
        Mode::Test => sandbox::knows_token(token),
        // Only the live processor itself knows its tokens.
        Mode::Live => true,
    }
}

/// The settings for operations with an unknown outcome. Errors if one is missing or wrong.
pub fn unknown_outcome(environment: &Environment<'_>) -> Result<UnknownOutcomePolicy, SettingError> {
    let milliseconds = |name| environment.number(name).map(|seconds| i64::from(seconds) * 1000);
    Ok(UnknownOutcomePolicy {
        waits_s: environment.numbers("PROCESSOR_WAITS_SECONDS")?,
        repeatable_for_ms: milliseconds("REPEATABLE_FOR_SECONDS")?,
        absent_again_ms: milliseconds("ABSENT_AGAIN_SECONDS")?,
        last_look_ms: milliseconds("LAST_LOOK_SECONDS")?,
    })
}

/// The processors of one deployment.
pub struct Processors {
    sandbox: Sandbox,
}

impl Processors {
    /// The processors that are built: so far only the sandbox.
    pub fn new(start: &Start<'_>, store: &Store, policy: &UnknownOutcomePolicy) -> Processors {
        Processors { sandbox: Sandbox::new(store.clone(), policy.repeatable_for_ms, start.effects) }
    }

    /// Calls the processor to do the operation, with the operation's idempotency key.
    pub async fn call(&self, operation: &Operation) -> Answer {
        match self.of(operation) {
            Some(sandbox) => sandbox.call(operation).await,
            None => Answer::Unknown,
        }
    }

    /// Looks up whether the processor did the operation, by our reference.
    pub async fn look_up(&self, operation: &Operation) -> Answer {
        match self.of(operation) {
            Some(sandbox) => sandbox.look_up(operation).await,
            None => Answer::Unknown,
        }
    }

    /// The processor that the resource was accepted for. None, and a log line, if it does not exist.
    fn of(&self, operation: &Operation) -> Option<&Sandbox> {
        if operation.processor == sandbox::NAME {
            return Some(&self.sandbox);
        }
        let Operation { reference, processor, .. } = operation;
        tracing::error!(%reference, processor, "no such processor is configured");
        None
    }
}
