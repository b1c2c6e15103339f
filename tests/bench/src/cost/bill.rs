//! A month's bill: what, how much of it, at which price.

use super::money::{Money, Quantity};
use super::prices::Price;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is for.
    pub what: String,
    /// How much of it.
    pub quantity: Quantity,
    /// What is counted.
    pub unit: String,
    /// The price as its page has it, of the first tier.
    pub price: String,
    /// What it comes to.
    pub dollars: Money,
}

/// All lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bill {
    /// In the order of the bill.
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

    /// What a line comes to; nothing where there is none.
    pub fn dollars(&self, what: &str) -> Money {
        self.lines.iter().filter(|line| line.what == what).map(|line| line.dollars).sum()
    }
}
