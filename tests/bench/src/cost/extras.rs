//! Parts of a deployment that are off by default: web ACL, access log, tracing, an encryption key of one's own.

use spillway_tests::tool::number;

use super::bill::Bill;
use super::load::{HOURS, Load};
use super::money::Quantity;
use super::prices::Prices;
use super::serverless::{BYTES_OF_A_LINE, GB, KEPT_PERCENT};

/// A line of the access log, in the template's format.
const ACCESS_LINE: &str = r#"{"time_ms":"1769860800123","request_id":"79b4f56e-95b1-4643-9700-2807f4e68189","method":"POST","route":"/v1/payments/{payment_id}/refunds","status":"202","merchant":"mer_01h455vb4pex5vsknk084sn02q","refused_as":"-","latency_ms":"35","function_ms":"30","bytes":"747"}"#;
/// X-Ray records the first request of each second, and this percentage of the others:
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>.
const TRACED_PERCENT: u128 = 5;

/// The parts that are on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// Rules of the web ACL; 0: no web ACL.
    pub firewall_rules: u64,
    /// The parameter `AccessLogs`.
    pub access_logs: bool,
    /// The parameter `Tracing`.
    pub tracing: bool,
    /// A customer's key for table, queues and logs.
    pub key: bool,
}

impl Extras {
    /// The parts that environment variables turn on; `Err` is a sentence.
    pub fn from_environment() -> Result<Extras, String> {
        let on = |name: &str| Ok::<_, String>(number(name, 0, 0..=1)? == 1);
        Ok(Extras {
            firewall_rules: number("WAF_RULES", 0, 0..=1_500)?,
            access_logs: on("ACCESS_LOGS")?,
            tracing: on("TRACING")?,
            key: on("KMS_KEY")?,
        })
    }

    /// Adds the lines of the parts that are on.
    pub fn add_to(self, bill: &mut Bill, load: &Load, prices: &Prices) {
        let requests = load.requests();
        let mut add = |price: &str, quantity: Quantity| bill.add(prices.get(price), quantity);
        if self.firewall_rules > 0 {
            add("firewall", Quantity::whole(1));
            add("firewall_rule", Quantity::whole(self.firewall_rules));
            add("firewall_request", requests);
        }
        if self.access_logs {
            let line = u64::try_from(ACCESS_LINE.len()).unwrap_or_default() + BYTES_OF_A_LINE;
            add("log_gb", (requests * line).share(1, GB));
            add("log_kept_gb", (requests * line).share(KEPT_PERCENT, 100 * GB));
        }
        if self.tracing {
            let seconds = Quantity::whole(HOURS * 3600);
            let others = requests.between(seconds, None);
            add("trace", requests.min(seconds) + others.share(TRACED_PERCENT, 100));
        }
        if self.key {
            add("key", Quantity::whole(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a month with 24,000 requests a day, and with 240,000.
    fn lines(extras: Extras, requests_a_day: u64) -> Vec<(String, String)> {
        let mut bill = Bill::default();
        extras.add_to(&mut bill, &Load::of(requests_a_day), &Prices::read().unwrap());
        bill.lines.iter().map(|line| (line.quantity.shown(), line.dollars.shown())).collect()
    }

    #[test]
    fn a_part_that_is_off_costs_nothing() {
        assert_eq!(lines(Extras::default(), 24_000), []);
    }

    #[test]
    fn each_part_has_its_lines() {
        let is = |extras: Extras, requests: u64, expected: &[(&str, &str)]| {
            let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!(lines(extras, requests), expected, "{extras:?}");
        };
        // 730,000 requests a month at 0.60 a million are 0.438 dollars.
        let firewall = Extras { firewall_rules: 3, ..Extras::default() };
        is(firewall, 24_000, &[("1", "5.00"), ("3", "3.00"), ("730,000", "0.44")]);
        // A line has 266 bytes, and 26 more are billed: 7.3 million × 292 / 2^30 = 1.985 GB at 0.50; 15 % of them at 0.03.
        let access_logs = Extras { access_logs: true, ..Extras::default() };
        is(access_logs, 240_000, &[("1.98", "0.99"), ("0.29", "< 0.01")]);
        // A month has 2,628,000 seconds. 730,000 requests are fewer: all are recorded. Of 7.3 million, 2,628,000 and 5 %
        // of 4,672,000.
        let tracing = Extras { tracing: true, ..Extras::default() };
        is(tracing, 24_000, &[("730,000", "3.65")]);
        is(tracing, 240_000, &[("2,861,600", "14.31")]);
        is(Extras { key: true, ..Extras::default() }, 24_000, &[("1", "1.00")]);
    }
}
