//! Differences between found and expected values, in words.

use serde_json::Value;

/// How `found` differs from `expected`, a clause for each field: `fee is 1, not 66; status is failed, not succeeded`.
/// Empty if they are equal.
pub fn differences(found: &Value, expected: &Value) -> String {
    let mut clauses = Vec::new();
    collect("", found, expected, &mut clauses);
    clauses.join("; ")
}

fn collect(path: &str, found: &Value, expected: &Value, clauses: &mut Vec<String>) {
    if found == expected {
        return;
    }
    let (Value::Object(has), Value::Object(must)) = (found, expected) else {
        let name = if path.is_empty() { "it" } else { path };
        return clauses.push(format!("{name} is {}, not {}", shown(found), shown(expected)));
    };
    let others = must.keys().filter(|name| !has.contains_key(*name));
    for name in has.keys().chain(others) {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(&path, &found[name], &expected[name], clauses);
    }
}

/// A value in words: a text without its quotes.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
