//! Why work failed, and how long it waits before it is tried again.

use spillway_domain::currency::Currency;
use spillway_domain::id::MerchantId;
use spillway_store::StoreError;

/// Upper bound, in seconds, of the random wait after a message's first failure. It doubles with each further failure.
const BACK_OFF_S: u32 = 2;
/// The largest value of this bound, in seconds, while something fails that many messages need: the table, a right, a
/// queue. With the template's `maxReceiveCount`, no message becomes a dead letter before 20 minutes of such trouble.
const TROUBLE_S_MAX: u32 = 300;
/// The same for a message that fails by itself. It becomes a dead letter within minutes.
const POISON_S_MAX: u32 = 30;

/// Why the work on a message or a stream change failed. It is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error("the queue can't take it: {0}")]
    Queue(String),
    /// The message or change does not have the format of Spillway's own.
    #[error("it can't be read")]
    Unreadable,
    /// No work is known for an item with this key.
    #[error("no work is known for this key")]
    UnknownKey,
    /// A rule of the domain refuses the change, or stored data or a setting can't be used.
    #[error("it can't be done: {0}")]
    Refused(String),
    /// The merchant has no price for this currency, so no entry can be posted.
    #[error("the merchant {0} has no price for {1}")]
    NoPrice(MerchantId, Currency),
    /// The code panicked. The log has the place.
    #[error("panic")]
    Panicked,
}

impl WorkError {
    /// The shortest and the longest wait, in seconds, after a message's failure number `receives`.
    pub(super) fn back_off_s(&self, receives: u32) -> (u32, u32) {
        let max = match self {
            WorkError::Store(StoreError::Unavailable(_) | StoreError::Refused(_)) | WorkError::Queue(_) => {
                TROUBLE_S_MAX
            }
            WorkError::Store(StoreError::Corrupt(_))
            | WorkError::Unreadable
            | WorkError::UnknownKey
            | WorkError::Refused(_)
            | WorkError::NoPrice(..)
            | WorkError::Panicked => POISON_S_MAX,
        };
        let longest = BACK_OFF_S.saturating_mul(1 << receives.saturating_sub(1).min(16)).min(max);
        (longest.div_ceil(2), longest)
    }
}
