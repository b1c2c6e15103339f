//! JSON as it was sent: repeated keys are an error, and numbers that are not whole stay apart.
//!
//! The usual parsers keep the last of repeated keys silently: `{"amount": 1, "amount": 100}` must not charge anybody.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use spillway_domain::idempotency::Fingerprint;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number without fraction or exponent that 64 bits can hold.
    Integer(i64),
    /// Any other number. What it was is not kept: no field takes one.
    OtherNumber,
    /// Text.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object; every key is there once.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads an object, or says in a sentence why it is none.
    pub fn parse_object(bytes: &[u8]) -> Result<Json, String> {
        match serde_json::from_slice(bytes) {
            Ok(Json::Object(members)) => Ok(Json::Object(members)),
            Ok(_) => Err("The body must be a JSON object.".to_owned()),
            Err(error) if error.is_data() => Err(format!("The body is no valid JSON: {error}.")),
            Err(error) => Err(format!("The body is no valid JSON (line {}, column {}).", error.line(), error.column())),
        }
    }

    /// SHA-256 of the canonical form of RFC 8785. Only for values without [`Json::OtherNumber`].
    pub fn fingerprint(&self) -> Fingerprint {
        // Writing to memory what was read from memory can't fail.
        Fingerprint::of(&serde_json_canonicalizer::to_vec(self).unwrap_or_default())
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Integer(_) => "a whole number",
            Json::OtherNumber => "a number that is not whole or too large",
            Json::Text(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::OtherNumber, Json::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        let mut known = std::collections::HashSet::new();
        while let Some((key, value)) = members.next_entry::<String, Json>()? {
            if !known.insert(key.clone()) {
                return Err(A::Error::custom("a key is repeated"));
            }
            object.push((key, value));
        }
        Ok(Json::Object(object))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null | Json::OtherNumber => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Integer(value) => serializer.serialize_i64(*value),
            Json::Text(value) => serializer.serialize_str(value),
            Json::Array(items) => serializer.collect_seq(items),
            Json::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Json, String> {
        Json::parse_object(text.as_bytes())
    }

    #[test]
    fn only_an_object_is_a_body() {
        for wrong in ["", "{", "42", "\"x\"", "[]", "null", "{} x", "{\"a\":}", "\u{feff}{}"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse(" {} "), Ok(Json::Object(vec![])));
    }

    #[test]
    fn repeated_keys_are_an_error_at_any_depth() {
        for wrong in [r#"{"amount":1,"amount":100}"#, r#"{"a":{"b":1,"b":1}}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(parse(wrong).unwrap_err().contains("a key is repeated"), "{wrong}");
        }
    }

    #[test]
    fn a_number_that_is_not_written_as_a_whole_one_is_none() {
        for other in ["1e3", "10.0", "1.5", "-0.0", "18446744073709551616", "9223372036854775808", "1E400"] {
            match parse(&format!("{{\"n\":{other}}}")) {
                Ok(Json::Object(members)) => assert_eq!(members[0].1, Json::OtherNumber, "{other}"),
                Ok(wrong) => panic!("{other}: {wrong:?}"),
                Err(_) => assert_eq!(other, "1E400"),
            }
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_crash() {
        assert!(parse(&format!("{}{}", "{\"a\":".repeat(5000), "}".repeat(5000))).is_err());
    }

    #[test]
    fn a_fingerprint_ignores_order_and_white_space_and_nothing_else() {
        let of = |text| parse(text).unwrap().fingerprint();
        let first = of(r#"{"amount": 1250, "metadata": {"b": "2", "a": "1"}, "currency": "USD"}"#);
        assert_eq!(first, of(r#"{"currency":"USD","metadata":{"a":"1","b":"2"},"amount":1250}"#));
        assert_ne!(first, of(r#"{"currency":"USD","metadata":{"a":"1","b":"2"},"amount":1251}"#));
        // printf '{"a":"\\u20ac","b":1}' in UTF-8 | sha256sum
        let canonical = spillway_domain::idempotency::Fingerprint::of("{\"a\":\"€\",\"b\":1}".as_bytes());
        assert_eq!(of(r#"{"b":1,"a":"\u20ac"}"#), canonical);
    }
}
