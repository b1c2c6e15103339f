//! What became of payments, counted.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::oracle::Evidence;
use crate::tool::count;

/// How often each outcome occurred, by the card's behaviour.
pub type Outcomes = BTreeMap<&'static str, BTreeMap<String, usize>>;

/// What became of all payments, as the API shows it.
pub fn outcomes<'each>(evidence: impl IntoIterator<Item = &'each Evidence>) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for each in evidence {
        for sent in &each.sent {
            let payment = sent.accepted.as_ref().and_then(|accepted| each.shown.get(&accepted.id));
            let read = |value: &Value| value.as_str().map(str::to_owned);
            let outcome = payment.and_then(|shown| read(&shown["failure"]["code"]).or_else(|| read(&shown["status"])));
            let outcome = outcome.unwrap_or_else(|| "not accepted".to_owned());
            *outcomes.entry(sent.order.card.name).or_default().entry(outcome).or_default() += 1;
        }
    }
    outcomes
}

/// A line for each behaviour of a card: how many payments, and what became of them.
pub fn outcome_lines(outcomes: &Outcomes) -> Vec<String> {
    let line = |(card, outcomes): (&&str, &BTreeMap<String, usize>)| {
        let listed: Vec<String> =
            outcomes.iter().map(|(outcome, number)| format!("{} {outcome}", count(*number))).collect();
        format!("  {card:<12}{:>8}   {}", count(outcomes.values().sum()), listed.join(", "))
    };
    outcomes.iter().map(line).collect()
}
