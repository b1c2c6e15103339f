//! An edit of an item: what it sets, removes and adds. An edit that sets only what differs keeps the attributes that this
//! code does not know: while a newer version is deployed, both versions work on the same items.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Item, keys, number};

/// The way to an attribute: its name, or the names of the maps that hold it and then its own.
pub(super) type Path = Vec<String>;

/// Changes of some attributes of one item. The others stay.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Edit {
    pub(super) sets: Vec<(Path, AttributeValue)>,
    /// Set only where the attribute is missing.
    pub(super) firsts: Vec<(&'static str, AttributeValue)>,
    pub(super) removes: Vec<Path>,
    /// Added to the number that is there; to 0 if there is none.
    pub(super) adds: Vec<(&'static str, AttributeValue)>,
}

impl Edit {
    /// No change.
    pub(super) fn new() -> Edit {
        Edit::default()
    }

    /// Turns `before` into `after`. Of a map only the members that differ are written. The attributes `always` are written
    /// even if both states are alike: another write may have changed them without changing the guard.
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

    /// Sets an attribute that is not there yet.
    pub(super) fn set_once(mut self, name: &'static str, value: AttributeValue) -> Edit {
        self.firsts.push((name, value));
        self
    }

    /// Sets several attributes.
    pub(super) fn set_all(mut self, attributes: impl IntoIterator<Item = (String, AttributeValue)>) -> Edit {
        self.sets.extend(attributes.into_iter().map(|(name, value)| (vec![name], value)));
        self
    }

    /// Removes an attribute, if it is there.
    pub(super) fn remove(mut self, name: &str) -> Edit {
        self.removes.push(vec![name.to_owned()]);
        self
    }

    /// Adds to a number. A repetition of the write must not add again: see [`super::commit`].
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
        let gone = before.keys().filter(|name| compared(name) && !after.contains_key(*name));
        self.removes.extend(gone.map(path));
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

    /// What is set and what is removed, each sorted.
    fn shown(edit: &Edit) -> (Vec<String>, Vec<String>) {
        let mut sets: Vec<String> =
            edit.sets.iter().map(|(path, value)| format!("{} = {value:?}", path.join("."))).collect();
        let mut removes: Vec<String> = edit.removes.iter().map(|path| path.join(".")).collect();
        sets.sort();
        removes.sort();
        (sets, removes)
    }

    #[test]
    fn only_what_differs_is_set_or_removed() {
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
    fn of_a_map_only_the_members_that_differ_are_written() {
        let prices = |usd: u32| map([("USD", map([("share", number(usd)), ("fixed", number(30))])), ("EUR", map([]))]);
        let edit = Edit::between(&item([("prices", prices(290))]), &item([("prices", prices(100))]), &[]);
        assert_eq!(shown(&edit), (vec!["prices.USD.share = N(\"100\")".to_owned()], vec![]));
        // A map that was none is written as a whole.
        let edit = Edit::between(&item([("prices", text("none"))]), &item([("prices", map([]))]), &[]);
        assert_eq!(shown(&edit), (vec!["prices = M({})".to_owned()], vec![]));
    }

    #[test]
    fn what_others_move_under_the_same_guard_is_always_written() {
        let (before, after) = (item([("due_at", text("1")), ("asks", number(0))]), item([("due_at", text("1"))]));
        let edit = Edit::between(&before, &after, &["due_at", "due", "asks"]);
        let removed = ["asks", "due"].map(str::to_owned).to_vec();
        assert_eq!(shown(&edit), (vec!["due_at = S(\"1\")".to_owned()], removed));
    }
}
