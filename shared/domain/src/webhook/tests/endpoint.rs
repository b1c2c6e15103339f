//! Endpoints: their status, secrets, changes and tests.

use super::*;

#[test]
fn disabling_adds_a_version_and_stops_events() {
    let disabled = endpoint(None, None).disabled(at(3));
    assert_eq!(
        (disabled.status, disabled.meta.version, disabled.meta.updated_at),
        (EndpointStatus::Disabled, 2, at(3))
    );
    assert!(endpoint(None, None).wants(EventType::PaymentFailed, None));
    assert!(!disabled.wants(EventType::PaymentFailed, None));
}

#[test]
fn an_endpoint_is_disabled_after_5_days_and_slow_after_half_a_second() {
    assert_eq!((DISABLED_AFTER_MS, SLOW_AFTER_MS), (432_000_000, 500));
}

/// The generations that sign at this time.
fn signing(endpoint: &WebhookEndpoint, now: Timestamp) -> Vec<u32> {
    endpoint.signing(now).map(|secret| secret.generation).collect()
}

#[test]
fn an_old_secret_signs_until_its_end() {
    let secret = |generation, until: Option<i64>| Secret {
        generation,
        source: SecretSource::Text("whsec_text".to_owned()),
        until: until.map(at),
        rotation: None,
    };
    let endpoint = WebhookEndpoint { secrets: vec![secret(2, None), secret(1, Some(60))], ..endpoint(None, None) };
    for (minute, expected) in [(59, vec![2, 1]), (60, vec![2])] {
        assert_eq!(signing(&endpoint, at(minute)), expected, "{minute}");
    }
    assert_eq!(format!("{:?}", endpoint.secrets[1]), "Secret { generation: 1, until: Some(Timestamp(3600000)), .. }");
}

/// A merchant's change of an endpoint.
fn edit(url: Option<&str>, event_types: Option<&[EventFilter]>, status: Option<EndpointStatus>) -> EndpointEdit {
    EndpointEdit { url: url.map(str::to_owned), event_types: event_types.map(<[_]>::to_vec), status }
}

#[test]
fn an_edit_without_effect_returns_none() {
    let endpoint = endpoint(Some(1), None);
    let same = edit(Some("https://example.com/"), Some(&[EventFilter::All]), Some(EndpointStatus::Enabled));
    assert_eq!([EndpointEdit::default(), same].map(|edit| endpoint.edited(edit, at(9))), [None, None]);
}

#[test]
fn a_new_address_or_enabling_counts_as_a_recovery() {
    let down = || WebhookEndpoint { probe_at: Some(at(2)), ..endpoint(Some(1), Some(0)) };
    let disabled = WebhookEndpoint { status: EndpointStatus::Disabled, ..down() };
    let health = |endpoint: &WebhookEndpoint| (endpoint.failing_since, endpoint.probe_at, endpoint.works_since);
    let works = (None, None, Some(at(9)));
    let moved = down().edited(edit(Some("https://example.org/"), None, None), at(9)).unwrap();
    assert_eq!((moved.url.as_str(), health(&moved)), ("https://example.org/", works));
    assert_eq!((moved.meta.version, moved.meta.updated_at, moved.event_types.len()), (2, at(9), 1));
    let enabled = disabled.edited(edit(None, None, Some(EndpointStatus::Enabled)), at(9)).unwrap();
    assert_eq!((enabled.status, health(&enabled)), (EndpointStatus::Enabled, works));
    // Other changes say nothing about whether the endpoint works.
    for edit in [edit(None, Some(&[]), None), edit(None, None, Some(EndpointStatus::Disabled))] {
        let edited = down().edited(edit, at(9)).unwrap();
        assert_eq!((edited.meta.version, health(&edited)), (2, (Some(at(1)), Some(at(2)), Some(at(0)))));
    }
}

fn key(text: &str) -> KeyHash {
    IdempotencyKey::parse(text).unwrap().hash()
}

#[test]
fn the_old_secret_signs_for_a_day_after_a_rotation() {
    let rotated = endpoint(None, None).rotated(signing_key("2"), key("a"), at(0));
    let day = 24 * 60;
    for (minute, expected) in [(day - 1, vec![2, 1]), (day, vec![2])] {
        assert_eq!(signing(&rotated, at(minute)), expected, "{minute}");
    }
    assert_eq!(rotated.meta.version, 2);
    // A second rotation does not extend the first secret, a third drops it, and an ended secret is dropped too.
    let again = rotated.rotated(signing_key("3"), key("b"), at(60));
    assert_eq!(signing(&again, at(day - 1)), [3, 2, 1]);
    assert_eq!(signing(&again, at(day)), [3, 2]);
    let third = again.rotated(signing_key("4"), key("c"), at(61));
    assert_eq!(signing(&third, at(61)), [4, 3, 2]);
    let later = again.rotated(signing_key("4"), key("c"), at(day));
    let generations: Vec<u32> = later.secrets.iter().map(|secret| secret.generation).collect();
    assert_eq!(generations, [4, 3, 2]);
    let much_later = again.rotated(signing_key("4"), key("c"), at(day + 60));
    let generations: Vec<u32> = much_later.secrets.iter().map(|secret| secret.generation).collect();
    assert_eq!(generations, [4, 3]);
}

#[test]
fn a_stored_secret_has_its_text_or_the_fingerprint_of_its_key() {
    // echo -n key | sha256sum
    let key = SecretSource::Key(signing_key("key"));
    let text = SecretSource::Text("whsec_text".to_owned());
    for (source, member) in [(key, ("key", "2c70e12b7a06")), (text, ("text", "whsec_text"))] {
        let secret = Secret { generation: 1, source, until: None, rotation: None };
        let stored = serde_json::json!({"generation": 1, member.0: member.1});
        assert_eq!(serde_json::to_value(&secret).unwrap(), stored);
        assert!(serde_json::from_value::<Secret>(stored).unwrap() == secret);
    }
    assert!(serde_json::from_str::<Secret>(r#"{"generation": 1}"#).is_err());
}

#[test]
fn rotated_by_finds_the_secret_of_a_key() {
    let rotated = endpoint(None, None).rotated(signing_key("2"), key("a"), at(0));
    let again = rotated.rotated(signing_key("3"), key("b"), at(1));
    let made = |name: &str| again.rotated_by(&key(name)).map(|secret| secret.generation);
    assert_eq!([made("a"), made("b"), made("c")], [Some(2), Some(3), None]);
}

#[test]
fn only_the_tested_endpoint_receives_a_test() {
    let [tested, other] = ["w", "v"].map(|name| {
        let endpoint = endpoint(None, None);
        let meta = Meta { id: EndpointId::derive(&[name]), ..endpoint.meta.clone() };
        WebhookEndpoint { meta, event_types: vec![EventFilter::One(EventType::RefundFailed)], ..endpoint }
    });
    let event = tested.test(&key("k"), "req", None, at(5));
    let wanted = |endpoint: &WebhookEndpoint| endpoint.wants(event.event_type, event.only.as_ref());
    assert_eq!([wanted(&tested), wanted(&other)], [true, false]);
    assert!(!wanted(&WebhookEndpoint { status: EndpointStatus::Disabled, ..tested.clone() }));
    assert_eq!(
        (event.timestamp, event.request_id.as_str(), event.source.as_str()),
        (at(5), "req", tested.meta.id.as_str())
    );
    let ids = [("k", 5), ("l", 5), ("k", 6)].map(|(name, minute)| tested.test(&key(name), "req", None, at(minute)).id);
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[0] == event.id);
}
