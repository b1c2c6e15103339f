//! A month's bill: items, quantities and prices.

use super::money::{Money, Quantity};
use super::prices::Price;

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What is billed.
    pub what: String,
    /// Billed quantity.
    pub quantity: Quantity,
    /// Unit of the quantity.
    pub unit: String,
    /// Price of the first tier, as its page shows it.
    pub price: String,
    /// Amount of this line.
    pub dollars: Money,
}

/// A bill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bill {
    /// Its lines, in order.
    pub lines: Vec<Line>,
}

impl Bill {
    /// Adds a line.
    pub fn add(&mut self, price: &Price, quantity: Quantity) {
        self.lines.push(Line {
            what: price.what.clone(),
            quantity,
            unit: price.unit.clone(),
            price: price.written.clone(),
            dollars: price.of_month(quantity),
        });
    }

    /// The sum.
    pub fn total(&self) -> Money {
        self.lines.iter().map(|line| line.dollars).sum()
    }

    /// Amount of a line; zero without such a line.
    pub fn dollars(&self, what: &str) -> Money {
        self.lines.iter().filter(|line| line.what == what).map(|line| line.dollars).sum()
    }
}
