//! The fee that the operator charges a merchant for a captured amount.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::money::{Minor, OutOfRange};

/// 10,000 basis points: the whole amount.
pub const BASIS_POINTS_MAX: u16 = 10_000;

/// A price: basis points of the captured amount plus a fixed part. It has no default, because an unknown price is not
/// 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pricing {
    /// Hundredths of a percent, at most [`BASIS_POINTS_MAX`].
    pub fee_basis_points: u16,
    /// Minor units for each capture, never negative.
    pub fee_fixed: Minor,
}

/// The terms of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The price of the capture.
    pub pricing: Pricing,
    /// Days until the net amount is available.
    pub settlement_delay_days: u16,
}

impl Pricing {
    /// The fee on a captured amount: the share, rounded half to even, plus the fixed part, but at most the amount.
    /// Errors if it overflows.
    pub fn fee(&self, amount: Minor) -> Result<Minor, OutOfRange> {
        let scaled = amount.units().checked_mul(i64::from(self.fee_basis_points)).ok_or(OutOfRange)?;
        let share = Minor::new(divide_half_even(scaled, i64::from(BASIS_POINTS_MAX)));
        Ok(share.plus(self.fee_fixed)?.min(amount))
    }
}

/// The form in logs: `290 bp + 30`.
impl fmt::Display for Pricing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bp + {}", self.fee_basis_points, self.fee_fixed.units())
    }
}

/// `dividend / divisor` for a dividend of at least 0, rounded half to even.
fn divide_half_even(dividend: i64, divisor: i64) -> i64 {
    let (quotient, remainder) = (dividend / divisor, dividend % divisor);
    let twice = remainder * 2;
    let up = twice > divisor || (twice == divisor && quotient % 2 == 1);
    quotient + i64::from(up)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fee(basis_points: u16, fixed: i64, amount: i64) -> i64 {
        let pricing = Pricing { fee_basis_points: basis_points, fee_fixed: Minor::new(fixed) };
        pricing.fee(Minor::new(amount)).unwrap().units()
    }

    #[test]
    fn fees_computed_by_hand() {
        assert_eq!(fee(290, 30, 1250), 66); // 36.25 → 36, + 30
        assert_eq!(fee(290, 30, 10_000), 320);
        assert_eq!(fee(0, 0, 10_000), 0);
        assert_eq!(fee(290, 30, 20), 20); // 0.58 → 1, + 30, but never more than the amount
        assert_eq!(fee(10_000, 0, 777), 777);
    }

    #[test]
    fn halves_are_rounded_to_even() {
        assert_eq!(fee(5000, 0, 1), 0); // 0.5
        assert_eq!(fee(5000, 0, 3), 2); // 1.5
        assert_eq!(fee(5000, 0, 5), 2); // 2.5
        assert_eq!(fee(5000, 0, 7), 4); // 3.5
    }

    #[test]
    fn a_price_is_logged_in_basis_points_and_minor_units() {
        let pricing = Pricing { fee_basis_points: 290, fee_fixed: Minor::new(30) };
        assert_eq!(pricing.to_string(), "290 bp + 30");
    }

    proptest! {
        #[test]
        fn a_fee_is_never_negative_and_never_above_the_amount(
            basis_points in 0..=BASIS_POINTS_MAX, fixed in 0..1_000_000_i64, amount in 1..=crate::money::AMOUNT_MAX,
        ) {
            let fee = fee(basis_points, fixed, amount);
            prop_assert!((0..=amount).contains(&fee));
        }
    }
}
