//! What of each role has been made use of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::role::{Access, Allowed, LeadingKeys, Role, is_like};

/// Services whose calls are not seen here: the platform makes them.
const NOT_SEEN: [&str; 2] = ["logs:", "xray:"];

/// What a function has done with its role.
#[derive(Debug, Default)]
pub struct Used {
    /// What was allowed: the statement, and in it the action and the resource's pattern.
    actions: BTreeSet<(usize, String, String)>,
    /// Patterns of leading keys that a key has matched, each with its statement.
    keys: BTreeSet<(usize, String)>,
    /// What was refused: the action and the resource.
    refused: BTreeSet<(String, String)>,
}

impl Used {
    pub fn allowed(&mut self, role: &Role, access: &Access, allowed: Allowed<'_>) {
        let Some(statement) = role.statements.get(allowed.statement) else {
            return;
        };
        self.actions.insert((allowed.statement, allowed.action.to_owned(), allowed.resource.to_owned()));
        let LeadingKeys::Known(keys) = &access.leading_keys else {
            return;
        };
        for pattern in statement.leading_keys.iter().flatten() {
            if keys.iter().any(|key| is_like(key, pattern)) {
                self.keys.insert((allowed.statement, pattern.clone()));
            }
        }
    }

    pub fn refused(&mut self, access: &Access) {
        self.refused.insert((access.action.clone(), access.resource.clone()));
    }

    /// What the role allows, what of it was used, and what was refused; each a list of sentences without a verb.
    pub fn report(&self, role: &Role) -> Value {
        let mut allowed = BTreeMap::new();
        for (place, statement) in role.statements.iter().enumerate() {
            let actions =
                statement.actions.iter().filter(|action| !NOT_SEEN.iter().any(|seen| action.starts_with(seen)));
            for action in actions {
                for resource in &statement.resources {
                    let used = self.actions.contains(&(place, action.clone(), resource.clone()));
                    allowed.insert(format!("{action} on {resource}, statement {place}"), used);
                }
            }
            for pattern in statement.leading_keys.iter().flatten() {
                let used = self.keys.contains(&(place, pattern.clone()));
                allowed.insert(format!("the key {pattern}, statement {place}"), used);
            }
        }
        let used: Vec<&String> = allowed.iter().filter(|(_, used)| **used).map(|(what, _)| what).collect();
        let refused = self.refused.iter().map(|(action, resource)| format!("{action} on {resource}"));
        json!({"allowed": allowed.keys().collect::<Vec<_>>(), "used": used, "refused": refused.collect::<Vec<_>>()})
    }
}
