//! The body fields of a webhook endpoint's creation and change.

use spillway_domain::tenant::Mode;

use super::address::{URL_LENGTH_MAX, check_url};
use crate::settings::webhook_loopback;
use spillway_runtime::settings::Environment;
use spillway_runtime::{Parts, SettingError, Start};
use spillway_store::Store;
use spillway_wire::Fields;
use spillway_wire::contract::{Field, List, Text, event_filters};

/// Where to post.
pub const URL: Field<Text> = Field::text(
    "url",
    URL_LENGTH_MAX,
    "Where to post events: an `https` address of a public host, without user and password.",
    "\"https://shop.example.com/hook\"",
)
.of_format("uri");

/// What to post.
pub const EVENT_TYPES: Field<List> = Field::list(
    "event_types",
    20,
    "must be \"*\", a resource such as \"payment.*\", or an event such as \"payment.succeeded\"",
    event_filters,
    "Which events to post: all (`*`), those of a resource (`payment.*`), or single ones.",
    "[\"payment.*\"]",
);

/// The parts of a function that takes addresses of endpoints.
#[derive(Debug)]
pub struct EndpointParts {
    /// The table.
    pub store: Store,
    /// Which addresses are allowed.
    pub addresses: Addresses,
}

impl Parts for EndpointParts {
    fn new(start: &Start<'_>) -> Result<EndpointParts, SettingError> {
        Ok(EndpointParts { addresses: Addresses::new(&start.environment)?, store: Store::new(start)? })
    }
}

/// Which addresses an endpoint may have.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    loopback_in_test: bool,
}

impl Addresses {
    /// By the setting `WEBHOOK_LOOPBACK`.
    fn new(environment: &Environment) -> Result<Addresses, SettingError> {
        Ok(Addresses { loopback_in_test: webhook_loopback(environment)? })
    }

    /// The address in a field. None if it has a fault, or is missing.
    pub fn read(self, field: &Field<Text>, mode: Mode, fields: &mut Fields) -> Option<String> {
        let url = field.read(fields)?;
        match check_url(&url, self.loopback_in_test && mode == Mode::Test) {
            Ok(parsed) => Some(parsed.to_string()),
            Err(why) => fields.fault(field.name, why.to_string()),
        }
    }
}
