//! Evaluates the template's `Conditions`, which know parameters only.

use std::collections::BTreeMap;

use super::TemplateError;
use super::intrinsics::Scope;
use super::node::Node;
use super::passed_over::only;
use super::resources::required;

/// The truth of each condition. `scope` has the parameters.
pub(super) fn read(document: &Node, scope: &Scope) -> Result<BTreeMap<String, bool>, TemplateError> {
    let Some(conditions) = document.get("Conditions") else {
        return Ok(BTreeMap::new());
    };
    let reader = Reader { conditions, scope };
    let named = conditions.entries()?.iter();
    named.map(|(name, node)| Ok((name.clone(), reader.holds(node, &[name])?))).collect()
}

/// Refuses parameters that do not go together: what `Rules` assert of them.
pub(super) fn check_rules(document: &Node, scope: &Scope) -> Result<(), TemplateError> {
    let Some(rules) = document.get("Rules") else {
        return Ok(());
    };
    // A rule can't refer to a condition.
    let reader = Reader { conditions: &Node::empty_map(rules.line), scope };
    for (_, rule) in rules.entries()? {
        only(rule, &["RuleCondition", "Assertions"])?;
        let assertions = required(rule, "Assertions")?.items()?;
        assertions.iter().try_for_each(|assertion| only(assertion, &["Assert", "AssertDescription"]))?;
        if !rule.get("RuleCondition").map_or(Ok(true), |condition| reader.holds(condition, &[]))? {
            continue;
        }
        for assertion in assertions {
            if !reader.holds(required(assertion, "Assert")?, &[])? {
                return Err(assertion.error(required(assertion, "AssertDescription")?.string()?));
            }
        }
    }
    Ok(())
}

struct Reader<'a> {
    conditions: &'a Node,
    scope: &'a Scope,
}

impl Reader<'_> {
    /// Whether the condition `node` holds, which is part of these.
    fn holds(&self, node: &Node, within: &[&str]) -> Result<bool, TemplateError> {
        let Some((function, argument)) = node.intrinsic() else {
            return Err(node.error("a condition is expected here"));
        };
        match function {
            "Fn::Equals" => match argument.items()? {
                [left, right] => Ok(self.scope.resolve(left)?.string()? == self.scope.resolve(right)?.string()?),
                _ => Err(argument.error("Fn::Equals compares two values")),
            },
            "Fn::Not" => match argument.items()? {
                [one] => Ok(!self.holds(one, within)?),
                _ => Err(argument.error("Fn::Not takes one condition")),
            },
            "Fn::And" => Ok(self.several(argument, within)?.into_iter().all(|holds| holds)),
            "Fn::Or" => Ok(self.several(argument, within)?.into_iter().any(|holds| holds)),
            "Condition" => {
                let name = argument.string()?;
                if within.contains(&name.as_str()) {
                    return Err(argument.error(format!("{name} depends on itself")));
                }
                let node = required(self.conditions, &name)
                    .map_err(|_| argument.error(format!("there is no condition {name}")))?;
                self.holds(node, &[within, &[&name]].concat())
            }
            other => Err(argument.error(format!("{other} is no condition"))),
        }
    }

    /// All are looked at, so that what is wrong with one is told whatever the others say.
    fn several(&self, argument: &Node, within: &[&str]) -> Result<Vec<bool>, TemplateError> {
        let items = argument.items()?;
        if !(2..=10).contains(&items.len()) {
            return Err(argument.error("from 2 to 10 conditions are expected here"));
        }
        items.iter().map(|item| self.holds(item, within)).collect()
    }
}
