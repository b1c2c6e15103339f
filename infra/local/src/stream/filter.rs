//! Event filtering: which records reach the function (`FilterCriteria`).
//!
//! Source of the rules: Lambda Developer Guide, "Control which events Lambda sends to your function"
//! (invocation-eventfiltering.html: filters are OR-ed, five of them by default; the values of one field are OR-ed, the
//! fields of one filter AND-ed) and "Using event filtering with a DynamoDB event source" (with-ddb-filtering.html:
//! where attributes stand in a record, and that `exists` works on leaves alone).

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::changes::Change;

/// Lambda's default quota for one event source mapping.
const FILTERS_MAX: usize = 5;

/// A filter that the runner does not know or Lambda would refuse.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the stream's filter: {0}")]
pub struct FilterError(String);

/// The filters of a trigger. A record passes if one of them matches, or if there are no filters.
pub(super) struct Filters(Vec<Filter>);

/// Conditions that must all hold. Those on images come last, because images are expensive to read.
struct Filter(Vec<Condition>);

/// One of the rules must match the value at this place.
struct Condition {
    place: Place,
    rules: Vec<Rule>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    EventName,
    /// A leaf: name and type of an attribute, as `sk` and `S`.
    Attribute(Part, String, String),
}

/// Where a record holds attributes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Keys,
    NewImage,
    OldImage,
}

enum Rule {
    Exactly(Value),
    Prefix(String),
    Exists(bool),
}

impl Filters {
    /// Filters of these patterns.
    pub fn new(patterns: &[Value]) -> Result<Self, FilterError> {
        if patterns.len() > FILTERS_MAX {
            return refuse(format!("Lambda takes {FILTERS_MAX} filters, not {}", patterns.len()));
        }
        patterns.iter().map(Filter::new).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the record passes.
    pub fn pass(&self, change: &Change) -> bool {
        self.0.is_empty() || self.0.iter().any(|filter| filter.0.iter().all(|condition| condition.holds(change)))
    }
}

impl Filter {
    fn new(pattern: &Value) -> Result<Filter, FilterError> {
        let mut conditions = Vec::new();
        for (name, pattern) in fields(pattern, "a pattern")? {
            match name.as_str() {
                "eventName" => conditions.push(Condition::new(Place::EventName, pattern)?),
                "dynamodb" => attributes(pattern, &mut conditions)?,
                other => return refuse(format!("the runner filters by eventName and dynamodb, not by {other}")),
            }
        }
        conditions.sort_by(|one, other| one.place.cmp(&other.place));
        Ok(Filter(conditions))
    }
}

/// The conditions under `dynamodb`: part of the record, attribute, type, rules.
fn attributes(pattern: &Value, conditions: &mut Vec<Condition>) -> Result<(), FilterError> {
    for (name, of_part) in fields(pattern, "dynamodb")? {
        let part = match name.as_str() {
            "Keys" => Part::Keys,
            "NewImage" => Part::NewImage,
            "OldImage" => Part::OldImage,
            other => return refuse(format!("the runner filters by keys and images, not by {other}")),
        };
        for (attribute, of_attribute) in fields(of_part, name)? {
            for (kind, rules) in fields(of_attribute, attribute)? {
                if !matches!(kind.as_str(), "S" | "N" | "BOOL" | "NULL") {
                    return refuse(format!("the runner does not filter {attribute} by values of type {kind}"));
                }
                let place = Place::Attribute(part, attribute.clone(), kind.clone());
                conditions.push(Condition::new(place, rules)?);
            }
        }
    }
    Ok(())
}

impl Condition {
    fn new(place: Place, rules: &Value) -> Result<Condition, FilterError> {
        let rules = rules.as_array().filter(|rules| !rules.is_empty());
        let Some(rules) = rules else {
            return refuse("a leaf needs a list of the values that match".to_owned());
        };
        Ok(Condition { place, rules: rules.iter().map(Rule::new).collect::<Result<_, _>>()? })
    }

    fn holds(&self, change: &Change) -> bool {
        let value = match &self.place {
            Place::EventName => Some(Value::String(change.event_name.clone())),
            Place::Attribute(part, name, kind) => attribute(change, *part, name, kind),
        };
        self.rules.iter().any(|rule| rule.matches(value.as_ref()))
    }
}

/// The leaf of a record, if the record has this part and attribute with this type.
fn attribute(change: &Change, part: Part, name: &str, kind: &str) -> Option<Value> {
    let text = match part {
        Part::Keys => Some(&change.keys),
        Part::NewImage => change.new_image.as_ref(),
        Part::OldImage => change.old_image.as_ref(),
    }?;
    let mut attributes: Value = serde_json::from_str(text).ok()?;
    attributes.get_mut(name)?.get_mut(kind).map(Value::take)
}

impl Rule {
    fn new(rule: &Value) -> Result<Rule, FilterError> {
        let Value::Object(operator) = rule else {
            return match rule {
                Value::String(_) | Value::Bool(_) | Value::Null => Ok(Rule::Exactly(rule.clone())),
                // A number would never match: DynamoDB's records hold numbers as text.
                _ => refuse(format!("{rule} must be a text, true, false or null")),
            };
        };
        let mut operators = operator.iter();
        match (operators.next(), operators.next()) {
            (Some((name, Value::String(prefix))), None) if name == "prefix" => Ok(Rule::Prefix(prefix.clone())),
            (Some((name, Value::Bool(exists))), None) if name == "exists" => Ok(Rule::Exists(*exists)),
            _ => refuse(format!("the runner does not know {rule}, only values, prefix and exists")),
        }
    }

    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Rule::Exactly(expected) => value == Some(expected),
            Rule::Prefix(prefix) => value.and_then(Value::as_str).is_some_and(|text| text.starts_with(prefix.as_str())),
            Rule::Exists(exists) => value.is_some() == *exists,
        }
    }
}

fn fields<'pattern>(pattern: &'pattern Value, name: &str) -> Result<&'pattern Map<String, Value>, FilterError> {
    match pattern.as_object().filter(|fields| !fields.is_empty()) {
        Some(fields) => Ok(fields),
        // Lambda's guide says of `exists` that it never matches above a leaf.
        None => refuse(format!("{name} must hold fields, down to the type of an attribute")),
    }
}

fn refuse<T>(sentence: String) -> Result<T, FilterError> {
    Err(FilterError(sentence))
}
