//! Values that are one of a few words.

use spillway_domain::event::EventType;
pub use spillway_domain::text::Words;

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
    fn every_filter_of_events_can_be_read() {
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
