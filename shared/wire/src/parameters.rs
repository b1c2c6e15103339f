//! Parses the parameters of a query, and collects all faults instead of only the first.

use std::collections::BTreeMap;

use lambda_http::{Request, RequestExt as _};
use spillway_domain::card::holds_card_number;

use super::faults::{CARD_NUMBER, Faults, Place};
use super::problem::Problem;

/// The parameters of a query that were not read yet, and the faults found so far.
#[derive(Debug, Default)]
pub struct Parameters {
    unread: BTreeMap<String, Vec<String>>,
    faults: Faults,
}

impl Parameters {
    /// The parameters of a request's query, with all values of each name.
    pub fn of(request: &Request) -> Parameters {
        let mut unread: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in request.query_string_parameters_ref().into_iter().flat_map(|query| query.iter()) {
            unread.entry(name.to_owned()).or_default().push(value.to_owned());
        }
        Parameters { unread, faults: Faults::default() }
    }

    /// The value of a parameter. None if it is missing or has a fault. `expected`: the detail of the fault if `parse`
    /// returns `None`.
    pub(super) fn read<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.checked(name, |text| parse(text).ok_or(expected))
    }

    /// The value of a parameter. None if it is missing or has a fault. `parse` returns the detail of the fault as its
    /// error.
    pub(super) fn checked<T, E: AsRef<str>>(
        &mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.unread.remove(name)?.as_slice() {
            [value] if value.is_empty() => self.fault(name, "must not be empty"),
            [value] => match parse(value) {
                Ok(value) => Some(value),
                Err(wrong) => self.fault(name, wrong.as_ref()),
            },
            _ => self.fault(name, "must not be repeated"),
        }
    }

    /// Adds a fault of a parameter. Returns `None`, so that it can stand in place of the value.
    pub(super) fn fault<T>(&mut self, name: &str, detail: &str) -> Option<T> {
        self.faults.add(name, || Place::parameter(name), detail);
        None
    }

    /// Errors with 400 and all faults. Call it after every parameter was read: a parameter that was not read is a fault
    /// too, because a misspelt filter must not be ignored. A name that contains a card number is not repeated.
    pub fn finish(mut self) -> Result<(), Problem> {
        let only_unknown = self.faults.is_empty();
        for name in std::mem::take(&mut self.unread).into_keys() {
            let detail = if holds_card_number(&name) { CARD_NUMBER } else { "is not a parameter of this request" };
            self.faults.add("", || Place::parameter(&name), detail);
        }
        match self.faults.finish() {
            faults if faults.is_empty() => Ok(()),
            faults if only_unknown => Err(Problem::unknown_parameters(faults)),
            faults => Err(Problem::invalid_parameters(faults)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::faults::Invalid;
    use super::*;

    fn parameters(query: &[(&str, &[&str])]) -> Parameters {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let query: HashMap<String, Vec<String>> =
            query.iter().map(|(name, values)| ((*name).to_owned(), owned(values))).collect();
        Parameters::of(&Request::default().with_query_string_parameters(query))
    }

    fn fault(name: &str, detail: &str) -> Invalid {
        // The log does not name an unknown parameter.
        let field = if detail.starts_with("is not a parameter") { "" } else { name };
        Invalid { place: Place::Parameter(name.to_owned()), detail: detail.to_owned(), field: field.to_owned() }
    }

    #[test]
    fn finish_returns_all_faults_and_repeats_no_card_number() {
        let mut parameters = parameters(&[
            ("a", &["1", "1"]),
            ("b", &[""]),
            ("c", &["x"]),
            ("d", &["4"]),
            ("limits", &["5"]),
            ("4242424242424242", &["5555555555554444"]),
        ]);
        let number = |text: &str| text.parse::<u8>().ok();
        let read = ["a", "b", "c", "d", "e"].map(|name| parameters.read(name, "must be a number", number));
        assert_eq!(read, [None, None, None, Some(4), None]);
        let faults = vec![
            fault("a", "must not be repeated"),
            fault("b", "must not be empty"),
            fault("c", "must be a number"),
            fault("", CARD_NUMBER),
            fault("limits", "is not a parameter of this request"),
        ];
        assert_eq!(parameters.finish(), Err(Problem::invalid_parameters(faults)));
    }

    #[test]
    fn only_unknown_parameters_have_their_own_code() {
        let mut read = parameters(&[("a", &["1"]), ("curency", &["USD"])]);
        read.read("a", "must be a number", |text| text.parse::<u8>().ok());
        let faults = vec![fault("curency", "is not a parameter of this request")];
        assert_eq!(read.finish(), Err(Problem::unknown_parameters(faults)));
        assert_eq!(parameters(&[]).finish(), Ok(()));
    }
}
