//! Amounts of money: integers in minor units (cents, yen, fils), never floats. Every operation checks for overflow.

use serde::{Deserialize, Serialize};

/// The largest amount of one payment, in minor units.
pub const AMOUNT_MAX: i64 = 999_999_999_999;

/// An amount in minor units. It is signed, because movements and balances may be negative. It has no default, because
/// an unknown amount is not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minor(i64);

/// An operation on amounts overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount of money is out of range")]
pub struct OutOfRange;

impl Minor {
    /// No money.
    pub const ZERO: Minor = Minor(0);

    /// `units` minor units.
    pub const fn new(units: i64) -> Minor {
        Minor(units)
    }

    /// The number of minor units.
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The sum. Errors if it overflows.
    pub fn plus(self, other: Minor) -> Result<Minor, OutOfRange> {
        self.0.checked_add(other.0).map(Minor).ok_or(OutOfRange)
    }

    /// The difference. Errors if it overflows.
    pub fn minus(self, other: Minor) -> Result<Minor, OutOfRange> {
        self.0.checked_sub(other.0).map(Minor).ok_or(OutOfRange)
    }

    /// The sum of all amounts. Errors if it overflows.
    pub fn sum(amounts: impl IntoIterator<Item = Minor>) -> Result<Minor, OutOfRange> {
        amounts.into_iter().try_fold(Minor::ZERO, Minor::plus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overflow_is_an_error() {
        assert_eq!(Minor::new(i64::MAX).plus(Minor::new(1)), Err(OutOfRange));
        assert_eq!(Minor::new(i64::MIN).minus(Minor::new(1)), Err(OutOfRange));
        assert_eq!(Minor::sum([Minor::new(i64::MAX), Minor::new(1)]), Err(OutOfRange));
    }

    #[test]
    fn sums_and_differences_are_exact() {
        assert_eq!(Minor::new(1250).minus(Minor::new(66)), Ok(Minor::new(1184)));
        assert_eq!(Minor::sum([Minor::new(5), Minor::new(-7)]), Ok(Minor::new(-2)));
    }
}
