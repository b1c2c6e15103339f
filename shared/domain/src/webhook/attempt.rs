//! How one attempt to deliver an event ended.

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// An answer with this status, and the seconds of its Retry-After.
    Answered {
        /// HTTP status.
        status: u16,
        /// Seconds, where it was given in seconds.
        retry_after_s: Option<u32>,
    },
    /// No answer, for this reason.
    Unreachable(&'static str),
}

impl Attempt {
    /// Only 2xx is a success.
    pub fn succeeded(&self) -> bool {
        matches!(self, Attempt::Answered { status: 200..=299, .. })
    }

    /// 410: the endpoint says it is gone.
    pub fn gone(&self) -> bool {
        matches!(self, Attempt::Answered { status: 410, .. })
    }

    /// For people: the status, or why there was no answer.
    pub(super) fn described(&self) -> String {
        match self {
            Attempt::Answered { status, .. } => status.to_string(),
            Attempt::Unreachable(why) => (*why).to_owned(),
        }
    }
}
