//! Outcomes of payments and refunds, counted.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::evidence::Evidence;
use crate::money_request::MoneyRequest;
use crate::request_log::Sent;
use crate::tool::count;
use crate::workload::Behaviour;

/// Number of each outcome, by the card's behaviour.
pub type Outcomes = BTreeMap<&'static str, BTreeMap<String, usize>>;

/// Outcomes of all payments, as the API shows them.
pub fn of_payments<'each>(evidence: impl IntoIterator<Item = &'each Evidence>) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for each in evidence {
        each.sent.iter().for_each(|sent| note(&mut outcomes, each, sent, sent.request.card));
    }
    outcomes
}

/// Outcomes of all refunds: the API's status, or the reason of the refusal.
pub fn of_refunds<'each>(evidence: impl IntoIterator<Item = &'each Evidence>) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for each in evidence {
        each.refunds.iter().for_each(|sent| note(&mut outcomes, each, sent, sent.request.order.card));
    }
    outcomes
}

fn note<Of: MoneyRequest>(outcomes: &mut Outcomes, evidence: &Evidence, sent: &Sent<Of>, card: Behaviour) {
    let shown = sent.accepted.as_ref().and_then(|accepted| evidence.shown.get(&accepted.id));
    let read = |value: &Value| value.as_str().map(str::to_owned);
    let outcome = shown.and_then(|shown| read(&shown["failure"]["code"]).or_else(|| read(&shown["status"])));
    let outcome = outcome.or_else(|| sent.refused.clone()).unwrap_or_else(|| "not accepted".to_owned());
    *outcomes.entry(card.name).or_default().entry(outcome).or_default() += 1;
}

/// A line for each behaviour of a card: the number, and the outcomes.
pub fn outcome_lines(outcomes: &Outcomes) -> Vec<String> {
    let line = |(card, outcomes): (&&str, &BTreeMap<String, usize>)| {
        let listed: Vec<String> =
            outcomes.iter().map(|(outcome, number)| format!("{} {outcome}", count(*number))).collect();
        format!("  {card:<12}{:>8}   {}", count(outcomes.values().sum()), listed.join(", "))
    };
    outcomes.iter().map(line).collect()
}
