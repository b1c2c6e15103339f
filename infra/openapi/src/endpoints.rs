//! The endpoints, each by one line.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};
use spillway_wire::contract::Endpoint;

/// What the groups of endpoints are for, by the first part of their paths below the version.
const GROUPS: [(&str, &str); 6] = [
    ("payments", "Charging cards, and giving the money back."),
    ("refunds", "Money that was given back."),
    ("balance", "What the merchant has, and what changed it."),
    ("webhook-endpoints", "Where events are posted."),
    ("health", "Whether the API answers."),
    ("openapi.json", "This document."),
];

/// An endpoint as it declares itself.
#[derive(Debug)]
pub struct Described {
    /// The name of its function.
    pub function: &'static str,
    /// The declaration.
    pub contract: Endpoint<()>,
    /// What a success shows. None if it shows nothing.
    pub shown: Option<Schema>,
}

/// Every endpoint, in the order of the document.
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
    /// The first part of its path below the version.
    pub fn group(&self) -> &'static str {
        self.contract.name().split('/').next().unwrap_or_default()
    }

    /// Its name in the document: `createPayment`.
    pub fn operation_id(&self) -> String {
        let mut words = self.function.split('-');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |id, word| id + &word[..1].to_uppercase() + &word[1..])
    }
}

/// The group's name in the document: `Webhook endpoints`.
pub fn tag(group: &str) -> String {
    let words = group.trim_end_matches(".json").replace('-', " ");
    words[..1].to_uppercase() + &words[1..]
}

/// The groups of these endpoints, with what each is for.
pub fn tags(described: &[Described]) -> Value {
    let used = GROUPS.into_iter().filter(|(group, _)| described.iter().any(|endpoint| endpoint.group() == *group));
    let events = ("Events", "What is posted to webhook endpoints.");
    used.map(|(group, about)| (tag(group), about))
        .chain([(events.0.to_owned(), events.1)])
        .map(|(name, about)| json!({"name": name, "description": about}))
        .collect()
}
