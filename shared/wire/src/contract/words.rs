//! Words: the accepted texts of a value with few possibilities.

use spillway_domain::event::EventType;
pub use spillway_domain::text::Words;

/// All filters of events: `*`, each resource, and each event type.
pub fn event_filters() -> Vec<String> {
    let mut resources: Vec<String> = EventType::ALL.iter().map(|event| format!("{}.*", event.resource())).collect();
    resources.dedup();
    let events = EventType::ALL.iter().map(|event| event.as_str().to_owned());
    ["*".to_owned()].into_iter().chain(resources).chain(events).collect()
}

/// The words as a sentence lists them: `a, b or c`.
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
    fn alternatives_are_joined_by_commas_and_or() {
        let written = |words: &[&str]| alternatives(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!([written(&["a"]), written(&["a", "b"]), written(&["a", "b", "c"])], ["a", "a or b", "a, b or c"]);
    }

    #[test]
    fn every_filter_parses_and_is_listed_once() {
        let filters = event_filters();
        for filter in &filters {
            assert_eq!(EventFilter::parse(filter).unwrap().to_string(), *filter);
        }
        for event in EventType::ALL {
            for filter in ["*".to_owned(), format!("{}.*", event.resource()), event.to_string()] {
                let times = filters.iter().filter(|each| **each == filter).count();
                assert_eq!(times, 1, "{filter} in {filters:?}");
            }
        }
    }
}
