//! What an event shows: its object, as that is shown anywhere else.

use spillway_domain::event::EventObject;

use super::{payment, webhook_endpoint};

/// The object as JSON text.
pub fn event_data(object: &EventObject) -> serde_json::Result<String> {
    match object {
        EventObject::Payment(of) => serde_json::to_string(&payment(of)),
        EventObject::WebhookEndpoint(of) => serde_json::to_string(&webhook_endpoint(of)),
    }
}
