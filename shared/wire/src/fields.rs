//! Reads the fields of a body and collects all faults, not only the first.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use spillway_domain::card::holds_card_number;
use spillway_domain::id::MerchantId;
use spillway_domain::money::AMOUNT_MAX;
use spillway_domain::time::Timestamp;

use super::contract::FieldSpec;
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
    /// The names of a declaration and of those fields of it that were read. Only tests look at them.
    #[cfg(debug_assertions)]
    declared: Option<(Vec<&'static str>, Vec<&'static str>)>,
}

impl Fields {
    /// The fields of an object. (Another value has none, and every required one is missing.)
    pub fn of(object: Json) -> Fields {
        let mut card_numbers = Faults::default();
        find_card_numbers(&object, &mut Vec::new(), &mut card_numbers);
        let members = if let Json::Object(members) = object { members } else { Vec::new() };
        Fields {
            path: Vec::new(),
            members,
            faults: Faults::default(),
            card_numbers,
            #[cfg(debug_assertions)]
            declared: None,
        }
    }

    /// The fields of an object that has these. A field that is read without being declared, or declared without being
    /// read, is a mistake of ours, which ends a debug build: then the document would not say what the parser takes.
    #[cfg_attr(not(debug_assertions), expect(unused_variables, reason = "only debug builds look"))]
    pub(super) fn declared(object: Json, specs: &[FieldSpec]) -> Fields {
        let fields = Fields::of(object);
        #[cfg(debug_assertions)]
        let fields = Fields { declared: Some((specs.iter().map(|spec| spec.name).collect(), Vec::new())), ..fields };
        fields
    }

    /// Notes that a field was read.
    #[cfg_attr(not(debug_assertions), expect(unused_variables, reason = "only debug builds look"))]
    pub(super) fn asked_for(&mut self, name: &'static str) {
        #[cfg(debug_assertions)]
        if let Some((declared, read)) = &mut self.declared {
            assert!(declared.contains(&name), "{name:?} is not declared");
            read.push(name);
        }
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
        let value = self.required(name)?;
        self.checked_list(name, value, count_max, expected, parse)
    }

    /// The same where it may be missing or null.
    pub fn optional_list<T>(
        &mut self, name: &str, count_max: usize, expected: &str, parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.optional(name)?;
        self.checked_list(name, value, count_max, expected, parse)
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
        #[cfg(debug_assertions)]
        if let Some((declared, read)) = &self.declared {
            assert!(declared.iter().all(|name| read.contains(name)), "declared and read: {declared:?}, {read:?}");
        }
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

    fn checked_list<T>(
        &mut self, name: &str, value: Json, count_max: usize, expected: &str, parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        match value {
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
            Json::Text(text) => match wrong_text(&text, length_max) {
                None => Some(text),
                Some(wrong) => self.fault(name, wrong),
            },
            other => self.wrong_kind(name, "a string", &other),
        }
    }

    fn wrong_kind<T>(&mut self, name: &str, expected: &str, found: &Json) -> Option<T> {
        self.fault(name, format!("must be {expected}, not {}", found.kind()))
    }
}

/// What is wrong with a text of a request. None if nothing is: it has at most `length_max` characters, none of them a
/// control character. (Card numbers are looked for apart.)
pub(super) fn wrong_text(text: &str, length_max: usize) -> Option<String> {
    if text.chars().count() > length_max {
        Some(format!("must have at most {length_max} characters"))
    } else if text.chars().any(char::is_control) {
        Some("must not hold control characters".to_owned())
    } else {
        None
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
mod tests;
