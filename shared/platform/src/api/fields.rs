//! Reads the fields of a body and collects all faults, not only the first.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Serialize;
use spillway_domain::card::holds_card_number;
use spillway_domain::money::AMOUNT_MAX;

use super::json::Json;

const METADATA_KEYS_MAX: usize = 50;
const METADATA_BYTES_MAX: usize = 8 * 1024;
const METADATA_KEY_LENGTH_MAX: usize = 40;
const METADATA_VALUE_LENGTH_MAX: usize = 500;
/// What is said of a card number, wherever it stands. The number itself is not repeated.
pub(super) const CARD_NUMBER: &str =
    "looks like a card number, which must never be sent here; begin a number that is none with a letter";

/// A fault of a request: where, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invalid {
    /// Written as a member of its own name.
    #[serde(flatten)]
    pub place: Place,
    /// For people.
    pub detail: String,
}

/// Where a fault is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the body: a JSON pointer (RFC 6901).
    Pointer(String),
    /// In the query: the parameter's name.
    Parameter(String),
}

/// The members of an object that were not asked for yet, and the faults found so far.
#[derive(Debug)]
pub struct Fields {
    members: Vec<(String, Json)>,
    faults: Vec<Invalid>,
    card_numbers: Vec<Invalid>,
}

impl Fields {
    /// The fields of an object. (Another value has none, and every required one is missing.)
    pub fn of(object: Json) -> Fields {
        let members = if let Json::Object(members) = object { members } else { Vec::new() };
        let mut card_numbers = Vec::new();
        for (name, value) in &members {
            find_card_numbers("", name, value, &mut card_numbers);
        }
        Fields { members, faults: Vec::new(), card_numbers }
    }

    /// A whole number.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        match self.required(name)? {
            Json::Integer(value) if range.contains(&value) => Some(value),
            Json::Integer(_) | Json::OtherNumber => {
                let detail = format!(
                    "must be a whole number from {} to {}, without fraction or exponent",
                    range.start(),
                    range.end()
                );
                self.fault(name, detail)
            }
            other => self.wrong_kind(name, "a whole number", &other),
        }
    }

    /// A text that must be there.
    pub fn text(&mut self, name: &str, length_max: usize) -> Option<String> {
        let value = self.required(name)?;
        self.checked_text(name, value, length_max)
    }

    /// A text that may be missing or null.
    pub fn optional_text(&mut self, name: &str, length_max: usize) -> Option<String> {
        match self.take(name)? {
            Json::Null => None,
            value => self.checked_text(name, value, length_max),
        }
    }

    /// A list of texts that must be there.
    pub fn texts(&mut self, name: &str, count_max: usize, length_max: usize) -> Option<Vec<String>> {
        match self.required(name)? {
            Json::Array(items) if (1..=count_max).contains(&items.len()) => {
                let checked = items.into_iter().enumerate();
                let texts: Vec<_> = checked
                    .filter_map(|(index, item)| self.checked_text(&format!("{name}/{index}"), item, length_max))
                    .collect();
                Some(texts)
            }
            Json::Array(_) => self.fault(name, format!("must have 1 to {count_max} entries")),
            other => self.wrong_kind(name, "an array of strings", &other),
        }
    }

    /// The merchant's own keys and values; none if it is missing or null.
    pub fn metadata(&mut self) -> BTreeMap<String, String> {
        let name = "metadata";
        let members = match self.take(name) {
            None | Some(Json::Null) => return BTreeMap::new(),
            Some(Json::Object(members)) => members,
            Some(other) => {
                let _: Option<()> = self.wrong_kind(name, "an object", &other);
                return BTreeMap::new();
            }
        };
        if members.len() > METADATA_KEYS_MAX {
            let _: Option<()> = self.fault(name, format!("must have at most {METADATA_KEYS_MAX} keys"));
            return BTreeMap::new();
        }
        let mut metadata = BTreeMap::new();
        for (key, value) in members {
            let place = format!("{name}/{}", escaped(&key));
            if key.is_empty() || key.chars().count() > METADATA_KEY_LENGTH_MAX || key.chars().any(char::is_control) {
                let _: Option<()> = self.fault(
                    &place,
                    format!(
                        "its key must have 1 to {METADATA_KEY_LENGTH_MAX} characters, none of them a control character"
                    ),
                );
            } else if let Some(value) = self.checked_possibly_empty(&place, value, METADATA_VALUE_LENGTH_MAX) {
                metadata.insert(key, value);
            }
        }
        // As it is written in answers and webhooks, escapes included: that is what has to stay small.
        if serde_json::to_string(&metadata).map_or(usize::MAX, |text| text.len()) > METADATA_BYTES_MAX {
            let _: Option<()> =
                self.fault(name, format!("must have at most {METADATA_BYTES_MAX} bytes in all, as JSON"));
        }
        metadata
    }

    /// Notes a fault of a field. Gives none, for use in place of the field's value.
    pub fn fault<T>(&mut self, name: &str, detail: impl Into<String>) -> Option<T> {
        self.faults.push(Invalid { place: Place::Pointer(format!("/{name}")), detail: detail.into() });
        None
    }

    /// All faults, after every field was asked for: members that nobody asked for are faults too, because a misspelt
    /// field must not be passed over. A body with a card number gets no other answer than that, because other answers
    /// repeat keys.
    pub fn finish(mut self) -> Vec<Invalid> {
        if !self.card_numbers.is_empty() {
            return self.card_numbers;
        }
        for (name, _) in std::mem::take(&mut self.members) {
            let _: Option<()> = self.fault(&escaped(&name), "is no field of this request");
        }
        self.faults
    }

    fn take(&mut self, name: &str) -> Option<Json> {
        let index = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.swap_remove(index).1)
    }

    fn required(&mut self, name: &str) -> Option<Json> {
        match self.take(name) {
            Some(value) => Some(value),
            None => self.fault(name, "is required"),
        }
    }

    fn checked_text(&mut self, name: &str, value: Json, length_max: usize) -> Option<String> {
        let text = self.checked_possibly_empty(name, value, length_max)?;
        if text.is_empty() { self.fault(name, "must not be empty") } else { Some(text) }
    }

    fn checked_possibly_empty(&mut self, name: &str, value: Json, length_max: usize) -> Option<String> {
        match value {
            Json::Text(text) if text.chars().count() > length_max => {
                self.fault(name, format!("must have at most {length_max} characters"))
            }
            Json::Text(text) if text.chars().any(char::is_control) => {
                self.fault(name, "must not hold control characters")
            }
            Json::Text(text) => Some(text),
            other => self.wrong_kind(name, "a string", &other),
        }
    }

    fn wrong_kind<T>(&mut self, name: &str, expected: &str, found: &Json) -> Option<T> {
        self.fault(name, format!("must be {expected}, not {}", found.kind()))
    }
}

/// Finds card numbers wherever they stand: in known fields or not, in values or in keys. The place of one in a key is
/// that of the object around it.
fn find_card_numbers(parent: &str, key: &str, value: &Json, found: &mut Vec<Invalid>) {
    let place = format!("{parent}/{}", escaped(key));
    let fault = |place: &str| Invalid { place: Place::Pointer(place.to_owned()), detail: CARD_NUMBER.to_owned() };
    if holds_card_number(key) {
        return found.push(fault(parent));
    }
    match value {
        Json::Text(text) if holds_card_number(text) => found.push(fault(&place)),
        // An amount may look like a card number. What is larger than any amount is refused as a number anyway.
        Json::Integer(number) if *number > AMOUNT_MAX && holds_card_number(&number.to_string()) => {
            found.push(fault(&place));
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_card_numbers(&place, &index.to_string(), item, found);
            }
        }
        Json::Object(members) => {
            for (name, member) in members {
                find_card_numbers(&place, name, member, found);
            }
        }
        _ => {}
    }
}

/// A key as a part of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::of(Json::parse_object(text.as_bytes()).unwrap())
    }

    fn pointers<'faults>(faults: &'faults [Invalid]) -> Vec<&'faults str> {
        let pointer = |fault: &'faults Invalid| match &fault.place {
            Place::Pointer(pointer) => pointer.as_str(),
            Place::Parameter(name) => panic!("{name}"),
        };
        faults.iter().map(pointer).collect()
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let mut fields = fields(r#"{"amount":"x","curency":"USD"}"#);
        assert_eq!((fields.integer("amount", 1..=9), fields.text("token", 9)), (None, None));
        assert_eq!(pointers(&fields.finish()), ["/amount", "/token", "/curency"]);
    }

    #[test]
    fn a_card_number_is_refused_wherever_it_stands_and_is_not_repeated() {
        let body = r#"{"a":"4242 4242 4242 4242","n":4242424242424242,"5555555555554444":"x",
            "m":{"4242424242424242":{"x":"5555555555554444"},"k":["","5555555555554444"]}}"#;
        let faults = fields(body).finish();
        let told = serde_json::to_string(&faults).unwrap();
        assert_eq!(pointers(&faults), ["/a", "/n", "", "/m", "/m/k/1"]);
        assert!(!told.contains("4242") && !told.contains("5555"), "{told}");
    }

    #[test]
    fn an_amount_that_looks_like_a_card_number_is_an_amount() {
        let mut fields = fields(r#"{"amount":501800000009}"#);
        assert!(holds_card_number("501800000009"));
        assert_eq!(fields.integer("amount", 1..=AMOUNT_MAX), Some(501_800_000_009));
        assert_eq!(fields.finish(), []);
    }

    #[test]
    fn metadata_is_bounded() {
        let many = (0..51).map(|n| format!("\"k{n}\":\"v\"")).collect::<Vec<_>>().join(",");
        let large = (0..20).map(|n| format!("\"k{n}\":\"{}\"", "v".repeat(450))).collect::<Vec<_>>().join(",");
        let quotes = (0..10).map(|n| format!("\"k{n}\":\"{}\"", "\\\"".repeat(450))).collect::<Vec<_>>().join(",");
        for (members, pointer) in [
            (many.as_str(), "/metadata"),
            (quotes.as_str(), "/metadata"),
            (large.as_str(), "/metadata"),
            ("\"k\":1", "/metadata/k"),
            ("\"\":\"v\"", "/metadata/"),
            ("\"a\\u0007\":\"v\"", "/metadata/a\u{7}"),
            ("\"a/b~\":\"\\u0007\"", "/metadata/a~1b~0"),
        ] {
            let mut fields = fields(&format!("{{\"metadata\":{{{members}}}}}"));
            fields.metadata();
            assert_eq!(pointers(&fields.finish()), [pointer], "{members:.40}");
        }
    }

    #[test]
    fn a_metadata_key_has_at_most_40_characters_and_a_value_500() {
        let metadata = |key: usize, value: usize| {
            let mut fields = fields(&format!("{{\"metadata\":{{\"{}\":\"{}\"}}}}", "ä".repeat(key), "ä".repeat(value)));
            (fields.metadata().len(), fields.finish().len())
        };
        assert_eq!(metadata(40, 500), (1, 0));
        assert_eq!(metadata(41, 500), (0, 1));
        assert_eq!(metadata(40, 501), (0, 1));
    }
}
