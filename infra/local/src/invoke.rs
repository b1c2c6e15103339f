//! Calls a function, in the runner's own host or in `cargo lambda watch`.

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;

use crate::metrics::Metrics;

/// The result of an invocation: the function's answer, or an error.
pub type Outcome = Result<Vec<u8>, InvokeError>;

/// Why an invocation has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvokeError {
    /// The function returned an error.
    #[error("{error_type}: {message}")]
    Handled {
        message: String,
        error_type: String,
        /// The error as the function sent it.
        payload: Vec<u8>,
    },
    /// The process ended before it answered.
    #[error("{0}")]
    Crashed(String),
    #[error("Task timed out after {0} seconds")]
    TimedOut(u64),
    #[error("there is no function {0}")]
    Unknown(String),
    #[error("the payload is larger than 6 MB")]
    TooLarge,
}

impl InvokeError {
    /// Whether an authorizer refuses the caller by this error. API Gateway compares its text.
    pub fn says_unauthorized(&self) -> bool {
        matches!(self, Self::Handled { message, .. } if message == "Unauthorized")
    }
}

/// Runs functions: the runner's own host, or a running `cargo lambda watch`.
pub trait Run: Send + Sync {
    /// Runs `function` (by folder name) once with `payload`.
    fn run(&self, function: String, payload: Vec<u8>) -> BoxFuture<'static, Outcome>;

    /// How many calls of one function run at the same time. Further ones wait in their order.
    fn at_once(&self) -> usize {
        1
    }
}

/// All functions of the template, ready to be called. Cheap to clone.
#[derive(Clone)]
pub struct Functions {
    run: Arc<dyn Run>,
    metrics: Metrics,
}

impl Functions {
    /// Functions that `run` carries out. `metrics` counts the calls.
    pub fn new(run: impl Run + 'static, metrics: &Metrics) -> Self {
        Self { run: Arc::new(run), metrics: metrics.clone() }
    }

    /// Runs `function` (by folder name, as `create-order`) once and waits for its answer. If the future is dropped, the
    /// call still runs to its end.
    pub async fn invoke(&self, function: &str, payload: Vec<u8>) -> Outcome {
        let began = Instant::now();
        let outcome = self.run.run(function.to_owned(), payload).await;
        self.metrics.invocation(function, outcome.is_err(), began.elapsed());
        outcome
    }

    /// See [`Run::at_once`].
    pub fn at_once(&self) -> usize {
        self.run.at_once()
    }
}

#[cfg(test)]
impl Functions {
    /// Functions with the answers of `answer`, whose arguments are the function's name and the payload.
    pub fn answering(answer: impl Fn(&str, &[u8]) -> Outcome + Send + Sync + 'static) -> Self {
        struct Answering<F>(F);

        impl<F: Fn(&str, &[u8]) -> Outcome + Send + Sync> Run for Answering<F> {
            fn run(&self, function: String, payload: Vec<u8>) -> BoxFuture<'static, Outcome> {
                Box::pin(std::future::ready((self.0)(&function, &payload)))
            }
        }

        Self::new(Answering(answer), &Metrics::default())
    }
}
