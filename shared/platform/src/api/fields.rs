//! Reads the fields of a body and collects all faults, not only the first.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use spillway_domain::card::holds_card_number;
use spillway_domain::id::MerchantId;
use spillway_domain::money::AMOUNT_MAX;
use spillway_domain::time::Timestamp;

use super::faults::{CARD_NUMBER, Faults, Invalid, Place, Step, escaped};
use super::json::{Json, Sent};

const METADATA_KEYS_MAX: usize = 50;
const METADATA_BYTES_MAX: usize = 8 * 1024;
const METADATA_KEY_LENGTH_MAX: usize = 40;
const METADATA_VALUE_LENGTH_MAX: usize = 500;
/// Characters of a text that is one of a few words, an id or a time.
const WORD_LENGTH_MAX: usize = 100;
/// What is said of a text that is no time.
pub(super) const TIME: &str =
    "must be an RFC 3339 time such as 2026-01-31T12:00:00.000Z, of the years 0001 to 9999 in UTC";

/// The members of an object that were not asked for yet, and the faults found so far.
#[derive(Debug)]
pub struct Fields {
    /// The steps to the object whose members these are.
    path: Vec<Step<String>>,
    members: Vec<(String, Json)>,
    faults: Faults,
    card_numbers: Faults,
}

impl Fields {
    /// The fields of an object. (Another value has none, and every required one is missing.)
    pub fn of(object: Json) -> Fields {
        let mut card_numbers = Faults::default();
        find_card_numbers(&object, &mut Vec::new(), &mut card_numbers);
        let members = if let Json::Object(members) = object { members } else { Vec::new() };
        Fields { path: Vec::new(), members, faults: Faults::default(), card_numbers }
    }

    /// The same, where a repeated key is a fault like any other.
    pub(super) fn of_sent(sent: Sent) -> Fields {
        Fields { faults: sent.repeated, ..Fields::of(sent.object) }
    }

    /// A whole number.
    pub fn integer<N: Copy + Into<i64> + TryFrom<i64>>(&mut self, name: &str, range: RangeInclusive<N>) -> Option<N> {
        let value = self.required(name)?;
        self.checked_integer(name, &value, range)
    }

    /// A whole number that may be missing or null.
    pub fn optional_integer<N: Copy + Into<i64> + TryFrom<i64>>(
        &mut self, name: &str, range: RangeInclusive<N>,
    ) -> Option<N> {
        let value = self.optional(name)?;
        self.checked_integer(name, &value, range)
    }

    /// True or false, may be missing or null.
    pub fn optional_bool(&mut self, name: &str) -> Option<bool> {
        match self.optional(name)? {
            Json::Bool(value) => Some(value),
            other => self.wrong_kind(name, "true or false", &other),
        }
    }

    /// A text that must be there.
    pub fn text(&mut self, name: &str, length_max: usize) -> Option<String> {
        let value = self.required(name)?;
        self.checked_text(name, value, length_max)
    }

    /// A text that may be missing or null.
    pub fn optional_text(&mut self, name: &str, length_max: usize) -> Option<String> {
        let value = self.optional(name)?;
        self.checked_text(name, value, length_max)
    }

    /// A text that must be there, as what `parse` makes of it. `expected` is said of one of which it makes nothing.
    pub fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.required(name)?;
        self.checked_word(name, value, expected, parse)
    }

    /// The id of a merchant.
    pub fn merchant(&mut self, name: &str) -> Option<MerchantId> {
        self.parsed(name, "must be a merchant's id, mer_ and 26 characters", |id| MerchantId::parse(id).ok())
    }

    /// A time that may be missing or null.
    pub fn optional_time(&mut self, name: &str) -> Option<Timestamp> {
        let value = self.optional(name)?;
        self.checked_word(name, value, TIME, |text| Timestamp::parse(text).ok())
    }

    /// A list that must be there, of texts as [`Fields::parsed`] reads them. One with a fault is left out.
    pub fn list<T>(
        &mut self, name: &str, count_max: usize, expected: &str, parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        match self.required(name)? {
            Json::Array(items) if (1..=count_max).contains(&items.len()) => {
                let items = items.into_iter().enumerate();
                let read = items
                    .filter_map(|(index, item)| self.checked_word(&format!("{name}/{index}"), item, expected, &parse));
                Some(read.collect())
            }
            Json::Array(_) => self.fault(name, format!("must have 1 to {count_max} entries")),
            other => self.wrong_kind(name, "an array of strings", &other),
        }
    }

    /// An object that must be there, of objects under keys of the sender's choice: what `read` makes of each key and
    /// its object's fields. One of which it makes nothing is left out. A fault of the key itself has the name "".
    pub fn objects<T>(&mut self, name: &str, read: impl FnMut(&mut Fields, &str) -> Option<T>) -> Option<Vec<T>> {
        let value = self.required(name)?;
        self.checked_objects(name, value, read)
    }

    /// The same where it may be missing or null.
    pub fn optional_objects<T>(
        &mut self, name: &str, read: impl FnMut(&mut Fields, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.optional(name)?;
        self.checked_objects(name, value, read)
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
        let place = || Place::pointer(&self.path, &if name.is_empty() { String::new() } else { format!("/{name}") });
        let field = match self.path.first() {
            Some(Step::Key(field)) => field,
            _ => name.split('/').next().unwrap_or_default(),
        };
        self.faults.add(field, place, detail);
        None
    }

    /// All faults, after every field was asked for: members that nobody asked for are faults too, because a misspelt
    /// field must not be passed over. A body with a card number gets no other answer than that, because other answers
    /// repeat keys.
    pub fn finish(mut self) -> Vec<Invalid> {
        if !self.card_numbers.is_empty() {
            return self.card_numbers.finish();
        }
        self.refuse_the_rest();
        self.faults.finish()
    }

    /// Members that nobody asked for are faults.
    fn refuse_the_rest(&mut self) {
        for (key, _) in std::mem::take(&mut self.members) {
            self.path.push(Step::Key(key));
            let field = match self.path.as_slice() {
                [Step::Key(field), _, ..] => field.as_str(),
                _ => "",
            };
            self.faults.add(field, || Place::pointer(&self.path, ""), "is no field of this request");
            self.path.pop();
        }
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

    /// None if it is missing or null.
    fn optional(&mut self, name: &str) -> Option<Json> {
        self.take(name).filter(|value| *value != Json::Null)
    }

    fn checked_integer<N: Copy + Into<i64> + TryFrom<i64>>(
        &mut self, name: &str, value: &Json, range: RangeInclusive<N>,
    ) -> Option<N> {
        let (least, most): (i64, i64) = ((*range.start()).into(), (*range.end()).into());
        match value {
            Json::Integer(value) if (least..=most).contains(value) => N::try_from(*value).ok(),
            Json::Integer(_) | Json::OtherNumber => {
                let detail = format!("must be a whole number from {least} to {most}, without fraction or exponent");
                self.fault(name, detail)
            }
            other => self.wrong_kind(name, "a whole number", other),
        }
    }

    fn checked_word<T>(
        &mut self, name: &str, value: Json, expected: &str, parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.checked_text(name, value, WORD_LENGTH_MAX)?;
        parse(&text).or_else(|| self.fault(name, expected))
    }

    fn checked_objects<T>(
        &mut self, name: &str, value: Json, mut read: impl FnMut(&mut Fields, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Json::Object(members) = value else { return self.wrong_kind(name, "an object", &value) };
        self.path.push(Step::Key(name.to_owned()));
        let mut all = Vec::new();
        for (key, value) in members {
            self.path.push(Step::Key(key.clone()));
            if let Json::Object(members) = value {
                let around = std::mem::replace(&mut self.members, members);
                all.extend(read(self, &key));
                self.refuse_the_rest();
                self.members = around;
            } else {
                let _: Option<()> = self.wrong_kind("", "an object", &value);
            }
            self.path.pop();
        }
        self.path.pop();
        Some(all)
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

/// Finds card numbers wherever they stand below `value`, to which `path` leads: in known fields or not, in values or in
/// keys. The place of one in a key is that of the object around it.
fn find_card_numbers<'body>(value: &'body Json, path: &mut Vec<Step<&'body str>>, found: &mut Faults) {
    match value {
        Json::Text(text) if holds_card_number(text) => found.add("", || Place::pointer(path, ""), CARD_NUMBER),
        // An amount may look like a card number. What is larger than any amount is refused as a number anyway.
        Json::Integer(number) if *number > AMOUNT_MAX && holds_card_number(&number.to_string()) => {
            found.add("", || Place::pointer(path, ""), CARD_NUMBER);
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                find_card_numbers(item, path, found);
                path.pop();
            }
        }
        Json::Object(members) => {
            for (key, member) in members {
                if holds_card_number(key) {
                    found.add("", || Place::pointer(path, ""), CARD_NUMBER);
                    continue;
                }
                path.push(Step::Key(key));
                find_card_numbers(member, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::of_sent(Json::parse_object(text).unwrap())
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
    fn the_faults_of_a_body_are_bounded() {
        // 656 card numbers below a key of 9,500 letters, and 5,000 fields that nobody knows, each name of 11 letters.
        let numbers = vec!["\"4222222222222\""; 656].join(",");
        let unknown: Vec<String> = (0..5000).map(|n| format!("\"unknown{n:04}\":1")).collect();
        for (body, untold) in
            [(format!("{{\"{}\":[{numbers}]}}", "k".repeat(9500)), 556), (format!("{{{}}}", unknown.join(",")), 4900)]
        {
            let faults = fields(&body).finish();
            assert_eq!(faults.len(), 101, "{body:.40}");
            assert_eq!(faults[100].detail, format!("has more faults: {untold} beside these 100"));
            assert!(serde_json::to_string(&faults).unwrap().len() < 24_000, "{body:.40}");
        }
    }

    #[test]
    fn objects_are_read_each_under_its_key() {
        let text =
            r#"{"prices":{"USD":{"fee":7},"EUR":{"fee":-1,"fixed":0},"GBP":3,"x":{"fee":1}},"more":null,"last":1}"#;
        let mut fields = fields(text);
        let read = fields.objects("prices", |price, key| {
            let fee = price.integer::<u16>("fee", 0..=9);
            if key == "x" { price.fault("", "is no currency") } else { Some((key.to_owned(), fee?)) }
        });
        assert_eq!(read, Some(vec![("USD".to_owned(), 7)]));
        assert_eq!(fields.optional_objects("more", |_, _| Some(())), None);
        assert_eq!(fields.optional_objects("missing", |_, _| Some(())), None);
        let expected = ["/prices/EUR/fee", "/prices/EUR/fixed", "/prices/GBP", "/prices/x", "/last"];
        assert_eq!(pointers(&fields.finish()), expected);
    }

    #[test]
    fn a_list_names_the_entry_that_is_wrong() {
        let mut fields = fields(r#"{"a":["1",2,"x","4"],"b":[],"c":"1","d":["1","2","3","4","5"]}"#);
        let mut list = |name: &str| fields.list(name, 4, "must be a number", |text| text.parse::<u8>().ok());
        assert_eq!([list("a"), list("b"), list("c"), list("d")], [Some(vec![1, 4]), None, None, None]);
        assert_eq!(pointers(&fields.finish()), ["/a/1", "/a/2", "/b", "/c", "/d"]);
    }

    #[test]
    fn what_is_optional_may_be_missing_or_null() {
        let mut fields = fields(r#"{"a":null,"b":true,"c":"yes","d":3,"e":4,"f":"2026-01-31T12:00:00Z","g":"now"}"#);
        let bools = ["a", "b", "c", "x"].map(|name| fields.optional_bool(name));
        assert_eq!(bools, [None, Some(true), None, None]);
        assert_eq!(["d", "e", "x"].map(|name| fields.optional_integer::<i64>(name, 0..=3)), [Some(3), None, None]);
        let time = Timestamp::from_millis(1_769_860_800_000);
        assert_eq!(["f", "g", "x"].map(|name| fields.optional_time(name)), [Some(time), None, None]);
        assert_eq!(pointers(&fields.finish()), ["/c", "/e", "/g"]);
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
