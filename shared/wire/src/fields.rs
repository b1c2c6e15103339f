//! Parses the fields of a body, and collects all faults instead of only the first.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use spillway_domain::card::holds_card_number;
use spillway_domain::id::{Id, Kind, MerchantId};
use spillway_domain::money::AMOUNT_MAX;
use spillway_domain::time::Timestamp;

use super::contract::FieldSpec;
use super::faults::{CARD_NUMBER, Faults, Invalid, Place, Step, escaped};
use super::json::{Json, Sent};

const METADATA_KEYS_MAX: usize = 50;
const METADATA_BYTES_MAX: usize = 8 * 1024;
const METADATA_KEY_LENGTH_MAX: usize = 40;
const METADATA_VALUE_LENGTH_MAX: usize = 500;
/// The most characters of a word, an id or a time.
const WORD_LENGTH_MAX: usize = 100;
/// The detail of the fault if a text is not a time.
pub(super) const TIME: &str =
    "must be an RFC 3339 time such as 2026-01-31T12:00:00.000Z, of the years 0001 to 9999 in UTC";

/// The members of an object that were not read yet, and the faults found so far.
#[derive(Debug)]
pub struct Fields {
    /// The steps to the object with these members.
    path: Vec<Step<String>>,
    members: Vec<(String, Json)>,
    faults: Faults,
    card_numbers: Faults,
    /// The names of the declared fields and of the fields that were read. Only debug builds compare them.
    #[cfg(debug_assertions)]
    declared: Option<(Vec<&'static str>, Vec<&'static str>)>,
}

impl Fields {
    /// The fields of an object. Another JSON value has no fields, so every required field is missing.
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

    /// The fields of an object with this declaration. A debug build panics if a field is read but not declared, or
    /// declared but not read, because then the OpenAPI document would differ from the parser.
    #[cfg_attr(not(debug_assertions), expect(unused_variables, reason = "only debug builds look"))]
    pub(super) fn declared(object: Json, specs: &[FieldSpec]) -> Fields {
        let fields = Fields::of(object);
        #[cfg(debug_assertions)]
        let fields = Fields { declared: Some((specs.iter().map(|spec| spec.name).collect(), Vec::new())), ..fields };
        fields
    }

    /// Records that a declared field is read. A debug build panics if it is not declared.
    #[cfg_attr(not(debug_assertions), expect(unused_variables, reason = "only debug builds look"))]
    pub(super) fn mark_read(&mut self, name: &'static str) {
        #[cfg(debug_assertions)]
        if let Some((declared, read)) = &mut self.declared {
            assert!(declared.contains(&name), "{name:?} is not declared");
            read.push(name);
        }
    }

    /// The fields of an object. Repeated keys are faults like others.
    pub(super) fn of_sent(sent: Sent) -> Fields {
        Fields { faults: sent.repeated, ..Fields::of(sent.object) }
    }

    /// A required whole number.
    pub fn integer<N: Copy + Into<i64> + TryFrom<i64>>(&mut self, name: &str, range: RangeInclusive<N>) -> Option<N> {
        let value = self.required(name)?;
        self.checked_integer(name, &value, range)
    }

    /// An optional whole number. It may be missing or null.
    pub fn optional_integer<N: Copy + Into<i64> + TryFrom<i64>>(
        &mut self, name: &str, range: RangeInclusive<N>,
    ) -> Option<N> {
        let value = self.optional(name)?;
        self.checked_integer(name, &value, range)
    }

    /// An optional boolean. It may be missing or null.
    pub fn optional_bool(&mut self, name: &str) -> Option<bool> {
        match self.optional(name)? {
            Json::Bool(value) => Some(value),
            other => self.wrong_kind(name, "true or false", &other),
        }
    }

    /// A required text of 1 to `length_max` characters.
    pub fn text(&mut self, name: &str, length_max: usize) -> Option<String> {
        let value = self.required(name)?;
        self.checked_text(name, value, length_max)
    }

    /// An optional text of 1 to `length_max` characters. It may be missing or null.
    pub fn optional_text(&mut self, name: &str, length_max: usize) -> Option<String> {
        let value = self.optional(name)?;
        self.checked_text(name, value, length_max)
    }

    /// A required text, parsed by `parse`. `expected`: the detail of the fault if `parse` returns `None`.
    pub fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.required(name)?;
        self.checked_word(name, value, expected, parse)
    }

    /// An optional text, parsed as by [`Fields::parsed`]. It may be missing or null.
    pub fn optional_parsed<T>(
        &mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.optional(name)?;
        self.checked_word(name, value, expected, parse)
    }

    /// A required id. `what`: the id in words, for the fault.
    pub fn id<K: Kind>(&mut self, name: &str, what: &str) -> Option<Id<K>> {
        self.parsed(name, &id_expected::<K>(what), |id| Id::parse(id).ok())
    }

    /// An optional id, see [`Fields::id`]. It may be missing or null.
    pub fn optional_id<K: Kind>(&mut self, name: &str, what: &str) -> Option<Id<K>> {
        self.optional_parsed(name, &id_expected::<K>(what), |id| Id::parse(id).ok())
    }

    /// A required id of a merchant.
    pub fn merchant(&mut self, name: &str) -> Option<MerchantId> {
        self.id(name, "a merchant's id")
    }

    /// An optional time. It may be missing or null.
    pub fn optional_time(&mut self, name: &str) -> Option<Timestamp> {
        self.optional_parsed(name, TIME, |text| Timestamp::parse(text).ok())
    }

    /// A required list of 1 to `count_max` texts, each parsed as by [`Fields::parsed`]. An entry with a fault is left
    /// out.
    pub fn list<T>(
        &mut self, name: &str, count_max: usize, expected: &str, parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.required(name)?;
        self.checked_list(name, value, count_max, expected, parse)
    }

    /// An optional list, see [`Fields::list`]. It may be missing or null.
    pub fn optional_list<T>(
        &mut self, name: &str, count_max: usize, expected: &str, parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.optional(name)?;
        self.checked_list(name, value, count_max, expected, parse)
    }

    /// A required object that contains objects under keys of the sender's choice. `read` gets the fields of each
    /// contained object and its key. If it returns `None`, the object is left out. It reports a fault of the key with
    /// the name "".
    pub fn objects<T>(&mut self, name: &str, read: impl FnMut(&mut Fields, &str) -> Option<T>) -> Option<Vec<T>> {
        let value = self.required(name)?;
        self.checked_objects(name, value, read)
    }

    /// An optional object of objects, see [`Fields::objects`]. It may be missing or null.
    pub fn optional_objects<T>(
        &mut self, name: &str, read: impl FnMut(&mut Fields, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.optional(name)?;
        self.checked_objects(name, value, read)
    }

    /// The field `metadata`: the merchant's own keys and values. Empty if it is missing, null, or has a fault itself.
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
                    format!("its key must have 1 to {METADATA_KEY_LENGTH_MAX} characters without control characters"),
                );
            } else if let Some(value) = self.checked_possibly_empty(&place, value, METADATA_VALUE_LENGTH_MAX) {
                metadata.insert(key, value);
            }
        }
        // The size in answers and webhooks, escapes included.
        if serde_json::to_string(&metadata).map_or(usize::MAX, |text| text.len()) > METADATA_BYTES_MAX {
            let _: Option<()> =
                self.fault(name, format!("must have at most {METADATA_BYTES_MAX} bytes in all, as JSON"));
        }
        metadata
    }

    /// Adds a fault of a field. Returns `None`, so that it can stand in place of the field's value.
    pub fn fault<T>(&mut self, name: &str, detail: impl Into<String>) -> Option<T> {
        let place = || Place::pointer(&self.path, &if name.is_empty() { String::new() } else { format!("/{name}") });
        let field = match self.path.first() {
            Some(Step::Key(field)) => field,
            _ => name.split('/').next().unwrap_or_default(),
        };
        self.faults.add(field, place, detail);
        None
    }

    /// All faults. Call it after every field was read: a member that was not read is a fault too, because a misspelt
    /// field must not be ignored. If the body contains card numbers, only these are returned, because other faults
    /// repeat keys.
    pub fn finish(mut self) -> Vec<Invalid> {
        #[cfg(debug_assertions)]
        if let Some((declared, read)) = &self.declared {
            assert!(declared.iter().all(|name| read.contains(name)), "declared and read: {declared:?}, {read:?}");
        }
        if !self.card_numbers.is_empty() {
            return self.card_numbers.finish();
        }
        self.refuse_unread_members();
        self.faults.finish()
    }

    /// Adds a fault for each member that was not read.
    fn refuse_unread_members(&mut self) {
        for (key, _) in std::mem::take(&mut self.members) {
            self.path.push(Step::Key(key));
            let field = match self.path.as_slice() {
                [Step::Key(field), _, ..] => field.as_str(),
                _ => "",
            };
            self.faults.add(field, || Place::pointer(&self.path, ""), "is not a field of this request");
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

    /// None if the member is missing or null.
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
                let outer = std::mem::replace(&mut self.members, members);
                all.extend(read(self, &key));
                self.refuse_unread_members();
                self.members = outer;
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

/// The detail of the fault if a text has more than `length_max` characters or contains control characters. None if it
/// has no fault. This does not look for card numbers.
pub(super) fn wrong_text(text: &str, length_max: usize) -> Option<String> {
    if text.chars().count() > length_max {
        Some(format!("must have at most {length_max} characters"))
    } else if text.chars().any(char::is_control) {
        Some("must not contain control characters".to_owned())
    } else {
        None
    }
}

/// Finds card numbers anywhere inside `value`, in keys and values, in declared fields and others. `path`: the steps to
/// `value`. The place of a card number in a key is the object that contains the key.
fn find_card_numbers<'body>(value: &'body Json, path: &mut Vec<Step<&'body str>>, found: &mut Faults) {
    match value {
        Json::Text(text) if holds_card_number(text) => found.add("", || Place::pointer(path, ""), CARD_NUMBER),
        // An amount may look like a card number, so only larger numbers are examined. They are refused anyway.
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

fn id_expected<K: Kind>(what: &str) -> String {
    format!("must be {what}, {} and 26 characters", K::PREFIX)
}

#[cfg(test)]
mod tests;
