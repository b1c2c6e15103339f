//! The expressions of a write, for its conditions and its changes, with their names and values. (Every name has a
//! placeholder, because an attribute's name may be a reserved word of DynamoDB.)

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use super::Item;
use super::edit::Edit;

/// A condition of a write.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// No item with this key exists.
    Absent,
    /// An item with this key exists.
    Exists,
    /// The item has the attribute.
    Has(&'static str),
    /// The item does not have the attribute.
    Lacks(&'static str),
    /// The comparison of the attribute with the value is true.
    Compares(&'static str, Comparison, AttributeValue),
    /// The item does not have the attribute, or the comparison is true. (A dot in the path leads into a map.)
    LacksOrCompares(&'static str, Comparison, AttributeValue),
    /// Every attribute of this item has the same value still, and the item has none of these other attributes.
    Unchanged(Item, BTreeSet<String>),
}

/// A comparison of an attribute with a value. Times are texts of a fixed width, so they compare as times do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Is,
    IsNot,
    Below,
    Above,
    AtLeast,
}

impl Comparison {
    fn operator(self) -> &'static str {
        match self {
            Comparison::Is => "=",
            Comparison::IsNot => "<>",
            Comparison::Below => "<",
            Comparison::Above => ">",
            Comparison::AtLeast => ">=",
        }
    }

    /// Whether the comparison is true. For a missing attribute only [`Comparison::IsNot`] is true.
    fn holds(self, found: Option<&AttributeValue>, value: &AttributeValue) -> bool {
        let Some(found) = found else { return self == Comparison::IsNot };
        let ordering = ordering(found, value);
        let is_equal = ordering == Some(Ordering::Equal) || found == value;
        match self {
            Comparison::Is => is_equal,
            Comparison::IsNot => !is_equal,
            Comparison::Below => ordering.is_some_and(Ordering::is_lt),
            Comparison::Above => ordering.is_some_and(Ordering::is_gt),
            Comparison::AtLeast => ordering.is_some_and(Ordering::is_ge),
        }
    }
}

/// The order of two whole numbers or two texts. None for other values.
fn ordering(one: &AttributeValue, other: &AttributeValue) -> Option<Ordering> {
    match (one, other) {
        (AttributeValue::N(one), AttributeValue::N(other)) => {
            Some(one.parse::<i128>().ok()?.cmp(&other.parse::<i128>().ok()?))
        }
        (AttributeValue::S(one), AttributeValue::S(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

impl Test {
    /// The attribute has this value.
    pub(super) fn is(name: &'static str, value: AttributeValue) -> Test {
        Test::Compares(name, Comparison::Is, value)
    }

    /// Whether an item passes the test, by the rules of DynamoDB. None stands for no item.
    pub(super) fn holds(&self, item: Option<&Item>) -> bool {
        let attribute = |name: &str| item.and_then(|item| item.get(name));
        match self {
            Test::Absent => item.is_none(),
            Test::Exists => item.is_some(),
            Test::Has(name) => attribute(name).is_some(),
            Test::Lacks(name) => attribute(name).is_none(),
            Test::Compares(name, comparison, value) => comparison.holds(attribute(name), value),
            Test::LacksOrCompares(path, comparison, value) => {
                let found = item.and_then(|item| at(item, path));
                found.is_none_or(|found| comparison.holds(Some(found), value))
            }
            Test::Unchanged(read, lacking) => {
                read.iter().all(|(name, value)| Comparison::Is.holds(attribute(name), value))
                    && lacking.iter().all(|name| attribute(name).is_none())
            }
        }
    }
}

/// The attribute to which the path leads, where each dot leads into a map.
fn at<'item>(item: &'item Item, path: &str) -> Option<&'item AttributeValue> {
    match path.split_once('.') {
        Some((map, rest)) => at(item.get(map)?.as_m().ok()?, rest),
        None => item.get(path),
    }
}

/// The names and values of one write's expressions.
#[derive(Debug, Default)]
pub(super) struct Expression {
    names: HashMap<String, String>,
    values: Item,
}

impl Expression {
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn path<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> String {
        names.into_iter().map(|name| self.name(name)).collect::<Vec<_>>().join(".")
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// The condition that all tests hold. None if `tests` is empty.
    pub(super) fn condition(&mut self, tests: Vec<Test>) -> Option<String> {
        let all: Vec<String> = tests.into_iter().map(|test| self.test(test)).collect();
        (!all.is_empty()).then(|| all.join(" AND "))
    }

    fn test(&mut self, test: Test) -> String {
        match test {
            Test::Absent => "attribute_not_exists(pk)".to_owned(),
            Test::Exists => "attribute_exists(pk)".to_owned(),
            Test::Has(name) => format!("attribute_exists({})", self.name(name)),
            Test::Lacks(name) => format!("attribute_not_exists({})", self.name(name)),
            Test::Compares(name, comparison, value) => {
                format!("{} {} {}", self.name(name), comparison.operator(), self.value(value))
            }
            Test::LacksOrCompares(path, comparison, value) => {
                let path = self.path(path.split('.'));
                format!("(attribute_not_exists({path}) OR {path} {} {})", comparison.operator(), self.value(value))
            }
            Test::Unchanged(read, lacking) => {
                let equal = read.into_iter();
                let mut all: Vec<String> =
                    equal.map(|(name, value)| format!("{} = {}", self.name(&name), self.value(value))).collect();
                all.extend(lacking.iter().map(|name| format!("attribute_not_exists({})", self.name(name))));
                all.join(" AND ")
            }
        }
    }

    /// The edit as an update expression.
    pub(super) fn update(&mut self, edit: Edit) -> String {
        let path = |path: &[String], expression: &mut Expression| expression.path(path.iter().map(String::as_str));
        let sets = edit.sets.into_iter().map(|(to, value)| format!("{} = {}", path(&to, self), self.value(value)));
        let mut sets: Vec<String> = sets.collect();
        for (name, value) in edit.firsts {
            let (name, value) = (self.name(name), self.value(value));
            sets.push(format!("{name} = if_not_exists({name}, {value})"));
        }
        let removes: Vec<String> = edit.removes.iter().map(|from| path(from, self)).collect();
        let adds = edit.adds.into_iter().map(|(name, amount)| format!("{} {}", self.name(name), self.value(amount)));
        let clauses = [("SET", sets), ("REMOVE", removes), ("ADD", adds.collect())].into_iter();
        let clauses = clauses.filter(|(_, parts)| !parts.is_empty());
        clauses.map(|(keyword, parts)| format!("{keyword} {}", parts.join(", "))).collect::<Vec<_>>().join(" ")
    }

    /// The names by their placeholders. None if no name is used: DynamoDB refuses an empty map.
    pub(super) fn names(&mut self) -> Option<HashMap<String, String>> {
        Some(std::mem::take(&mut self.names)).filter(|names| !names.is_empty())
    }

    /// The values by their placeholders. None if no value is used.
    pub(super) fn values(&mut self) -> Option<Item> {
        Some(std::mem::take(&mut self.values)).filter(|values| !values.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{number, text};
    use super::*;

    #[test]
    fn an_update_has_each_clause_once_and_no_empty_clause() {
        let edit = Edit::new().set("status", text("paid")).remove("due").remove("due_at").add("refundable", -5);
        let mut expression = Expression::default();
        assert_eq!(expression.update(edit), "SET #0 = :0 REMOVE #1, #2 ADD #3 :1");
        assert_eq!(expression.values.get(":1"), Some(&number(-5)));
        assert_eq!(Expression::default().update(Edit::new().remove("due")), "REMOVE #0");
    }

    #[test]
    fn a_condition_joins_all_tests_and_splits_paths() {
        let above = Test::LacksOrCompares("revocation.revoked_at", Comparison::Above, text("1"));
        let mut expression = Expression::default();
        let condition = expression.condition(vec![Test::Exists, Test::is("version", number(2)), above]).unwrap();
        assert_eq!(condition, "attribute_exists(pk) AND #0 = :0 AND (attribute_not_exists(#1.#2) OR #1.#2 > :1)");
        assert_eq!(Expression::default().condition(Vec::new()), None);
    }

    #[test]
    fn an_item_with_an_added_attribute_is_changed() {
        let read = Item::from([("pk".to_owned(), text("p"))]);
        let lacking = BTreeSet::from(["revocation".to_owned(), "revoked_by".to_owned()]);
        let unchanged = Test::Unchanged(read.clone(), lacking);
        let mut revoked = read.clone();
        revoked.insert("revocation".to_owned(), text("2026-02-01"));
        assert!(unchanged.holds(Some(&read)) && !unchanged.holds(Some(&revoked)) && !unchanged.holds(None));
        let condition = Expression::default().condition(vec![unchanged]).unwrap();
        assert_eq!(condition, "#0 = :0 AND attribute_not_exists(#1) AND attribute_not_exists(#2)");
    }

    #[test]
    fn a_test_holds_by_the_rules_of_dynamodb() {
        let number = |value: &str| AttributeValue::N(value.to_owned());
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let compares = |comparison, value| Test::Compares("version", comparison, value);
        let inner = Item::from([("at".to_owned(), text("2026-01-31"))]);
        let item = Item::from([
            ("pk".to_owned(), text("p")),
            ("version".to_owned(), number("10")),
            ("revoked".to_owned(), AttributeValue::M(inner)),
        ]);
        let later = |path| Test::LacksOrCompares(path, Comparison::Above, text("2026-01-30"));
        let earlier = |path| Test::LacksOrCompares(path, Comparison::Below, text("2026-01-30"));
        // The test, whether it holds for the item, and whether it holds without an item.
        for (test, with_item, without_item) in [
            (Test::Absent, false, true),
            (Test::Exists, true, false),
            (Test::Has("version"), true, false),
            (Test::Has("other"), false, false),
            (Test::Lacks("version"), false, true),
            (Test::Lacks("other"), true, true),
            (compares(Comparison::Is, number("10")), true, false),
            (compares(Comparison::Is, number("9")), false, false),
            (compares(Comparison::Is, text("10")), false, false),
            (compares(Comparison::IsNot, number("9")), true, true),
            (compares(Comparison::IsNot, number("10")), false, true),
            // Numbers compare by value, not by digits.
            (compares(Comparison::Above, number("9")), true, false),
            (compares(Comparison::Above, number("10")), false, false),
            (compares(Comparison::AtLeast, number("10")), true, false),
            (compares(Comparison::AtLeast, number("11")), false, false),
            (compares(Comparison::Below, number("11")), true, false),
            (compares(Comparison::Below, number("10")), false, false),
            (Test::is("revoked", item["revoked"].clone()), true, false),
            (later("revoked.at"), true, true),
            (earlier("revoked.at"), false, true),
            (earlier("revoked.by"), true, true),
            (earlier("other.at"), true, true),
        ] {
            assert_eq!((test.holds(Some(&item)), test.holds(None)), (with_item, without_item), "{test:?}");
        }
    }
}
