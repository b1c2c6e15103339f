//! Decides what a role allows, as IAM does: a call is denied unless one statement allows all of it.

/// The allowing statements of an `AWS::IAM::Role`.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// Its name on AWS.
    pub name: String,
    pub statements: Vec<Statement>,
}

/// One statement of a role's policies.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Actions without patterns, as `dynamodb:PutItem`.
    pub actions: Vec<String>,
    /// Patterns of ARNs.
    pub resources: Vec<String>,
    /// Patterns of `dynamodb:LeadingKeys` under `ForAllValues:StringLike`. `None` if the statement has no condition.
    pub leading_keys: Option<Vec<String>>,
}

/// A need of a call: an action on a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    pub action: String,
    /// The ARN.
    pub resource: String,
    pub leading_keys: LeadingKeys,
}

/// The partition keys in a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeadingKeys {
    /// All of them. Empty for a call without partition keys.
    Known(Vec<String>),
    /// The runner cannot read the keys from the call.
    Unknown,
}

/// The statement that allows an access, and the parts of it that matched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowed<'a> {
    /// The statement's index in the role.
    pub statement: usize,
    /// The action as the statement writes it.
    pub action: &'a str,
    /// The pattern that the resource matches.
    pub resource: &'a str,
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)?;
        match &self.leading_keys {
            LeadingKeys::Known(keys) if keys.is_empty() => Ok(()),
            LeadingKeys::Known(keys) => write!(f, " with the keys {}", keys.join(", ")),
            LeadingKeys::Unknown => write!(f, " with keys that the runner can't read from the call"),
        }
    }
}

impl Access {
    /// An access without partition keys.
    pub fn new(action: &str, resource: &str) -> Self {
        let leading_keys = LeadingKeys::Known(Vec::new());
        Self { action: action.to_owned(), resource: resource.to_owned(), leading_keys }
    }
}

impl Role {
    /// A role of this name that allows nothing.
    pub fn bare(name: &str) -> Self {
        Self { name: name.to_owned(), statements: Vec::new() }
    }

    /// The first statement that allows this access. Statements do not add up: all keys must match
    /// patterns of the same statement.
    pub fn allows(&self, access: &Access) -> Option<Allowed<'_>> {
        self.statements.iter().enumerate().find_map(|(statement, each)| {
            let (action, resource) = each.allows(access)?;
            Some(Allowed { statement, action, resource })
        })
    }
}

impl Statement {
    /// The action and the resource pattern that match, if the statement allows this access.
    fn allows(&self, access: &Access) -> Option<(&str, &str)> {
        // Only actions are compared without case.
        let action = self.actions.iter().find(|action| action.eq_ignore_ascii_case(&access.action))?;
        let resource = self.resources.iter().find(|pattern| is_like(&access.resource, pattern))?;
        self.keys_match(&access.leading_keys).then_some((action, resource))
    }

    fn keys_match(&self, keys: &LeadingKeys) -> bool {
        match (&self.leading_keys, keys) {
            (None, _) => true,
            // `ForAllValues` holds without values, as in a Scan.
            (Some(patterns), LeadingKeys::Known(keys)) => {
                keys.iter().all(|key| patterns.iter().any(|pattern| is_like(key, pattern)))
            }
            (Some(_), LeadingKeys::Unknown) => false,
        }
    }
}

/// IAM's `StringLike`: `*` stands for any characters or none, `?` for one.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut in_pattern) = (0, 0);
    // The index of the last `*`, and the end of the text that it matches so far.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match (pattern.get(in_pattern), star) {
            (Some('*'), _) => {
                star = Some((in_pattern, at));
                in_pattern += 1;
            }
            (Some(&one), _) if one == '?' || one == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            (_, Some((begin, reach))) => {
                star = Some((begin, reach + 1));
                at = reach + 1;
                in_pattern = begin + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[in_pattern..].iter().all(|one| *one == '*')
}
