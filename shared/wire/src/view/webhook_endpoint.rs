//! A webhook endpoint as its merchant sees it.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::id::EndpointKind;
use spillway_domain::tenant::Mode;
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{EndpointStatus, EventFilter, Secret, WebhookEndpoint};

use super::Shown;
use super::schema::{EventFilterWord, IdOf, Time, Version};

/// The wire shape of an endpoint. The secret is in the answers to its creation and to its rotation only.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookEndpoint")]
pub struct WebhookEndpointView<'a> {
    /// Follows from the merchant, the mode and the `Idempotency-Key`.
    #[schemars(with = "IdOf<EndpointKind>")]
    id: &'a str,
    /// Always `webhook_endpoint`.
    #[schemars(extend("const" = "webhook_endpoint"))]
    object: &'static str,
    /// Whether it gets the events of test or of live data.
    mode: Mode,
    /// Where events are posted.
    #[schemars(extend("format" = "uri"))]
    url: &'a str,
    /// Which events are posted.
    #[schemars(with = "Vec<EventFilterWord>")]
    event_types: &'a [EventFilter],
    /// `whsec_…`: what signs the events. It is in the answers to the creation and to a rotation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    /// Whether it gets events.
    status: EndpointStatus,
    /// Rises whenever something changes that is shown.
    #[schemars(with = "Version")]
    version: u64,
    /// The time at which it was created.
    #[schemars(with = "Time")]
    created_at: Timestamp,
    /// The time of the last change.
    #[schemars(with = "Time")]
    updated_at: Timestamp,
}

/// Without the secret, which is never logged.
impl fmt::Debug for WebhookEndpointView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookEndpointView").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The wire shape of an endpoint as it is.
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

/// The wire shape of an endpoint as it is, with a secret of it: the answer to the request that made the secret.
pub fn webhook_endpoint_with<'a>(secret: Option<&'a Secret>, endpoint: &'a WebhookEndpoint) -> WebhookEndpointView<'a> {
    WebhookEndpointView { secret: secret.map(|secret| secret.text.as_str()), ..webhook_endpoint(endpoint) }
}

impl Shown for WebhookEndpoint {
    fn shown(&self) -> impl Serialize {
        webhook_endpoint(self)
    }
}
