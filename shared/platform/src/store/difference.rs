//! The difference of two states of an item. A write that sets only what differs keeps the attributes that this code does
//! not know: while a newer version is deployed, both versions work on the same items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Item, keys};

/// The parts of an update that turns one state of an item into another.
#[derive(Debug, Default)]
pub(super) struct Difference {
    sets: Vec<String>,
    removes: Vec<String>,
    /// The attributes' names by their placeholders in the expression.
    pub(super) names: HashMap<String, String>,
    /// The values by their placeholders in the expression.
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Difference {
    /// From `before` to `after`. Of a map only the members that differ are written. The attributes `always` are written
    /// even if both states are alike: another write may have changed them without changing the guard.
    pub(super) fn between(before: &Item, after: &Item, always: &[&str]) -> Difference {
        let mut difference = Difference::default();
        let known = |name: &&String| {
            ![keys::TABLE.0, keys::TABLE.1].contains(&name.as_str()) && !always.contains(&name.as_str())
        };
        difference.walk("", before, after, &known);
        for name in always {
            let path = difference.path("", name);
            match after.get(*name) {
                Some(value) => difference.set(path, value),
                None => difference.removes.push(path),
            }
        }
        difference
    }

    /// The update's expression.
    pub(super) fn expression(&self) -> String {
        let clause = |keyword: &str, parts: &[String]| {
            if parts.is_empty() { String::new() } else { format!("{keyword} {}", parts.join(", ")) }
        };
        format!("{} {}", clause("SET", &self.sets), clause("REMOVE", &self.removes)).trim().to_owned()
    }

    fn walk(&mut self, parent: &str, before: &Item, after: &Item, known: &dyn Fn(&&String) -> bool) {
        for (name, value) in after.iter().filter(|(name, _)| known(name)) {
            match (before.get(name), value) {
                (Some(earlier), _) if earlier == value => {}
                (Some(AttributeValue::M(earlier)), AttributeValue::M(later)) => {
                    let path = self.path(parent, name);
                    self.walk(&path, earlier, later, &|_| true);
                }
                _ => {
                    let path = self.path(parent, name);
                    self.set(path, value);
                }
            }
        }
        for name in before.keys().filter(|name| known(name) && !after.contains_key(*name)) {
            let path = self.path(parent, name);
            self.removes.push(path);
        }
    }

    /// The placeholder of an attribute. (Its name may be a reserved word of DynamoDB.)
    fn path(&mut self, parent: &str, name: &str) -> String {
        let placeholder = format!("#d{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        if parent.is_empty() { placeholder } else { format!("{parent}.{placeholder}") }
    }

    fn set(&mut self, path: String, value: &AttributeValue) {
        let placeholder = format!(":d{}", self.values.len());
        self.sets.push(format!("{path} = {placeholder}"));
        self.values.insert(placeholder, value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{number, text};
    use super::*;

    fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
        attributes.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn map<const N: usize>(members: [(&str, AttributeValue); N]) -> AttributeValue {
        AttributeValue::M(item(members))
    }

    /// The expression with names and values in their places, its parts sorted.
    fn shown(difference: &Difference) -> (Vec<String>, Vec<String>) {
        let mut names: Vec<_> = difference.names.iter().collect();
        // The longest first, because #d1 begins #d10 too.
        names.sort_by_key(|(placeholder, _)| std::cmp::Reverse(placeholder.len()));
        let named = |part: &String| {
            names.iter().fold(part.clone(), |part, (placeholder, name)| part.replace(placeholder.as_str(), name))
        };
        let mut sets: Vec<String> = difference
            .sets
            .iter()
            .map(|part| {
                let (path, value) = part.split_once(" = ").unwrap();
                format!("{} = {:?}", named(&path.to_owned()), difference.values[value])
            })
            .collect();
        let mut removes: Vec<String> = difference.removes.iter().map(named).collect();
        sets.sort();
        removes.sort();
        (sets, removes)
    }

    #[test]
    fn only_what_differs_is_set_or_removed() {
        let before = item([("pk", text("p")), ("same", number(1)), ("changed", number(1)), ("gone", text("x"))]);
        let after = item([("pk", text("p")), ("same", number(1)), ("changed", number(2)), ("new", text("y"))]);
        let difference = Difference::between(&before, &after, &[]);
        let expected = (["changed = N(\"2\")", "new = S(\"y\")"], ["gone"]);
        assert_eq!(
            shown(&difference),
            (expected.0.map(str::to_owned).to_vec(), expected.1.map(str::to_owned).to_vec())
        );
        assert_eq!(Difference::between(&after, &after, &[]).expression(), "");
    }

    #[test]
    fn of_a_map_only_the_members_that_differ_are_written() {
        let prices = |usd: u32| map([("USD", map([("share", number(usd)), ("fixed", number(30))])), ("EUR", map([]))]);
        let difference = Difference::between(&item([("prices", prices(290))]), &item([("prices", prices(100))]), &[]);
        assert_eq!(shown(&difference), (vec!["prices.USD.share = N(\"100\")".to_owned()], vec![]));
        // A map that was none is written as a whole.
        let difference = Difference::between(&item([("prices", text("none"))]), &item([("prices", map([]))]), &[]);
        assert_eq!(shown(&difference), (vec!["prices = M({})".to_owned()], vec![]));
    }

    #[test]
    fn what_others_move_under_the_same_guard_is_always_written() {
        let (before, after) = (item([("due_at", text("1")), ("asks", number(0))]), item([("due_at", text("1"))]));
        let difference = Difference::between(&before, &after, &["due_at", "due", "asks"]);
        let removed = ["asks", "due"].map(str::to_owned).to_vec();
        assert_eq!(shown(&difference), (vec!["due_at = S(\"1\")".to_owned()], removed));
    }
}
