//! Dollars and quantities as integers: a price of a ten-millionth of a cent must not be rounded a billion times.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul};

use spillway_tests::tool::grouped;

const PER_DOLLAR: u128 = 1_000_000_000_000;
const PER_CENT: u128 = PER_DOLLAR / 100;
const PER_UNIT: u128 = 1_000_000;

/// Picodollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u128);

/// Millionths of a request, a GB, an hour, …
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(u128);

impl Money {
    /// Reads a written price, `0.0000133334`, for this many units. `None` if it is not a number, or if one unit's price
    /// is not a whole number of picodollars.
    pub fn of_price(dollars: &str, units: u64) -> Option<Money> {
        let (whole, fraction) = dollars.split_once('.').unwrap_or((dollars, ""));
        let digits = usize::try_from(PER_DOLLAR.ilog10()).ok()?;
        if whole.is_empty()
            || fraction.len() > digits
            || !dollars.chars().all(|each| each == '.' || each.is_ascii_digit())
        {
            return None;
        }
        let pico: u128 = format!("{whole}{fraction:0<digits$}").parse().ok()?;
        let units = u128::from(units);
        (units > 0 && pico.is_multiple_of(units)).then_some(Money(pico.checked_div(units)?))
    }

    /// `1,234.56`, rounded to cents; `< 0.01` for less than a cent.
    pub fn shown(self) -> String {
        if self.0 > 0 && self.0 < PER_CENT {
            return "< 0.01".to_owned();
        }
        let cents = (self.0 + PER_CENT / 2) / PER_CENT;
        let dollars = i64::try_from(cents / 100).unwrap_or(i64::MAX);
        format!("{}.{:02}", grouped(dollars), cents % 100)
    }

    /// Whole microdollars, for machines.
    pub fn micros(self) -> u64 {
        u64::try_from(self.0 / (PER_DOLLAR / 1_000_000)).unwrap_or(u64::MAX)
    }
}

impl Quantity {
    /// A whole number.
    pub fn whole(count: u64) -> Quantity {
        Quantity(u128::from(count) * PER_UNIT)
    }

    /// The share `part` of `of`.
    pub fn share(self, part: u128, of: u128) -> Quantity {
        Quantity((self.0 * part).checked_div(of).unwrap_or_default())
    }

    /// The part above `least`, up to `most`.
    pub fn between(self, least: Quantity, most: Option<Quantity>) -> Quantity {
        let top = most.map_or(self.0, |most| self.0.min(most.0));
        Quantity(top.saturating_sub(least.0))
    }

    /// Rounded up to a whole number.
    pub fn rounded_up(self) -> u64 {
        u64::try_from(self.0.div_ceil(PER_UNIT)).unwrap_or(u64::MAX)
    }

    /// `12,345`; small quantities with two decimals.
    pub fn shown(self) -> String {
        match self.0 {
            0 => "0".to_owned(),
            small if small < 100 * PER_UNIT && !small.is_multiple_of(PER_UNIT) => {
                format!("{}.{:02}", small / PER_UNIT, small % PER_UNIT / (PER_UNIT / 100))
            }
            large => grouped(i64::try_from((large + PER_UNIT / 2) / PER_UNIT).unwrap_or(i64::MAX)),
        }
    }
}

impl Mul<Money> for Quantity {
    type Output = Money;

    fn mul(self, price: Money) -> Money {
        Money(self.0 * price.0 / PER_UNIT)
    }
}

impl Mul<u64> for Money {
    type Output = Money;

    fn mul(self, count: u64) -> Money {
        Money(self.0 * u128::from(count))
    }
}

impl Div<u64> for Money {
    type Output = Money;

    fn div(self, parts: u64) -> Money {
        Money(self.0.checked_div(u128::from(parts)).unwrap_or_default())
    }
}

impl Add for Money {
    type Output = Money;

    fn add(self, other: Money) -> Money {
        Money(self.0 + other.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(all: I) -> Money {
        all.fold(Money::default(), Add::add)
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Quantity) {
        self.0 += other.0;
    }
}

impl Add for Quantity {
    type Output = Quantity;

    fn add(mut self, other: Quantity) -> Quantity {
        self += other;
        self
    }
}

impl Mul<u64> for Quantity {
    type Output = Quantity;

    fn mul(self, count: u64) -> Quantity {
        Quantity(self.0 * u128::from(count))
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Quantity>>(all: I) -> Quantity {
        all.fold(Quantity::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_exactly_or_not_at_all() {
        // 3.50 $ for a million are 3.5 millionths of a dollar each: 3,500,000 picodollars.
        assert_eq!(Money::of_price("3.50", 1_000_000), Some(Money(3_500_000)));
        assert_eq!(Money::of_price("0.0000133334", 1), Some(Money(13_333_400)));
        assert_eq!(Money::of_price("3", 1), Some(Money(3_000_000_000_000)));
        for wrong in ["", ".5", "1,5", "-1", "0.00000000000001"] {
            assert_eq!(Money::of_price(wrong, 1), None, "{wrong}");
        }
        assert_eq!((Money::of_price("1", 3), Money::of_price("1", 0)), (None, None));
    }

    #[test]
    fn dollars_are_shown_in_cents() {
        // 1,234.565 $ is rounded up, 1,234.564 $ down.
        assert_eq!(Money(1_234_565_000_000_000).shown(), "1,234.57");
        assert_eq!(Money(1_234_564_000_000_000).shown(), "1,234.56");
        assert_eq!((Money(9_999_999_999).shown(), Money(0).shown()), ("< 0.01".to_owned(), "0.00".to_owned()));
    }

    #[test]
    fn a_quantity_costs_its_share_of_a_price() {
        // Two thirds of 10 are 6.666666; at 0.50 $ they cost 3.333333 $.
        let quantity = Quantity::whole(10).share(2, 3);
        assert_eq!((quantity, quantity.shown()), (Quantity(6_666_666), "6.66".to_owned()));
        assert_eq!(quantity * Money(500_000_000_000), Money(3_333_333_000_000));
        assert_eq!(quantity.rounded_up(), 7);
        assert_eq!(quantity.between(Quantity::whole(2), Some(Quantity::whole(5))), Quantity::whole(3));
        assert_eq!(quantity.between(Quantity::whole(7), None), Quantity::whole(0));
    }
}
