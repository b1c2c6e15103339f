//! The JSON schemas of values that occur in several views.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use spillway_domain::id::Kind;
use spillway_domain::money::AMOUNT_MAX;

use crate::contract::event_filters;

/// Declares types whose schema is written in place wherever they are used.
macro_rules! described {
    ($($(#[$doc:meta])* $name:ident => $schema:expr;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

described! {
    /// An amount that can't be negative.
    Amount => json_schema!({"type": "integer", "format": "int64", "minimum": 0, "maximum": AMOUNT_MAX});
    /// An amount that can be negative.
    SignedAmount => json_schema!({"type": "integer", "format": "int64"});
    /// A currency.
    CurrencyCode => json_schema!({"type": "string", "pattern": "^[A-Z]{3}$"});
    /// A point in time.
    Time => json_schema!({"type": "string", "format": "date-time"});
    /// A day.
    Date => json_schema!({"type": "string", "format": "date"});
    /// A version.
    Version => json_schema!({"type": "integer", "format": "int64", "minimum": 1});
    /// The merchant's own keys and values.
    MetadataValues => json_schema!({"type": "object", "additionalProperties": {"type": "string"}});
    /// An object of any kind.
    AnyObject => json_schema!({"type": "object"});
    /// A filter of events.
    EventFilterWord => json_schema!({"type": "string", "enum": event_filters()});
}

/// The id of a `K`.
pub(super) struct IdOf<K>(PhantomData<K>);

impl<K: Kind> JsonSchema for IdOf<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        K::PREFIX.trim_end_matches('_').into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": id_pattern(K::PREFIX)})
    }
}

/// The regular expression of ids with this prefix.
pub fn id_pattern(prefix: &str) -> String {
    format!("^{prefix}[0-9a-hjkmnp-tv-z]{{26}}$")
}
