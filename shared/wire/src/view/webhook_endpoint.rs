//! The view of webhook endpoints.

use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::id::EndpointKind;
use spillway_domain::tenant::Mode;
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{EndpointStatus, EventFilter, WebhookEndpoint};

use super::Shown;
use super::schema::{EventFilterWord, IdOf, Time, Version};

/// A webhook endpoint.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookEndpoint")]
pub struct WebhookEndpointView<'a> {
    /// The id, derived from the merchant, the mode and the `Idempotency-Key`.
    #[schemars(with = "IdOf<EndpointKind>")]
    id: &'a str,
    /// Always `webhook_endpoint`.
    #[schemars(extend("const" = "webhook_endpoint"))]
    object: &'static str,
    /// Whether the endpoint receives events of test or of live data.
    mode: Mode,
    /// The address to which events are posted.
    #[schemars(extend("format" = "uri"))]
    url: &'a str,
    /// The filters of the events that are posted.
    #[schemars(with = "Vec<EventFilterWord>")]
    event_types: &'a [EventFilter],
    /// The signing secret, `whsec_…`. Only the answers to the creation and to a rotation contain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    /// Whether the endpoint receives events.
    status: EndpointStatus,
    /// Rises with each visible change. Of two states, the one with the higher version is newer.
    #[schemars(with = "Version")]
    version: u64,
    /// The time of creation.
    #[schemars(with = "Time")]
    created_at: Timestamp,
    /// The time of the last change.
    #[schemars(with = "Time")]
    updated_at: Timestamp,
}

/// The view of an endpoint, without a secret.
pub fn webhook_endpoint(endpoint: &WebhookEndpoint) -> WebhookEndpointView<'_> {
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

/// The view of an endpoint with the text of a secret, for the answer to the request that created the secret.
pub fn webhook_endpoint_with<'a>(secret: &'a str, endpoint: &'a WebhookEndpoint) -> WebhookEndpointView<'a> {
    WebhookEndpointView { secret: Some(secret), ..webhook_endpoint(endpoint) }
}

impl Shown for WebhookEndpoint {
    fn shown(&self) -> impl Serialize {
        webhook_endpoint(self)
    }
}
