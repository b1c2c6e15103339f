//! The result of a demo, as text and as JSON.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::deliveries::{EventRef, event_ref};
use crate::evidence::{Evidence, expected_balances};
use crate::money_request::MoneyRequest;
use crate::oracle::Balances;
use crate::outcomes::{self, outcome_lines};
use crate::percentiles::Percentiles;
use crate::request_log::Sent;
use crate::tool::{count, grouped, shown};
use crate::violation::{Kind, Violation};

/// The result of a demo.
pub struct DemoReport<'demo> {
    /// The gathered evidence.
    pub evidence: &'demo Evidence,
    /// The broken promises.
    pub violations: &'demo [Violation],
    /// Time from the first request to the last webhook.
    pub took: Duration,
    /// Seed of the payments.
    pub seed: u64,
}

/// Latencies of a run.
struct Latencies {
    post: Percentiles,
    prompt: Percentiles,
    waiting: Percentiles,
    refund: Percentiles,
    refunded: Percentiles,
}

impl DemoReport<'_> {
    /// The report as text.
    pub fn text(&self) -> String {
        let lines = [self.counts(), self.balances(), self.journal(), self.durations()].concat();
        lines.join("\n") + "\n"
    }

    fn counts(&self) -> Vec<String> {
        let (outcomes, refunds) = (outcomes::of_payments([self.evidence]), outcomes::of_refunds([self.evidence]));
        let settled = |(outcome, times): (&String, &usize)| {
            if ["processing", "not accepted"].contains(&outcome.as_str()) { 0 } else { *times }
        };
        let settled = outcomes.values().flatten().map(settled).sum();
        let evidence = self.evidence;
        let [accepted, settled, refunded, webhooks] =
            [evidence.accepted().len(), settled, evidence.accepted_refunds().len(), evidence.webhooks.len()].map(count);
        let (took, per_second) = (shown(self.took), self.per_second());
        let mut lines = vec![
            format!(
                "  {accepted} accepted · {settled} settled · {refunded} refunds · {webhooks} webhooks · in {took}, \
                 {per_second} payments a second"
            ),
            format!("\n{:<14}{:>8}   outcome", "Payments", "sent"),
        ];
        lines.extend(outcome_lines(&outcomes));
        lines.push(format!("\n{:<14}{:>8}   outcome", "Refunds", "sent"));
        lines.extend(outcome_lines(&refunds));
        lines
    }

    fn balances(&self) -> Vec<String> {
        let (shown, expected) = (self.evidence.balance.clone().unwrap_or_default(), self.expected());
        let pending = |balances: &Balances, currency: &str| balances.get(currency).map_or(0, |(_, pending)| *pending);
        let mut lines = vec![format!("\n{:<14}{:>16}{:>16}", "Pending", "by the API", "expected")];
        lines.extend(expected.keys().map(|currency| {
            let [shown, expected] = [&shown, &expected].map(|balances| grouped(pending(balances, currency)));
            format!("  {currency:<12}{shown:>16}{expected:>16}")
        }));
        lines
    }

    fn journal(&self) -> Vec<String> {
        let unbalanced = self.violations.iter().any(|each| each.kind == Kind::Unbalanced);
        let balanced = if unbalanced { "not all of them balanced" } else { "each balanced" };
        let entries = count(self.evidence.books.entries.len());
        let mut lines = vec![format!("\n{:<14}{entries:>16} entries, {balanced}; all accounts together:", "Journal")];
        for (currency, accounts) in self.evidence.books.accounts() {
            // The debits first.
            let mut sides: Vec<(&String, &i64)> = accounts.iter().collect();
            sides.sort_by_key(|(_, sum)| std::cmp::Reverse(**sum));
            let signed = |(account, sum): (&String, &i64)| {
                let sign = if *sum < 0 { '-' } else { '+' };
                format!("{sign} {account} {}", grouped(sum.saturating_abs()))
            };
            let sides: Vec<String> = sides.into_iter().map(signed).collect();
            let sum = grouped(accounts.values().sum());
            lines.push(format!("  {currency:<5} {} = {sum}", sides.join(" ").trim_start_matches("+ ")));
        }
        lines
    }

    fn durations(&self) -> Vec<String> {
        let mut lines = vec![format!("\n{:<30}{:>10}{:>10}{:>10}{:>10}", "Latency", "count", "p50", "p95", "p99")];
        for (_, name, percentiles) in self.latencies().named() {
            let [p50, p95, p99] = [50, 95, 99].map(|percent| shown(percentiles.at(percent)));
            let number = count(percentiles.count());
            lines.push(format!("  {name:<28}{number:>10}{p50:>10}{p95:>10}{p99:>10}"));
        }
        lines
    }

    /// The report as JSON: durations in microseconds, amounts in minor units.
    pub fn json(&self) -> Value {
        let pending = |balances: &Balances| -> BTreeMap<String, i64> {
            balances.iter().map(|(currency, (_, pending))| (currency.clone(), *pending)).collect()
        };
        let latencies: BTreeMap<&str, Value> =
            self.latencies().named().into_iter().map(|(key, _, percentiles)| (key, in_micros(percentiles))).collect();
        json!({
            "seed": self.seed,
            "sent": self.evidence.sent.len(),
            "accepted": self.evidence.accepted().len(),
            "refunds_sent": self.evidence.refunds.len(),
            "refunds": self.evidence.accepted_refunds().len(),
            "webhooks": self.evidence.webhooks.len(),
            "entries": self.evidence.books.entries.len(),
            "took_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "payments_per_second": self.per_second(),
            "outcomes": outcomes::of_payments([self.evidence]),
            "refund_outcomes": outcomes::of_refunds([self.evidence]),
            "pending": pending(&self.evidence.balance.clone().unwrap_or_default()),
            "pending_expected": pending(&self.expected()),
            "latency_us": latencies,
            "violations": self.violations.iter().map(ToString::to_string).collect::<Vec<String>>(),
        })
    }

    fn per_second(&self) -> u64 {
        let payments = u128::try_from(self.evidence.accepted().len()).unwrap_or_default();
        u64::try_from(payments * 1_000 / self.took.as_millis().max(1)).unwrap_or_default()
    }

    fn expected(&self) -> Balances {
        expected_balances(self.evidence)
    }

    fn latencies(&self) -> Latencies {
        let webhooks = self.evidence.webhooks.values();
        let arrivals: BTreeMap<EventRef, Instant> =
            webhooks.map(|webhook| (event_ref(&webhook.body()), webhook.first_at)).collect();
        let (payments, refunds) = (&self.evidence.sent, &self.evidence.refunds);
        let of_cards = |is_prompt: bool| payments.iter().filter(move |sent| sent.request.card.is_prompt == is_prompt);
        Latencies {
            post: until_answered(payments),
            prompt: until_delivered(of_cards(true), &arrivals),
            waiting: until_delivered(of_cards(false), &arrivals),
            refund: until_answered(refunds),
            refunded: until_delivered(refunds.iter(), &arrivals),
        }
    }
}

/// Duration of each accepted request.
fn until_answered<Of>(sent: &[Sent<Of>]) -> Percentiles {
    Percentiles::of(sent.iter().filter_map(|sent| Some(sent.accepted.as_ref()?.took)))
}

/// Time from each acceptance to the webhook of its end.
fn until_delivered<'sent, Of: MoneyRequest + 'sent>(
    sent: impl Iterator<Item = &'sent Sent<Of>>, arrivals: &BTreeMap<EventRef, Instant>,
) -> Percentiles {
    Percentiles::of(sent.filter_map(|sent| {
        let (accepted, end) = (sent.accepted.as_ref()?, sent.request.events().pop()?.to_owned());
        // A webhook may come before its client has read the 202.
        Some(arrivals.get(&(accepted.id.clone(), end))?.saturating_duration_since(accepted.at))
    }))
}

impl Latencies {
    /// Each with its JSON name and its title.
    fn named(&self) -> [(&'static str, &'static str, &Percentiles); 5] {
        [
            ("post", "POST /v1/payments", &self.post),
            ("webhook", "accepted → webhook", &self.prompt),
            ("webhook_slow_cards", "the same, slow cards", &self.waiting),
            ("refund", "POST …/refunds", &self.refund),
            ("refund_webhook", "accepted → refund's webhook", &self.refunded),
        ]
    }
}

fn in_micros(percentiles: &Percentiles) -> Value {
    let at = |percent| u64::try_from(percentiles.at(percent).as_micros()).unwrap_or(u64::MAX);
    json!({"count": percentiles.count(), "p50": at(50), "p95": at(95), "p99": at(99)})
}
