//! Resolves CloudFormation's intrinsic functions: those that the template uses, no others.

use std::collections::{BTreeMap, BTreeSet};

use super::TemplateError;
use super::node::{Kind, Node};

/// What stands for the absence of a value.
const NO_VALUE: &str = "AWS::NoValue";

/// What names in the template stand for.
#[derive(Default)]
pub(super) struct Scope {
    /// Parameters and pseudo parameters.
    pub parameters: BTreeMap<String, String>,
    /// Whether each condition holds.
    pub conditions: BTreeMap<String, bool>,
    /// What `Ref` and `Fn::GetAtt` give for each resource.
    pub resources: BTreeMap<String, Attributes>,
    /// The resources that their condition leaves out.
    pub left_out: BTreeSet<String>,
}

/// What a resource gives to those that refer to it.
#[derive(Default)]
pub(super) struct Attributes {
    /// What `Ref` gives.
    pub reference: String,
    /// What `Fn::GetAtt` gives, by attribute.
    pub named: BTreeMap<String, String>,
}

impl Scope {
    /// `node` with every intrinsic replaced by its value. An entry or item without a value (`AWS::NoValue`) is left out.
    pub fn resolve(&self, node: &Node) -> Result<Node, TemplateError> {
        self.value(node)?.ok_or_else(|| node.error("there must be a value here"))
    }

    /// Whether the condition that `name` names holds.
    pub fn holds(&self, name: &Node) -> Result<bool, TemplateError> {
        let condition = name.string()?;
        let holds = self.conditions.get(&condition).copied();
        holds.ok_or_else(|| name.error(format!("there is no condition {condition}")))
    }

    fn value(&self, node: &Node) -> Result<Option<Node>, TemplateError> {
        if let Some((name, argument)) = node.intrinsic() {
            return self.call(name, argument);
        }
        let kind = match &node.kind {
            Kind::Scalar(_) => return Ok(Some(node.clone())),
            Kind::List(items) => {
                let items = items.iter().filter_map(|item| self.value(item).transpose());
                Kind::List(items.collect::<Result<_, _>>()?)
            }
            Kind::Map(entries) => {
                let entries = entries.iter().filter_map(|(key, value)| {
                    let value = self.value(value).transpose()?;
                    Some(value.map(|value| (key.clone(), value)))
                });
                Kind::Map(entries.collect::<Result<_, _>>()?)
            }
        };
        Ok(Some(Node { line: node.line, kind }))
    }

    fn call(&self, function: &str, argument: &Node) -> Result<Option<Node>, TemplateError> {
        let text = match function {
            "Fn::If" => return self.choose(argument),
            "Ref" => {
                let name = argument.string()?;
                if name == NO_VALUE {
                    return Ok(None);
                }
                self.reference(&name).ok_or_else(|| self.nothing(argument, &name))?
            }
            "Fn::GetAtt" => {
                let name = argument.string()?;
                self.attribute(&name).ok_or_else(|| self.nothing(argument, &name))?
            }
            "Fn::Sub" => self.substitute(argument)?,
            "Fn::Join" => self.join(argument)?,
            other => return Err(argument.error(format!("the runner does not know {other}"))),
        };
        Ok(Some(Node::text(argument.line, text)))
    }

    fn choose(&self, argument: &Node) -> Result<Option<Node>, TemplateError> {
        let [condition, then, otherwise] = argument.items()? else {
            return Err(argument.error("Fn::If takes a condition and two values"));
        };
        self.value(if self.holds(condition)? { then } else { otherwise })
    }

    fn join(&self, argument: &Node) -> Result<String, TemplateError> {
        let [delimiter, values] = argument.items()? else {
            return Err(argument.error("Fn::Join takes a delimiter and a list"));
        };
        let values = self.resolve(values)?;
        let values = values.items()?.iter().map(Node::string);
        Ok(values.collect::<Result<Vec<_>, _>>()?.join(&delimiter.string()?))
    }

    fn reference(&self, name: &str) -> Option<String> {
        // `Api.Stage` and `Function.Alias` are resources that SAM makes of these. Here an alias is the function itself.
        if name.ends_with(".Stage") || name.ends_with(".Alias") {
            return self.attribute(name);
        }
        let resource = || self.resources.get(name).map(|resource| resource.reference.clone());
        self.parameters.get(name).cloned().or_else(resource)
    }

    /// The value of `Resource.Attribute`.
    fn attribute(&self, name: &str) -> Option<String> {
        let (resource, attribute) = name.split_once('.')?;
        self.resources.get(resource)?.named.get(attribute).cloned()
    }

    fn substitute(&self, argument: &Node) -> Result<String, TemplateError> {
        let template = argument.string()?;
        let mut whole = String::new();
        let mut rest = template.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            whole.push_str(before);
            let (name, after) = after.split_once('}').ok_or_else(|| argument.error("a ${ is never closed"))?;
            let value = self.reference(name).or_else(|| self.attribute(name));
            whole.push_str(&value.ok_or_else(|| self.nothing(argument, name))?);
            rest = after;
        }
        whole.push_str(rest);
        Ok(whole)
    }

    fn nothing(&self, argument: &Node, name: &str) -> TemplateError {
        let resource = name.split('.').next().unwrap_or(name);
        if self.left_out.contains(resource) {
            return argument.error(format!("{resource} is left out by its condition"));
        }
        argument.error(format!("there is nothing named {name}"))
    }
}
