//! Reads the parameters of a query and collects all faults, not only the first.

use std::collections::BTreeMap;

use spillway_domain::card::holds_card_number;

use super::fields::{CARD_NUMBER, Invalid, Place};
use super::request::Request;

/// The parameters that were not asked for yet, and the faults found so far.
#[derive(Debug)]
pub(super) struct Parameters {
    left: BTreeMap<String, Vec<String>>,
    faults: Vec<Invalid>,
}

impl Parameters {
    pub(super) fn of(request: &Request) -> Parameters {
        Parameters { left: request.query.clone(), faults: Vec::new() }
    }

    /// A parameter's value, none if it is missing. `expected` is what is said of a value that does not parse.
    pub(super) fn read<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        match self.left.remove(name)?.as_slice() {
            [value] if value.is_empty() => self.fault(name, "must not be empty"),
            [value] => parse(value).or_else(|| self.fault(name, expected)),
            _ => self.fault(name, "must be there only once"),
        }
    }

    /// Notes a fault of a parameter. Gives none, for use in place of its value.
    pub(super) fn fault<T>(&mut self, name: &str, detail: &str) -> Option<T> {
        self.faults.push(fault(name, detail, name));
        None
    }

    /// All faults, after every parameter was asked for: one that nobody asked for is a fault too, because a misspelt
    /// filter must not be passed over. A name that holds a card number is not repeated.
    pub(super) fn finish(mut self) -> Vec<Invalid> {
        for name in std::mem::take(&mut self.left).into_keys() {
            self.faults.push(if holds_card_number(&name) {
                fault("", CARD_NUMBER, "")
            } else {
                fault(&name, "is no parameter of this request", "")
            });
        }
        self.faults
    }
}

fn fault(name: &str, detail: &str, field: &str) -> Invalid {
    Invalid { place: Place::Parameter(name.to_owned()), detail: detail.to_owned(), field: field.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_at_once_and_no_card_number_is_repeated() {
        let sent = [("a", vec!["1", "1"]), ("b", vec![""]), ("c", vec!["x"]), ("d", vec!["4"])];
        let unknown = [("limits", vec!["5"]), ("4242424242424242", vec!["5555555555554444"])];
        let left = sent.into_iter().chain(unknown);
        let left = left.map(|(name, values)| (name.to_owned(), values.into_iter().map(str::to_owned).collect()));
        let mut parameters = Parameters { left: left.collect(), faults: Vec::new() };
        let number = |text: &str| text.parse::<u8>().ok();
        let read = ["a", "b", "c", "d", "e"].map(|name| parameters.read(name, "must be a number", number));
        assert_eq!(read, [None, None, None, Some(4), None]);
        let told = serde_json::to_value(parameters.finish()).unwrap();
        let fault = |name: &str, detail: &str| serde_json::json!({"parameter": name, "detail": detail});
        let faults = [
            fault("a", "must be there only once"),
            fault("b", "must not be empty"),
            fault("c", "must be a number"),
            fault("", CARD_NUMBER),
            fault("limits", "is no parameter of this request"),
        ];
        assert_eq!(told, serde_json::json!(faults));
    }
}
