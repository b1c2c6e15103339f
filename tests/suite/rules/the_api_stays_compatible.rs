//! A client of a released document works with docs/openapi.json too: docs/api-versions.md. `docs/released/` has the
//! document of each release.

use std::fs;

use serde_json::{Value, json};
use spillway_tests::make;

mod comparison;

use comparison::breaking_changes;

/// Changes of the document that break no client, each with its reason.
const EXPLAINED: [(&str, &str); 1] = [(
    " Idempotency-Key: the pattern is ",
    "Version 0.1.0 refused the values too that only its own pattern allows: a lone quote at the start.",
)];

fn document(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(make::root().join("docs").join(name)).unwrap()).unwrap()
}

#[test]
fn nothing_that_was_released_is_broken() {
    let now = document("openapi.json");
    let released = fs::read_dir(make::root().join("docs/released")).unwrap();
    let names: Vec<_> = released.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.is_empty());
    for name in names {
        let mut breaking = breaking_changes(&document(&format!("released/{name}")), &now);
        breaking.retain(|change| !EXPLAINED.iter().any(|(explained, _)| change.contains(explained)));
        assert!(breaking.is_empty(), "docs/openapi.json breaks clients of {name}:\n{}", breaking.join("\n"));
    }
}

/// The breaking changes after `change` to the document, which has an endpoint and a webhook.
fn after(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let payment = json!({
        "type": "object",
        "required": ["id", "amount"],
        "properties": {
            "id": {"type": "string"},
            "amount": {"type": "integer", "maximum": 99},
            "status": {"enum": ["open", "paid"]},
            "fee": {"type": ["integer", "null"]},
        },
    });
    let content = |schema: Value| json!({"content": {"application/json": {"schema": schema}}});
    let reference = json!({"$ref": "#/components/schemas/Payment"});
    let mut body = content(json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["amount"],
        "properties": {"amount": {"type": "integer", "minimum": 1}, "method": {"enum": ["card", "bank"]}},
    }));
    body["required"] = true.into();
    let mut answer = content(reference.clone());
    answer["headers"] = json!({"Location": {}});
    let before = json!({
        "components": {"schemas": {"Payment": payment}},
        "paths": {"/payments": {"post": {
            "parameters": [{"name": "expand", "in": "query", "schema": {"maxLength": 9}}],
            "requestBody": body,
            "responses": {"202": answer, "404": {}},
        }}},
        "webhooks": {"paid": {"post": {"requestBody": content(reference)}}},
    });
    let mut now = before.clone();
    change(&mut now);
    breaking_changes(&before, &now)
}

/// Sets the value at `pointer`, or removes it if `value` is null.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match value {
        Value::Null => drop(parent.as_object_mut().unwrap().remove(name).unwrap()),
        value => parent[name] = value,
    }
}

const BODY: &str = "/paths/~1payments/post/requestBody/content/application~1json/schema";
const ANSWER: &str = "/components/schemas/Payment";

#[test]
fn additions_break_nothing() {
    let additions = [
        (format!("{BODY}/properties/note"), json!({"type": "string"})),
        (format!("{BODY}/properties/method"), json!({"enum": ["card", "bank", "cash"]})),
        (format!("{BODY}/properties/amount"), json!({"type": "integer", "minimum": 0})),
        (format!("{BODY}/required"), json!([])),
        (format!("{ANSWER}/properties/note"), json!({"type": "string"})),
        (format!("{ANSWER}/properties/status"), json!({"enum": ["open", "paid", "late"]})),
        (format!("{ANSWER}/properties/fee"), json!({"type": "integer"})),
        (format!("{ANSWER}/required"), json!(["id", "amount", "fee"])),
        ("/paths/~1payments/get".to_owned(), json!({"responses": {}})),
        ("/paths/~1payments/post/responses/404".to_owned(), Value::Null),
        ("/paths/~1payments/post/parameters/0/schema".to_owned(), json!({"maxLength": 10})),
    ];
    for (pointer, value) in additions {
        assert_eq!(after(|now| set(now, &pointer, value)), [""; 0], "{pointer}");
    }
}

#[test]
fn what_a_client_relies_on_stays() {
    let breaks = [
        ("/paths/~1payments/post", Value::Null, "POST /payments is gone"),
        ("/webhooks/paid", Value::Null, "the webhook paid is gone"),
        ("/paths/~1payments/post/parameters", json!([]), "POST /payments: the parameter expand is gone"),
        ("/paths/~1payments/post/parameters/0/required", json!(true), "POST /payments: expand is required now"),
        ("/paths/~1payments/post/parameters/0/schema/maxLength", json!(8), "POST /payments expand: maxLength is 8 now"),
        ("/paths/~1payments/post/responses/202", Value::Null, "POST /payments: the answer 202 is gone"),
        ("/paths/~1payments/post/responses/202/headers", json!({}), "POST /payments 202: the header Location is gone"),
        (&format!("{BODY}/properties/method"), Value::Null, "POST /payments body: method is gone"),
        (
            &format!("{BODY}/properties/method"),
            json!({"enum": ["card"]}),
            "POST /payments body.method: \"bank\" is gone",
        ),
        (&format!("{BODY}/required"), json!(["amount", "method"]), "POST /payments body: method is required now"),
        (&format!("{BODY}/properties/amount/minimum"), json!(2), "POST /payments body.amount: minimum is 2 now"),
    ];
    for (pointer, value, expected) in breaks {
        assert_eq!(after(|now| set(now, pointer, value)), [expected]);
    }
}

/// An object is in answers and in webhooks, so a change of it breaks both.
#[test]
fn what_is_shown_stays() {
    let breaks = [
        ("properties/amount", Value::Null, ": amount is gone"),
        ("properties/amount/type", json!("string"), ".amount: the type is \"string\" now"),
        ("properties/amount/type", json!(["integer", "null"]), ".amount: the type is [\"integer\",\"null\"] now"),
        ("properties/amount/maximum", json!(100), ".amount: maximum is 100 now"),
        ("properties/amount/maximum", Value::Null, ".amount: maximum is gone"),
        ("required", json!(["id"]), ": amount may be missing now"),
    ];
    for (field, value, expected) in breaks {
        let places = ["POST /payments 202", "the webhook paid"].map(|place| format!("{place}{expected}"));
        assert_eq!(after(|now| set(now, &format!("{ANSWER}/{field}"), value)), places);
    }
}
