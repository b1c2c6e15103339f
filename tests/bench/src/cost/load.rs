//! How much is asked of the system: what `make cost` is told, or assumes.

use spillway_tests::tool::number;

use super::money::Quantity;

/// Hours of a month, as AWS's own calculator takes it.
pub const HOURS: u64 = 730;

/// How payments come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batches {
    /// Each alone: what it costs at most.
    Alone,
    /// So many at once that every batch is full: what it costs at least.
    Together,
}

/// A day of clients' requests, and what is known of the world around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// All requests of a day.
    pub requests_a_day: u64,
    /// Of a hundred requests, how many create a payment; what no other number takes, gets one.
    pub payments_percent: u64,
    /// How many list payments.
    pub lists_percent: u64,
    /// How many ask for the balance.
    pub balances_percent: u64,
    /// API keys that they come from, evenly.
    pub keys: u64,
    /// Months that payments have been kept when the month begins to be billed.
    pub months: u64,
    /// How long the card processor takes to answer.
    pub processor_ms: u64,
    /// How long a merchant's server takes to answer a webhook.
    pub endpoint_ms: u64,
    /// How they come.
    pub batches: Batches,
}

impl Load {
    /// What is assumed where nothing is told.
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

    /// What the environment tells; `Err` is a sentence.
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

    /// How many get a payment.
    pub fn gets_percent(&self) -> u64 {
        100 - self.payments_percent - self.lists_percent - self.balances_percent
    }

    /// A month's requests.
    pub fn requests(&self) -> Quantity {
        Quantity::whole(self.requests_a_day).share(u128::from(HOURS), 24)
    }

    /// Of a month's requests, so many of a hundred.
    pub fn of_requests(&self, percent: u64) -> Quantity {
        self.requests().share(u128::from(percent), 100)
    }

    /// A month's payments.
    pub fn payments(&self) -> Quantity {
        self.of_requests(self.payments_percent)
    }

    /// How often the authorizer is asked in a month, whose answer for a key is then remembered for so many seconds:
    /// each answer is used by the request that asked and by those of the seconds after it.
    pub fn authorizations(&self, remembered_s: u64) -> Quantity {
        let a_day = u128::from(self.keys) * 86_400;
        self.requests().share(a_day, a_day + u128::from(self.requests_a_day) * u128::from(remembered_s))
    }

    /// The same, with payments that come like this.
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
        // Never remembered, it is asked for each.
        assert_eq!(load.authorizations(0), load.requests());
    }
}
