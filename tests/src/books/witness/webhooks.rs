//! What the merchant was told: one event for each payment, with one id and one body, signed, and true.

use std::collections::BTreeMap;

use super::{Evidence, Kind, Violation};
use crate::book::Sent;
use crate::difference::{differences, shown as plain};
use crate::inbox::Received;

pub(super) fn check(evidence: &Evidence, accepted: &BTreeMap<&str, &Sent>, found: &mut Vec<Violation>) {
    let mut told: BTreeMap<String, Vec<(&String, &Received)>> = BTreeMap::new();
    for (id, webhook) in &evidence.webhooks {
        let faults = webhook.faults.iter().map(|fault| Kind::Wrong.of(format!("webhook {id}: {fault}")));
        found.extend(faults);
        let body = webhook.body();
        if body["id"] != id.as_str() {
            found.push(Kind::Wrong.of(format!("webhook {id}: its body has the id {}", body["id"])));
        }
        let payment = body["data"]["id"].as_str().unwrap_or_default().to_owned();
        told.entry(payment).or_default().push((id, webhook));
    }
    for (payment, sent) in accepted {
        let webhooks = told.remove(*payment).unwrap_or_default();
        match webhooks.as_slice() {
            [] => found.push(Kind::Lost.of(format!("no webhook told of {payment} ({})", sent.order.card.token))),
            [(id, webhook)] => found.extend(one(evidence, payment, sent, id, webhook)),
            several => {
                found.push(Kind::Doubled.of(format!("{} webhooks told of {payment}: {}", several.len(), ids(several))));
            }
        }
    }
    for (stranger, webhooks) in told {
        let ids = ids(&webhooks);
        found.push(Kind::Wrong.of(format!("{ids} told of a payment {stranger:?}, which no client was told of")));
    }
}

fn ids(webhooks: &[(&String, &Received)]) -> String {
    webhooks.iter().map(|(id, _)| id.as_str()).collect::<Vec<&str>>().join(", ")
}

/// What is wrong with the one webhook of a payment.
fn one(evidence: &Evidence, payment: &str, sent: &Sent, id: &str, webhook: &Received) -> Option<Violation> {
    let event = if sent.order.succeeds() { "payment.succeeded" } else { "payment.failed" };
    let body = webhook.body();
    if body["type"] != event {
        let told = plain(&body["type"]);
        return Some(Kind::Wrong.of(format!("webhook {id} told {told} of {payment}, not {event}")));
    }
    let shown = evidence.payments.get(payment)?;
    // Where the API does not show it, that is named already.
    if shown.is_object() && body["data"] != *shown {
        let differences = differences(&body["data"], shown);
        return Some(Kind::Wrong.of(format!("webhook {id} tells {payment} unlike the API: {differences}")));
    }
    (!webhook.acknowledged).then(|| Kind::Lost.of(format!("webhook {id} of {payment} was given up")))
}
