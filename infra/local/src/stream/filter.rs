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
pub(super) struct Filters(Vec<Value>);

impl Filters {
    /// Filters of these patterns.
    pub fn new(patterns: &[Value]) -> Result<Self, FilterError> {
        for pattern in patterns {
            let dynamodb = &pattern["dynamodb"];
            if !dynamodb["NewImage"].is_null() || !dynamodb["OldImage"].is_null() {
                return Err(FilterError("the runner filters by keys and names, not by images".to_owned()));
            }
            check(pattern)?;
        }
        Ok(Self(patterns.to_vec()))
    }

    /// Whether the record passes.
    pub fn pass(&self, change: &Change) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let record = event::outline(change);
        self.0.iter().any(|pattern| matches(pattern, &record))
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
    let Value::Object(fields) = rule else {
        return Ok(());
    };
    let known = fields.len() == 1 && rule["prefix"].is_string();
    if known { Ok(()) } else { Err(FilterError(format!("the runner does not know {rule}"))) }
}

fn matches(pattern: &Value, value: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, pattern)| matches(pattern, &value[name])),
        Value::Array(rules) => rules.iter().any(|rule| match rule["prefix"].as_str() {
            Some(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix)),
            None => value == rule,
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pass(patterns: &[Value], name: &str, sk: &str) -> bool {
        let change = Change {
            event_name: name.to_owned(),
            keys: json!({"pk": {"S": "a"}, "sk": {"S": sk}}).to_string(),
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
    fn a_rule_that_is_not_known_is_an_error() {
        let image = json!({"dynamodb": {"NewImage": {"status": {"S": ["open"]}}}});
        for pattern in [sk(json!({"suffix": "x"})), json!({"eventName": "INSERT"}), image] {
            assert!(Filters::new(&[pattern]).is_err());
        }
    }
}
