//! Records which parts of a role were used.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::policy::{Access, Allowed, LeadingKeys, Role, is_like};

/// Services whose calls the runner does not see.
const NOT_SEEN: [&str; 2] = ["logs:", "xray:"];

/// The used and refused accesses of a function.
#[derive(Debug, Default)]
pub struct Used {
    /// Allowed accesses: statement, action and resource pattern.
    actions: BTreeSet<(usize, String, String)>,
    /// Statements and their patterns of leading keys that a key has matched.
    keys: BTreeSet<(usize, String)>,
    /// Refused accesses: action and resource.
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

    /// The allowed, used and refused accesses, each as a list of texts.
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
