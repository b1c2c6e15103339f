//! An edit of an item: attributes to set, to remove and to add to. An edit sets only attributes that differ, so it
//! preserves attributes that this code does not know. While a newer version is deployed, both versions write the same
//! items.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Item, keys, number};

/// The path of an attribute: the names of the maps that contain it, then its own name.
pub(super) type Path = Vec<String>;

/// Changes of some attributes of one item. The others stay.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Edit {
    pub(super) sets: Vec<(Path, AttributeValue)>,
    /// Set only where the attribute is missing.
    pub(super) firsts: Vec<(&'static str, AttributeValue)>,
    pub(super) removes: Vec<Path>,
    /// Numbers that are added to an attribute. A missing attribute counts as 0.
    pub(super) adds: Vec<(&'static str, AttributeValue)>,
}

impl Edit {
    /// An edit that changes nothing.
    pub(super) fn new() -> Edit {
        Edit::default()
    }

    /// The edit that turns `before` into `after`. In maps, only members that differ are written. The attributes
    /// `always` are written even if they do not differ, because another write may have changed them without changing
    /// an attribute that the conditions compare.
    pub(super) fn between(before: &Item, after: &Item, always: &[&str]) -> Edit {
        let mut edit = Edit::new();
        let compared = |name: &str| ![keys::TABLE.0, keys::TABLE.1].contains(&name) && !always.contains(&name);
        edit.walk(&[], before, after, &compared);
        for name in always {
            edit = match after.get(*name) {
                Some(value) => edit.set(name, value.clone()),
                None => edit.remove(name),
            };
        }
        edit
    }

    /// Sets an attribute.
    pub(super) fn set(mut self, name: &str, value: AttributeValue) -> Edit {
        self.sets.push((vec![name.to_owned()], value));
        self
    }

    /// Sets an attribute if it is missing.
    pub(super) fn set_once(mut self, name: &'static str, value: AttributeValue) -> Edit {
        self.firsts.push((name, value));
        self
    }

    /// Sets several attributes.
    pub(super) fn set_all(mut self, attributes: impl IntoIterator<Item = (String, AttributeValue)>) -> Edit {
        self.sets.extend(attributes.into_iter().map(|(name, value)| (vec![name], value)));
        self
    }

    /// Removes an attribute if it exists.
    pub(super) fn remove(mut self, name: &str) -> Edit {
        self.removes.push(vec![name.to_owned()]);
        self
    }

    /// Adds to a number. [`super::commit`] takes care that a repeated write does not add again.
    pub(super) fn add(mut self, name: &'static str, amount: i64) -> Edit {
        self.adds.push((name, number(amount)));
        self
    }

    fn walk(&mut self, parent: &[String], before: &Item, after: &Item, compared: &dyn Fn(&str) -> bool) {
        let path = |name: &String| parent.iter().chain([name]).cloned().collect::<Path>();
        for (name, value) in after.iter().filter(|(name, _)| compared(name)) {
            match (before.get(name), value) {
                (Some(earlier), _) if earlier == value => {}
                (Some(AttributeValue::M(earlier)), AttributeValue::M(later)) => {
                    self.walk(&path(name), earlier, later, &|_| true);
                }
                _ => self.sets.push((path(name), value.clone())),
            }
        }
        let removed = before.keys().filter(|name| compared(name) && !after.contains_key(*name));
        self.removes.extend(removed.map(path));
    }
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;

    fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
        attributes.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn map<const N: usize>(members: [(&str, AttributeValue); N]) -> AttributeValue {
        AttributeValue::M(item(members))
    }

    /// The attributes that are set and removed, each sorted.
    fn shown(edit: &Edit) -> (Vec<String>, Vec<String>) {
        let mut sets: Vec<String> =
            edit.sets.iter().map(|(path, value)| format!("{} = {value:?}", path.join("."))).collect();
        let mut removes: Vec<String> = edit.removes.iter().map(|path| path.join(".")).collect();
        sets.sort();
        removes.sort();
        (sets, removes)
    }

    #[test]
    fn only_differing_attributes_are_set_or_removed() {
        let before = item([("pk", text("p")), ("same", number(1)), ("changed", number(1)), ("gone", text("x"))]);
        let after = item([("pk", text("p")), ("same", number(1)), ("changed", number(2)), ("new", text("y"))]);
        let expected = (["changed = N(\"2\")", "new = S(\"y\")"], ["gone"]);
        assert_eq!(
            shown(&Edit::between(&before, &after, &[])),
            (expected.0.map(str::to_owned).to_vec(), expected.1.map(str::to_owned).to_vec())
        );
        assert_eq!(Edit::between(&after, &after, &[]), Edit::new());
    }

    #[test]
    fn only_differing_members_of_a_map_are_written() {
        let prices = |usd: u32| map([("USD", map([("share", number(usd)), ("fixed", number(30))])), ("EUR", map([]))]);
        let edit = Edit::between(&item([("prices", prices(290))]), &item([("prices", prices(100))]), &[]);
        assert_eq!(shown(&edit), (vec!["prices.USD.share = N(\"100\")".to_owned()], vec![]));
        // If the attribute was not a map before, the whole map is written.
        let edit = Edit::between(&item([("prices", text("none"))]), &item([("prices", map([]))]), &[]);
        assert_eq!(shown(&edit), (vec!["prices = M({})".to_owned()], vec![]));
    }

    #[test]
    fn attributes_outside_the_guard_are_always_written() {
        let (before, after) = (item([("due_at", text("1")), ("asks", number(0))]), item([("due_at", text("1"))]));
        let edit = Edit::between(&before, &after, &["due_at", "due", "asks"]);
        let removed = ["asks", "due"].map(str::to_owned).to_vec();
        assert_eq!(shown(&edit), (vec!["due_at = S(\"1\")".to_owned()], removed));
    }
}
