//! A webhook endpoint as its merchant sees it.

use serde::Serialize;
use spillway_domain::tenant::Mode;
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{Endpoint, EndpointStatus, EventFilter};

use super::Shown;

/// The wire shape of an endpoint. The secret is in the answers to its creation only.
#[derive(Debug, Serialize)]
pub struct WebhookEndpointView<'a> {
    id: &'a str,
    object: &'static str,
    mode: Mode,
    url: &'a str,
    event_types: &'a [EventFilter],
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    status: EndpointStatus,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// The wire shape of an endpoint as it is.
pub fn webhook_endpoint(endpoint: &Endpoint) -> WebhookEndpointView<'_> {
    let meta = &endpoint.meta;
    WebhookEndpointView {
        id: meta.id.as_str(),
        object: "webhook_endpoint",
        mode: meta.owner.mode,
        url: &endpoint.url,
        event_types: &endpoint.event_types,
        secret: None,
        status: endpoint.status,
        version: meta.version,
        created_at: meta.created_at,
        updated_at: meta.updated_at,
    }
}

/// The wire shape of an endpoint as it is, with its newest secret: the answer to the request that creates it.
pub fn created_webhook_endpoint(endpoint: &Endpoint) -> WebhookEndpointView<'_> {
    let secret = endpoint.secrets.first().map(|secret| secret.text.as_str());
    WebhookEndpointView { secret, ..webhook_endpoint(endpoint) }
}

impl Shown for Endpoint {
    fn shown(&self) -> impl Serialize {
        webhook_endpoint(self)
    }
}
