//! A strict JSON parser: it reports repeated keys, and distinguishes whole numbers from others.
//!
//! The usual parsers silently use the last of repeated keys. But `{"amount": 1, "amount": 100}` must not charge
//! anybody.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use spillway_domain::idempotency::Fingerprint;

use super::faults::{Faults, Place, Step};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number of 64 bits, without fraction or exponent.
    Integer(i64),
    /// Any other number. Its value is dropped, because no field accepts it.
    OtherNumber,
    /// Text.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object without repeated keys.
    Object(Vec<(String, Json)>),
}

/// A parsed object.
#[derive(Debug)]
pub(super) struct Sent {
    /// The object, with the first value of each repeated key.
    pub(super) object: Json,
    /// A fault for each repetition of a key, at any depth.
    pub(super) repeated: Faults,
}

/// Why a text is not a JSON object, as the end of a sentence. It repeats no part of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// The text is empty or white space.
    #[error("is empty; send a JSON object")]
    Empty,
    /// The text begins with a byte order mark, as some editors write it. JSON does not allow it (RFC 8259, section
    /// 8.1).
    #[error("begins with a byte order mark; send it without")]
    ByteOrderMark,
    /// The text ends in the middle of a value.
    #[error("ends before its JSON is complete (line {line}, column {column})")]
    CutOff {
        /// Number of the last line. The first line is 1.
        line: usize,
        /// Bytes in that line.
        column: usize,
    },
    /// A syntax error in the parser's words, with line and column.
    #[error("is not valid JSON: {0}")]
    Syntax(String),
    /// The text is JSON of another kind.
    #[error("must be a JSON object, not {0}")]
    NotObject(&'static str),
}

impl Json {
    /// Parses an object. Errors if the text is not a JSON object. Repeated keys are not an error here, but faults in
    /// the result.
    pub(super) fn parse_object(text: &str) -> Result<Sent, Malformed> {
        if text.starts_with(BYTE_ORDER_MARK) {
            return Err(Malformed::ByteOrderMark);
        }
        if text.trim_ascii().is_empty() {
            return Err(Malformed::Empty);
        }
        let mut sent = Sent { object: Json::Null, repeated: Faults::default() };
        let mut parser = serde_json::Deserializer::from_str(text);
        let reader = Reader { path: &mut Vec::new(), repeated: &mut sent.repeated };
        let read = reader.deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
        match read {
            Ok(Json::Object(members)) => Ok(Sent { object: Json::Object(members), ..sent }),
            Ok(other) => Err(Malformed::NotObject(other.kind())),
            Err(error) if error.is_eof() => Err(Malformed::CutOff { line: error.line(), column: error.column() }),
            Err(error) => Err(Malformed::Syntax(error.to_string())),
        }
    }

    /// SHA-256 of the canonical form of RFC 8785. Only for values without [`Json::OtherNumber`].
    pub fn fingerprint(&self) -> Fingerprint {
        // Serialization to memory can't fail.
        Fingerprint::of(&serde_json_canonicalizer::to_vec(self).unwrap_or_default())
    }

    /// The kind of value, for messages.
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

/// Reads a value, and records repeated keys.
struct Reader<'read> {
    /// The steps to the value that is being read.
    path: &'read mut Vec<Step<String>>,
    repeated: &'read mut Faults,
}

impl Reader<'_> {
    /// The reader of a value inside this one.
    fn inside(&mut self) -> Reader<'_> {
        Reader { path: self.path, repeated: self.repeated }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
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

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        loop {
            self.path.push(Step::Index(array.len()));
            let item = items.next_element_seed(self.inside())?;
            self.path.pop();
            match item {
                Some(item) => array.push(item),
                None => return Ok(Json::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        let mut known = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            let is_first = known.insert(key.clone());
            self.path.push(Step::Key(key));
            if !is_first {
                self.repeated.add("", || Place::pointer(self.path, ""), "is repeated");
            }
            let value = members.next_value_seed(self.inside())?;
            if let (true, Some(Step::Key(key))) = (is_first, self.path.pop()) {
                object.push((key, value));
            }
        }
        Ok(Json::Object(object))
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
    use super::super::faults::Invalid;
    use super::*;

    fn parse(text: &str) -> Result<Json, Malformed> {
        Json::parse_object(text).map(|sent| sent.object)
    }

    #[test]
    fn only_an_object_is_accepted() {
        for wrong in ["", "{", "42", "\"x\"", "[]", "null", "{} x", "{\"a\":}", "\u{feff}{}"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse(" {} "), Ok(Json::Object(vec![])));
    }

    #[test]
    fn each_error_has_its_own_message() {
        let deep = "[".repeat(200);
        for (text, message) in [
            ("", "is empty; send a JSON object"),
            (" \r\n\t", "is empty; send a JSON object"),
            ("\u{feff}{\"a\":1}", "begins with a byte order mark; send it without"),
            ("\u{feff}", "begins with a byte order mark; send it without"),
            ("{\"a\":\n1,", "ends before its JSON is complete (line 2, column 2)"),
            ("{\"a\":\"x", "ends before its JSON is complete (line 1, column 7)"),
            ("{\"a\":\n'x'}", "is not valid JSON: expected value at line 2 column 1"),
            ("{\"a\":1,}", "is not valid JSON: trailing comma at line 1 column 8"),
            ("{} x", "is not valid JSON: trailing characters at line 1 column 4"),
            (&deep, "is not valid JSON: recursion limit exceeded at line 1 column 128"),
            ("null", "must be a JSON object, not null"),
            ("true", "must be a JSON object, not a boolean"),
            ("42", "must be a JSON object, not a whole number"),
            ("4.2", "must be a JSON object, not a number that is not whole or too large"),
            ("\"x\"", "must be a JSON object, not a string"),
            ("[{}]", "must be a JSON object, not an array"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn repeated_keys_are_found_at_any_depth() {
        for (text, expected) in [
            (r#"{"amount":1,"amount":100}"#, &["/amount"][..]),
            (r#"{"a":{"b":1,"b":1,"b":1}}"#, &["/a/b", "/a/b"]),
            (r#"{"a":1,"\u0061":2}"#, &["/a"]),
            (r#"{"a":[{},{"b/c":1,"b/c":2}],"a":{"d":1,"d":2}}"#, &["/a/1/b~1c", "/a", "/a/d"]),
            (r#"{"a":{"4242424242424242":1,"4242424242424242":2}}"#, &["/a/…"]),
            (r#"{"a":{"b":1},"c":{"b":1},"d":[{"b":1},{"b":1}]}"#, &[]),
        ] {
            let faults = Json::parse_object(text).unwrap().repeated.finish();
            let detail = "is repeated".to_owned();
            let place = |pointer: &&str| Place::Pointer((*pointer).to_owned());
            let expected: Vec<_> = expected
                .iter()
                .map(|at| Invalid { place: place(at), detail: detail.clone(), field: String::new() })
                .collect();
            assert_eq!(faults, expected, "{text}");
        }
    }

    #[test]
    fn the_first_value_of_a_repeated_key_is_used() {
        let first = Json::Object(vec![("a".to_owned(), Json::Integer(1)), ("b".to_owned(), Json::Null)]);
        assert_eq!(parse(r#"{"a":1,"b":null,"a":100}"#), Ok(first));
    }

    #[test]
    fn numbers_not_written_as_whole_are_other_numbers() {
        for other in ["1e3", "10.0", "1.5", "-0.0", "18446744073709551616", "9223372036854775808", "1E400"] {
            match parse(&format!("{{\"n\":{other}}}")) {
                Ok(Json::Object(members)) => assert_eq!(members[0].1, Json::OtherNumber, "{other}"),
                Ok(wrong) => panic!("{other}: {wrong:?}"),
                Err(_) => assert_eq!(other, "1E400"),
            }
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(parse(&format!("{}{}", "{\"a\":".repeat(5000), "}".repeat(5000))).is_err());
    }

    #[test]
    fn a_fingerprint_ignores_only_order_and_white_space() {
        let of = |text| parse(text).unwrap().fingerprint();
        let first = of(r#"{"amount": 1250, "metadata": {"b": "2", "a": "1"}, "currency": "USD"}"#);
        assert_eq!(first, of(r#"{"currency":"USD","metadata":{"a":"1","b":"2"},"amount":1250}"#));
        assert_ne!(first, of(r#"{"currency":"USD","metadata":{"a":"1","b":"2"},"amount":1251}"#));
        // printf '{"a":"\\u20ac","b":1}' in UTF-8 | sha256sum
        let canonical = spillway_domain::idempotency::Fingerprint::of("{\"a\":\"€\",\"b\":1}".as_bytes());
        assert_eq!(of(r#"{"b":1,"a":"\u20ac"}"#), canonical);
    }
}
