//! Event filtering: which records reach the function (`FilterCriteria`).
//!
//! Source of the rules: Lambda Developer Guide, "Control which events Lambda sends to your function".

use serde_json::Value;

use super::changes::Change;
use super::event;

/// A filter that the runner does not understand.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the stream's filter: {0}")]
pub struct FilterError(String);

/// The filters of a trigger: a record passes when one of them matches. Without any, all pass.
pub(super) struct Filters {
    patterns: Vec<Value>,
    /// Whether a pattern looks into the images: reading them costs more than all the rest.
    images: bool,
}

impl Filters {
    /// Filters of these patterns.
    pub fn new(patterns: &[Value]) -> Result<Self, FilterError> {
        for pattern in patterns {
            check(pattern)?;
        }
        let images = patterns.iter().any(|pattern| {
            let dynamodb = &pattern["dynamodb"];
            !dynamodb["NewImage"].is_null() || !dynamodb["OldImage"].is_null()
        });
        Ok(Self { patterns: patterns.to_vec(), images })
    }

    /// Whether the record passes.
    pub fn pass(&self, change: &Change) -> bool {
        if self.patterns.is_empty() {
            return true;
        }
        let record = event::outline(change, self.images);
        self.patterns.iter().any(|pattern| matches(pattern, Some(&record)))
    }
}

/// Refuses what [`matches`] would not understand.
fn check(pattern: &Value) -> Result<(), FilterError> {
    match pattern {
        Value::Object(fields) => fields.values().try_for_each(check),
        Value::Array(rules) => rules.iter().try_for_each(check_rule),
        other => Err(FilterError(format!("{other} must be in a list of the values that match"))),
    }
}

fn check_rule(rule: &Value) -> Result<(), FilterError> {
    let Value::Object(rule_fields) = rule else {
        return Ok(());
    };
    let single = rule_fields.iter().next().filter(|_| rule_fields.len() == 1);
    let known = single.is_some_and(|(name, operand)| match name.as_str() {
        "prefix" => operand.is_string(),
        "exists" => operand.is_boolean(),
        "anything-but" => operand.is_array() || operand.is_string() || operand["prefix"].is_string(),
        _ => false,
    });
    if known { Ok(()) } else { Err(FilterError(format!("the runner does not know {rule}"))) }
}

/// Whether the value matches; `None`: the record has no such field.
fn matches(pattern: &Value, value: Option<&Value>) -> bool {
    match pattern {
        Value::Object(fields) => {
            fields.iter().all(|(name, pattern)| matches(pattern, value.and_then(|value| value.get(name))))
        }
        Value::Array(rules) => rules.iter().any(|rule| obeys(rule, value)),
        _ => false,
    }
}

fn obeys(rule: &Value, value: Option<&Value>) -> bool {
    let text = value.and_then(Value::as_str);
    let begins = |prefix: &Value| {
        let prefix = prefix.as_str();
        text.zip(prefix).is_some_and(|(text, prefix)| text.starts_with(prefix))
    };
    if let Some(prefix) = rule.get("prefix") {
        return begins(prefix);
    }
    if let Some(exists) = rule.get("exists") {
        return *exists == value.is_some();
    }
    if let Some(other) = rule.get("anything-but") {
        let Some(value) = value else { return false };
        return match other {
            Value::Array(others) => !others.contains(value),
            Value::Object(_) => !begins(&other["prefix"]),
            other => other != value,
        };
    }
    value == Some(rule)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pass(patterns: &[Value], name: &str, sk: &str) -> bool {
        let change = Change {
            event_name: name.to_owned(),
            keys: json!({"pk": {"S": "a"}, "sk": {"S": sk}}).to_string(),
            new_image: Some(json!({"status": {"S": "open"}}).to_string()),
            ..Change::default()
        };
        Filters::new(patterns).unwrap().pass(&change)
    }

    fn sk(rule: Value) -> Value {
        json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [rule]}}}})
    }

    #[test]
    fn without_filters_all_pass() {
        assert!(pass(&[], "REMOVE", "x"));
    }

    #[test]
    fn exact_values_and_prefixes_select() {
        let filters = [sk(json!("payment")), sk(json!({"prefix": "move#"}))];
        assert!(pass(&filters, "INSERT", "payment"));
        assert!(pass(&filters, "INSERT", "move#USD"));
        assert!(!pass(&filters, "MODIFY", "payment"));
        assert!(!pass(&filters, "INSERT", "balance"));
    }

    #[test]
    fn anything_but_and_exists_select() {
        assert!(!pass(&[sk(json!({"anything-but": ["a", "b"]}))], "INSERT", "a"));
        assert!(pass(&[sk(json!({"anything-but": ["a", "b"]}))], "INSERT", "c"));
        assert!(!pass(&[sk(json!({"anything-but": {"prefix": "a"}}))], "INSERT", "ab"));
        let status = |exists: bool| json!({"dynamodb": {"NewImage": {"status": {"S": [{"exists": exists}]}}}});
        assert!(pass(&[status(true)], "INSERT", "a"));
        assert!(!pass(&[status(false)], "INSERT", "a"));
    }

    #[test]
    fn a_rule_that_is_not_known_is_an_error() {
        for pattern in [sk(json!({"suffix": "x"})), json!({"eventName": "INSERT"})] {
            assert!(Filters::new(&[pattern]).is_err());
        }
    }
}
