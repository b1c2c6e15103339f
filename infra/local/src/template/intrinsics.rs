//! Resolves CloudFormation's intrinsic functions: those that the template uses, no others.

use std::collections::BTreeMap;

use super::TemplateError;
use super::node::{Kind, Node};

/// What names in the template stand for.
#[derive(Default)]
pub(super) struct Scope {
    /// Parameters and pseudo parameters.
    pub parameters: BTreeMap<String, String>,
    /// What `Ref` and `Fn::GetAtt` give for each resource.
    pub resources: BTreeMap<String, Attributes>,
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
    /// `node` with every intrinsic replaced by its value.
    pub fn resolve(&self, node: &Node) -> Result<Node, TemplateError> {
        if let Some((name, argument)) = node.intrinsic() {
            let value = self.call(name, argument)?;
            return Ok(Node::text(argument.line, value));
        }
        let kind = match &node.kind {
            Kind::Scalar(_) => return Ok(node.clone()),
            Kind::List(items) => Kind::List(items.iter().map(|item| self.resolve(item)).collect::<Result<_, _>>()?),
            Kind::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((key.clone(), self.resolve(value)?)));
                Kind::Map(entries.collect::<Result<_, TemplateError>>()?)
            }
        };
        Ok(Node { line: node.line, kind })
    }

    fn call(&self, name: &str, argument: &Node) -> Result<String, TemplateError> {
        match name {
            "Ref" => {
                let name = argument.string()?;
                self.reference(&name).ok_or_else(|| argument.error(format!("there is nothing named {name}")))
            }
            "Fn::GetAtt" => {
                let name = argument.string()?;
                self.attribute(&name).ok_or_else(|| argument.error(format!("there is no {name}")))
            }
            "Fn::Sub" => self.substitute(argument),
            other => Err(argument.error(format!("the runner does not know {other}"))),
        }
    }

    fn reference(&self, name: &str) -> Option<String> {
        // SAM's `Api.Stage` is a resource that SAM makes of the API.
        if name.ends_with(".Stage") {
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
            whole.push_str(&value.ok_or_else(|| argument.error(format!("there is nothing named {name}")))?);
            rest = after;
        }
        whole.push_str(rest);
        Ok(whole)
    }
}
