//! Events, their deliveries, and webhook endpoints.

use std::collections::BTreeMap;

use serde_json::Value;
use spillway_domain::id::{EndpointId, EventId};
use spillway_domain::time::Timestamp;
use spillway_store::keys;

use super::Walk;
use super::object::shard;
use crate::error::TraceError;
use crate::history::{Wait, counted, number, some_text, text, texts};
use crate::table::Item;

/// The most pending deliveries of an endpoint that are shown.
const PENDING_SHOWN: i32 = 20;

impl Walk<'_> {
    /// An event with its deliveries, or with the delivery to one endpoint.
    pub(super) async fn event(&mut self, id: &EventId, item: &Item, only_to: Option<&str>) -> Result<(), TraceError> {
        let what = format!("{id} {} about {}", text(item, "type"), text(item, "source"));
        self.history.step(text(item, "timestamp"), "event", what);
        self.history.name(id.as_str());
        if item.contains_key("due_at") {
            let waits_for = "deliver-webhook to deliver it to every endpoint";
            self.history.waits.push(Wait::of(item, id.as_str(), waits_for, text(item, "timestamp")));
        }
        self.deliveries(id, only_to).await
    }

    /// The deliveries of an event, or the one to one endpoint.
    pub(super) async fn deliveries(&mut self, event: &EventId, only_to: Option<&str>) -> Result<(), TraceError> {
        self.history.name(event.as_str());
        for delivery in self.table.partition(&keys::deliveries(self.tenant, event), "we_").await? {
            if only_to.is_none_or(|endpoint| endpoint == text(&delivery, "sk")) {
                self.delivery(event, &delivery).await?;
            }
        }
        Ok(())
    }

    async fn delivery(&mut self, event: &EventId, delivery: &Item) -> Result<(), TraceError> {
        let endpoint = text(delivery, "sk").to_owned();
        let what = format!("to {endpoint}: {}", outcome(delivery));
        self.history.step(text(delivery, "updated_at"), "delivery", what);
        if text(delivery, "status") == "pending" {
            let waits_for = format!("{endpoint} to answer 2xx{}", self.health(&endpoint).await?);
            let id = format!("{event} {endpoint}");
            let wait = Wait::of(delivery, &id, waits_for, text(delivery, "updated_at"));
            self.history.waits.push(Wait { next_at: some_text(delivery, "next_attempt_at"), ..wait });
        }
        Ok(())
    }

    /// Why an endpoint does not receive, in words. Empty if it works.
    async fn health(&mut self, endpoint: &str) -> Result<String, TraceError> {
        if self.endpoints.is_none() {
            let all = self.table.partition(&keys::webhook_endpoints(self.tenant), "we_").await?;
            let by_id: BTreeMap<String, Item> =
                all.into_iter().map(|item| (text(&item, "sk").to_owned(), item)).collect();
            self.endpoints = Some(by_id);
        }
        let known = self.endpoints.as_ref().and_then(|endpoints| endpoints.get(endpoint));
        Ok(known.map_or(", but it was deleted".to_owned(), |item| match some_text(item, "failing_since") {
            _ if text(item, "status") == "disabled" => ", but it is disabled".to_owned(),
            Some(since) => format!("; it fails since {since}"),
            None => match some_text(item, "probe_at") {
                Some(at) => format!("; it answers slowly, and is probed from {at} on"),
                None => String::new(),
            },
        }))
    }

    /// A webhook endpoint, or its tombstone, with its pending deliveries.
    pub(super) async fn endpoint(&mut self, id: &EndpointId, item: &Item) -> Result<(), TraceError> {
        self.history.name(id.as_str());
        self.history.step(text(item, "deleted_at"), "deleted", id.as_str());
        let created = format!("{id}, events {}, request {}", texts(item, "event_types"), text(item, "request_id"));
        self.history.step(text(item, "created_at"), "created", created);
        if number(item, "version") > 1 {
            let changed = format!("{id} is {}, version {}", text(item, "status"), number(item, "version"));
            self.history.step(text(item, "updated_at"), "changed", changed);
        }
        self.history.step(text(item, "works_since"), "works", "again, since this time");
        self.history.step(text(item, "failing_since"), "fails", "every attempt, since this time");
        if let (Some(at), version) = (Timestamp::parse(text(item, "updated_at")).ok(), number(item, "version")) {
            // The event of a change by Spillway itself, such as `webhook_endpoint.disabled`.
            let parts = [id.as_str(), &version.to_string()];
            self.event_of(&EventId::ordered(at, shard(item), &parts)).await?;
        }
        let test = item.get("last_test").and_then(|test| EventId::parse(test["event"].as_str()?).ok());
        if let Some(test) = test {
            self.event_of(&test).await?;
        }
        self.pending(id).await
    }

    /// The newest pending deliveries of an endpoint.
    async fn pending(&mut self, id: &EndpointId) -> Result<(), TraceError> {
        let page = self.table.listed(&keys::pending_deliveries(self.tenant, id), Some(PENDING_SHOWN), None).await?;
        for (key, delivery) in self.table.items(&page.keys).await? {
            let event = key.pk.rsplit('#').next().and_then(|event| EventId::parse(event).ok());
            if let Some(event) = event {
                self.delivery(&event, &delivery).await?;
            }
        }
        Ok(())
    }
}

/// How far a delivery is.
fn outcome(delivery: &Item) -> String {
    let (status, attempts) = (text(delivery, "status"), counted(number(delivery, "attempts"), "attempt"));
    let under_way = delivery.get("planned_at").is_some_and(|planned| *planned != Value::Null);
    match (status, text(delivery, "last_answer")) {
        ("pending", _) if under_way => format!("pending after {attempts}, another is under way"),
        ("pending", "") => "put off before the first attempt".to_owned(),
        (_, "") => format!("{status}: the endpoint took no more events before the first attempt"),
        (_, answer) => format!("{status} after {attempts}, last answer {answer}"),
    }
}
