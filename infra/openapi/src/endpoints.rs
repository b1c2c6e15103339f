//! The list of endpoints.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};
use spillway_wire::contract::Endpoint;

/// The groups of endpoints: the first part of their paths after `/v1/`, and a description.
const GROUPS: [(&str, &str); 6] = [
    ("payments", "Payments: charges of cards, and their refunds."),
    ("refunds", "Refunds of payments."),
    ("balance", "The merchant's balance and its changes."),
    ("webhook-endpoints", "The addresses to which events are posted."),
    ("health", "Whether the API answers."),
    ("openapi.json", "This document."),
];

/// An endpoint with its declaration.
#[derive(Debug)]
pub struct Described {
    /// The name of its function.
    pub function: &'static str,
    /// The declaration.
    pub contract: Endpoint<()>,
    /// The schema of a successful answer. None if the answer has no body.
    pub shown: Option<Schema>,
}

/// All endpoints, in the order of the document.
pub fn described(generator: &mut SchemaGenerator) -> Vec<Described> {
    let mut all = Vec::new();
    let mut list = List { generator, all: &mut all };
    list.add("create-payment", &create_payment::ENDPOINT);
    list.add("list-payments", &list_payments::ENDPOINT);
    list.add("get-payment", &get_payment::ENDPOINT);
    list.add("create-refund", &create_refund::ENDPOINT);
    list.add("list-refunds", &list_refunds::ENDPOINT);
    list.add("get-refund", &get_refund::ENDPOINT);
    list.add("get-balance", &get_balance::ENDPOINT);
    list.add("list-balance-transactions", &list_balance_transactions::ENDPOINT);
    list.add("create-webhook-endpoint", &create_webhook_endpoint::ENDPOINT);
    list.add("list-webhook-endpoints", &list_webhook_endpoints::ENDPOINT);
    list.add("get-webhook-endpoint", &get_webhook_endpoint::ENDPOINT);
    list.add("update-webhook-endpoint", &update_webhook_endpoint::ENDPOINT);
    list.add("delete-webhook-endpoint", &delete_webhook_endpoint::ENDPOINT);
    list.add("rotate-webhook-secret", &rotate_webhook_secret::ENDPOINT);
    list.add("test-webhook-endpoint", &test_webhook_endpoint::ENDPOINT);
    list.add("get-health", &get_health::ENDPOINT);
    list.add("get-openapi", &get_openapi::ENDPOINT);
    all
}

struct List<'list> {
    generator: &'list mut SchemaGenerator,
    all: &'list mut Vec<Described>,
}

impl List<'_> {
    fn add<A: JsonSchema>(&mut self, function: &'static str, endpoint: &Endpoint<A>) {
        let has_body = endpoint.success.status != 204;
        let shown = has_body.then(|| self.generator.subschema_for::<A>());
        self.all.push(Described { function, contract: endpoint.erased(), shown });
    }
}

impl Described {
    /// The group: the first part of the path after `/v1/`.
    pub fn group(&self) -> &'static str {
        self.contract.name().split('/').next().unwrap_or_default()
    }

    /// The operation id, such as `createPayment`.
    pub fn operation_id(&self) -> String {
        let mut words = self.function.split('-');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |id, word| id + &word[..1].to_uppercase() + &word[1..])
    }
}

/// The tag of a group, such as `Webhook endpoints`.
pub fn tag(group: &str) -> String {
    let words = group.trim_end_matches(".json").replace('-', " ");
    words[..1].to_uppercase() + &words[1..]
}

/// The tags of the groups of these endpoints, with descriptions.
pub fn tags(described: &[Described]) -> Value {
    let used = GROUPS.into_iter().filter(|(group, _)| described.iter().any(|endpoint| endpoint.group() == *group));
    let events = ("Events", "The events that are posted to webhook endpoints.");
    used.map(|(group, about)| (tag(group), about))
        .chain([(events.0.to_owned(), events.1)])
        .map(|(name, about)| json!({"name": name, "description": about}))
        .collect()
}
