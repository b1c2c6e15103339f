use serde_json::json;

use super::*;

/// A change of the item with this sort key and these attributes.
fn change(event_name: &str, sk: &str, attributes: Value) -> Change {
    let keys = json!({"pk": {"S": "a"}, "sk": {"S": sk}});
    let mut image = keys.clone();
    for (name, value) in attributes.as_object().unwrap() {
        image[name] = value.clone();
    }
    Change {
        event_name: event_name.to_owned(),
        keys: keys.to_string(),
        new_image: (event_name != "REMOVE").then(|| image.to_string()),
        old_image: (event_name != "INSERT").then(|| keys.to_string()),
        ..Change::default()
    }
}

fn pass(patterns: &[Value], change: &Change) -> bool {
    Filters::new(patterns).unwrap().pass(change)
}

fn refusal(pattern: Value) -> String {
    Filters::new(&[pattern]).err().unwrap().to_string()
}

fn sk(rule: Value) -> Value {
    json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [rule]}}}})
}

#[test]
fn without_filters_all_pass() {
    assert!(pass(&[], &change("REMOVE", "x", json!({}))));
}

#[test]
fn one_of_several_filters_is_enough() {
    let filters = [sk(json!("payment")), sk(json!({"prefix": "move#"}))];
    let inserted = |sk| pass(&filters, &change("INSERT", sk, json!({})));
    assert_eq!(["payment", "move#USD", "payments", "remove#USD"].map(inserted), [true, true, false, false]);
    assert!(!pass(&filters, &change("MODIFY", "payment", json!({}))));
}

#[test]
fn one_value_of_a_list_and_every_field_must_match() {
    let list = json!(["payment", "refund", "payout", "report", "event", {"prefix": "move#"}, {"prefix": "evt_"}]);
    let filter = [json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": list}}}})];
    for (sk, passes) in [
        ("payment", true),
        ("refund", true),
        ("payout", true),
        ("report", true),
        ("event", true),
        ("move#USD#2026-02-02#txn_1", true),
        ("evt_1", true),
        ("we_1", false),
        ("USD", false),
        ("pay", false),
        ("events", false),
    ] {
        assert_eq!(pass(&filter, &change("INSERT", sk, json!({}))), passes, "{sk}");
        assert!(!pass(&filter, &change("MODIFY", sk, json!({}))), "{sk}");
        assert!(!pass(&filter, &change("REMOVE", sk, json!({}))), "{sk}");
    }
}

#[test]
fn exists_matches_a_leaf_that_the_record_has() {
    let pattern = |exists: bool| {
        [json!({"eventName": ["INSERT", "MODIFY"], "dynamodb": {"NewImage": {"wake": {"N": [{"exists": exists}]}}}})]
    };
    for (name, attributes, has) in [
        ("INSERT", json!({"wake": {"N": "1"}}), true),
        ("MODIFY", json!({"wake": {"N": "0"}}), true),
        ("MODIFY", json!({}), false),
        // A value of another type is another leaf.
        ("MODIFY", json!({"wake": {"S": "1"}}), false),
    ] {
        let change = change(name, "payment", attributes);
        assert_eq!(pass(&pattern(true), &change), has, "{change:?}");
        assert_eq!(pass(&pattern(false), &change), !has, "{change:?}");
    }
    // A removed item has no new image; the filter does not let removals through in any case.
    assert!(!pass(&pattern(true), &change("REMOVE", "payment", json!({"wake": {"N": "1"}}))));
    let removed = [json!({"dynamodb": {"NewImage": {"wake": {"N": [{"exists": false}]}}}})];
    assert!(pass(&removed, &change("REMOVE", "payment", json!({}))));
}

#[test]
fn images_are_compared_as_the_record_shows_them() {
    let open = |image: &str| [json!({"dynamodb": {image: {"open": {"BOOL": [true]}, "count": {"N": ["7"]}}}})];
    let item = json!({"open": {"BOOL": true}, "count": {"N": "7"}});
    assert!(pass(&open("NewImage"), &change("MODIFY", "payment", item.clone())));
    assert!(!pass(&open("OldImage"), &change("MODIFY", "payment", item)));
    assert!(!pass(&open("NewImage"), &change("MODIFY", "payment", json!({"open": {"BOOL": true}}))));
}

#[test]
fn unknown_filters_are_refused() {
    for rule in [
        json!({"numeric": [">", 1]}),
        json!({"anything-but": ["payment"]}),
        json!({"suffix": "x"}),
        json!({"equals-ignore-case": "x"}),
        json!({"prefix": "a", "exists": true}),
        json!({"prefix": {"equals-ignore-case": "a"}}),
        json!({}),
    ] {
        assert!(refusal(sk(rule.clone())).contains(&format!("the runner does not know {rule}")), "{rule}");
    }
    let in_keys = |pattern: Value| json!({"dynamodb": {"Keys": pattern}});
    for (pattern, sentence) in [
        (json!({"eventName": "INSERT"}), "needs a list"),
        (json!({"eventName": []}), "needs a list"),
        (sk(json!(7)), "7 must be a text"),
        (json!({"$or": [{"eventName": ["INSERT"]}]}), "not by $or"),
        (json!({"dynamodb": {"SizeBytes": [1]}}), "not by SizeBytes"),
        (json!({"dynamodb": {"NewImage": {"tags": {"SS": ["a"]}}}}), "tags by values of type SS"),
        // Above a leaf `exists` never matches.
        (json!({"dynamodb": {"NewImage": {"wake": [{"exists": true}]}}}), "wake must hold fields"),
        (in_keys(json!({"sk": "payment"})), "sk must hold fields"),
        (json!({}), "a pattern must hold fields"),
    ] {
        assert!(refusal(pattern.clone()).contains(sentence), "{pattern}: {}", refusal(pattern.clone()));
    }
}

#[test]
fn lambda_takes_five_filters() {
    let filters = |count: usize| vec![sk(json!("payment")); count];
    assert!(Filters::new(&filters(5)).is_ok());
    assert!(Filters::new(&filters(6)).err().unwrap().to_string().contains("5 filters, not 6"));
}
