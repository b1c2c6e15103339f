//! The result of one attempt to deliver an event.

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The merchant's server answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// The value of `Retry-After` in seconds from now. None if the header is missing or malformed, or has a past
        /// date.
        retry_after_s: Option<u32>,
    },
    /// There was no answer, for this reason.
    Unreachable(&'static str),
}

impl Attempt {
    /// Whether the status is 2xx.
    pub fn succeeded(&self) -> bool {
        matches!(self, Attempt::Answered { status: 200..=299, .. })
    }

    /// Whether the status is 410 (Gone).
    pub fn gone(&self) -> bool {
        matches!(self, Attempt::Answered { status: 410, .. })
    }

    /// The status, or the reason why there was no answer.
    pub(super) fn described(&self) -> String {
        match self {
            Attempt::Answered { status, .. } => status.to_string(),
            Attempt::Unreachable(why) => (*why).to_owned(),
        }
    }
}
