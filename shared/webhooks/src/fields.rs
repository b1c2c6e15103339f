//! The body fields that creating and updating a webhook endpoint share.

use spillway_domain::tenant::Mode;

use super::address::{URL_LENGTH_MAX, check_url};
use crate::settings::webhook_loopback;
use spillway_runtime::settings::Environment;
use spillway_runtime::{Parts, SettingError, Start};
use spillway_store::Store;
use spillway_wire::Fields;
use spillway_wire::contract::{Field, List, Text, event_filters};

/// The address of the endpoint.
pub const URL: Field<Text> = Field::text(
    "url",
    URL_LENGTH_MAX,
    "The address to which events are posted: an `https` URL with a public host, without user name and password.",
    "\"https://shop.example.com/hook\"",
)
.of_format("uri");

/// The events that are posted to the endpoint.
pub const EVENT_TYPES: Field<List> = Field::list(
    "event_types",
    20,
    "must be \"*\", a resource such as \"payment.*\", or an event such as \"payment.succeeded\"",
    event_filters,
    "The events that are posted: all (`*`), all of one resource (`payment.*`), or single ones.",
    "[\"payment.*\"]",
);

/// The parts of a function that creates or updates endpoints.
pub struct EndpointParts {
    /// The table.
    pub store: Store,
    /// The check of addresses.
    pub addresses: Addresses,
}

impl Parts for EndpointParts {
    fn new(start: &Start<'_>) -> Result<EndpointParts, SettingError> {
        Ok(EndpointParts { addresses: Addresses::new(&start.environment)?, store: Store::new(start)? })
    }
}

/// The check of an endpoint's address.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    loopback_in_test: bool,
}

impl Addresses {
    /// Reads the setting `WEBHOOK_LOOPBACK`. Errors if it is wrong or not allowed.
    fn new(environment: &Environment) -> Result<Addresses, SettingError> {
        Ok(Addresses { loopback_in_test: webhook_loopback(environment)? })
    }

    /// Reads the address in a field. None if it is missing or refused; a refused address adds a fault to `fields`.
    pub fn read(self, field: &Field<Text>, mode: Mode, fields: &mut Fields) -> Option<String> {
        let url = field.read(fields)?;
        match check_url(&url, self.loopback_in_test && mode == Mode::Test) {
            Ok(parsed) => Some(parsed.to_string()),
            Err(why) => fields.fault(field.name, why.to_string()),
        }
    }
}
