//! Values that are one of a few words.

use serde::Serialize;
use spillway_domain::event::EventType;
use spillway_domain::payment::{CaptureMethod, Status};

/// A type whose values are written as one of a few words.
pub trait Words: Serialize + Copy + PartialEq + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// Every word, in the same order.
    fn words() -> Vec<String> {
        Self::ALL.iter().filter_map(|value| Some(serde_json::to_value(value).ok()?.as_str()?.to_owned())).collect()
    }

    /// The value of a word.
    fn of_word(word: &str) -> Option<Self> {
        let written = |value: &Self| serde_json::to_value(value).is_ok_and(|value| value == word);
        Self::ALL.iter().copied().find(written)
    }
}

impl Words for Status {
    const ALL: &'static [Status] = &Status::ALL;
}

impl Words for CaptureMethod {
    const ALL: &'static [CaptureMethod] = &[CaptureMethod::Automatic];
}

/// Every filter of events: `*`, each resource, and each event.
pub fn event_filters() -> Vec<String> {
    let mut resources: Vec<String> = EventType::ALL.iter().map(|event| format!("{}.*", event.resource())).collect();
    resources.dedup();
    let events = EventType::ALL.iter().map(|event| event.as_str().to_owned());
    ["*".to_owned()].into_iter().chain(resources).chain(events).collect()
}

/// `a, b or c`.
pub(crate) fn alternatives(words: &[String]) -> String {
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use spillway_domain::webhook::EventFilter;

    use super::*;

    #[test]
    fn alternatives_read_as_people_write_them() {
        let written = |words: &[&str]| alternatives(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!([written(&["a"]), written(&["a", "b"]), written(&["a", "b", "c"])], ["a", "a or b", "a, b or c"]);
    }

    #[test]
    fn a_word_names_the_value_that_is_written_so() {
        assert_eq!(Status::words(), ["processing", "succeeded", "failed"]);
        assert_eq!((Status::of_word("failed"), Status::of_word("Failed")), (Some(Status::Failed), None));
    }

    #[test]
    fn every_filter_of_events_can_be_read() {
        for filter in event_filters() {
            assert_eq!(EventFilter::parse(&filter).unwrap().to_string(), filter);
        }
        assert_eq!(event_filters()[..3], ["*", "payment.*", "webhook_endpoint.*"]);
    }
}
