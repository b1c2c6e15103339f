//! The load: the settings of `make cost`, and its assumptions.

use spillway_tests::tool::number;

use super::figures::Figures;
use super::money::Quantity;
use super::serverless::GB;

/// Hours of a month, as in AWS's own calculator.
pub const HOURS: u64 = 730;

/// How payments arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batches {
    /// One by one: the highest cost.
    Alone,
    /// So many at once that every batch is full: the lowest cost.
    Together,
}

/// A day of client requests, and assumptions about clients and processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Requests of a day.
    pub requests_a_day: u64,
    /// Percentage of requests that create a payment. The percentages of this struct leave the rest to GET of a payment.
    pub payments_percent: u64,
    /// Percentage that list payments.
    pub lists_percent: u64,
    /// Percentage that read the balance.
    pub balances_percent: u64,
    /// API keys in use, each equally often.
    pub keys: u64,
    /// Months for which payments have been kept at the start of the billed month.
    pub months: u64,
    /// Duration of the card processor's answer in ms.
    pub processor_ms: u64,
    /// Duration of a webhook receiver's answer in ms.
    pub endpoint_ms: u64,
    /// How payments arrive.
    pub batches: Batches,
}

impl Load {
    /// The default assumptions.
    pub const fn of(requests_a_day: u64) -> Load {
        Load {
            requests_a_day,
            payments_percent: 50,
            lists_percent: 5,
            balances_percent: 5,
            keys: 100,
            months: 12,
            processor_ms: 500,
            endpoint_ms: 200,
            batches: Batches::Alone,
        }
    }

    /// The load in environment variables; `Err` is a sentence.
    pub fn from_environment() -> Result<Load, String> {
        let usual = Load::of(500_000);
        let load = Load {
            requests_a_day: number("REQUESTS", usual.requests_a_day, 0..=1_000_000_000_000)?,
            payments_percent: number("PAYMENTS_PERCENT", usual.payments_percent, 0..=100)?,
            lists_percent: number("LISTS_PERCENT", usual.lists_percent, 0..=100)?,
            balances_percent: number("BALANCES_PERCENT", usual.balances_percent, 0..=100)?,
            keys: number("KEYS", usual.keys, 1..=1_000_000)?,
            months: number("MONTHS", usual.months, 0..=1_200)?,
            processor_ms: number("PROCESSOR_MS", usual.processor_ms, 0..=30_000)?,
            endpoint_ms: number("ENDPOINT_MS", usual.endpoint_ms, 0..=30_000)?,
            batches: usual.batches,
        };
        let told = load.payments_percent + load.lists_percent + load.balances_percent;
        if told > 100 {
            return Err(format!("PAYMENTS_PERCENT, LISTS_PERCENT and BALANCES_PERCENT are {told} together, of 100."));
        }
        Ok(load)
    }

    /// Percentage that get a payment.
    pub fn gets_percent(&self) -> u64 {
        100 - self.payments_percent - self.lists_percent - self.balances_percent
    }

    /// Requests of a month.
    pub fn requests(&self) -> Quantity {
        Quantity::whole(self.requests_a_day).share(u128::from(HOURS), 24)
    }

    /// This percentage of a month's requests.
    pub fn of_requests(&self, percent: u64) -> Quantity {
        self.requests().share(u128::from(percent), 100)
    }

    /// Payments of a month.
    pub fn payments(&self) -> Quantity {
        self.of_requests(self.payments_percent)
    }

    /// GB in the table and its indexes: payments with their journal entries of all months, and what expires of the last
    /// `retention_days`.
    pub fn stored_gb(&self, figures: &Figures, retention_days: u64) -> Quantity {
        let gb =
            |payments: Quantity, bytes: u64| payments.share(u128::from(bytes), u128::from(figures.together.count) * GB);
        let recent = self.payments().share(u128::from(retention_days) * 24, u128::from(HOURS));
        gb(self.payments() * self.months, figures.kept_bytes) + gb(recent, figures.expiring_bytes)
    }

    /// Calls of the authorizer in a month. Its answer for a key is cached for `remembered_s`, so one answer serves the
    /// request that caused it and those of the seconds after it.
    pub fn authorizations(&self, remembered_s: u64) -> Quantity {
        let a_day = u128::from(self.keys) * 86_400;
        self.requests().share(a_day, a_day + u128::from(self.requests_a_day) * u128::from(remembered_s))
    }

    /// The same load with payments that arrive this way.
    pub fn with(self, batches: Batches) -> Load {
        Load { batches, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_730_hours() {
        // 24,000 a day are 1,000 an hour; half of them pay.
        let load = Load::of(24_000);
        assert_eq!(load.requests(), Quantity::whole(730_000));
        assert_eq!((load.payments(), load.gets_percent()), (Quantity::whole(365_000), 40));
    }

    #[test]
    fn an_authorizer_answer_is_cached_for_a_minute() {
        // One key, 86,400 a day, one a second: each answer serves 61 requests, itself and 60 seconds of others.
        let load = Load { keys: 1, ..Load::of(86_400) };
        assert_eq!(load.authorizations(60), load.requests().share(1, 61));
        // Without a cache each request calls the authorizer.
        assert_eq!(load.authorizations(0), load.requests());
    }
}
