//! Resolves CloudFormation's intrinsic functions: those that the template uses, no others.

use std::collections::BTreeMap;

use serde_json::Value;

use super::TemplateError;
use super::node::{Kind, Node};

/// What names in the template stand for.
pub(super) struct Scope<'a> {
    /// Parameters and pseudo parameters.
    pub parameters: BTreeMap<String, Value>,
    /// The section `Conditions`.
    pub conditions: Option<&'a Node>,
    /// What `Ref` and `Fn::GetAtt` give for each resource.
    pub resources: BTreeMap<String, Attributes>,
}

/// What a resource gives to those that refer to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes {
    /// What `Ref` gives.
    pub reference: String,
    /// What `Fn::GetAtt` gives, by attribute.
    pub named: BTreeMap<String, String>,
}

impl Scope<'_> {
    /// `node` with every intrinsic replaced by its value. `None`: it is `AWS::NoValue`.
    pub fn resolve(&self, node: &Node) -> Result<Option<Node>, TemplateError> {
        if let Some((name, argument)) = node.single()
            && (name == "Ref" || name == "Condition" || name.starts_with("Fn::"))
        {
            return self.call(name, argument);
        }
        let kind = match &node.kind {
            Kind::Scalar(_) => return Ok(Some(node.clone())),
            Kind::List(items) => {
                let items = items.iter().map(|item| self.resolve(item));
                Kind::List(items.filter_map(Result::transpose).collect::<Result<_, _>>()?)
            }
            Kind::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| Ok(self.resolve(value)?.map(|value| (key.clone(), value))));
                Kind::Map(entries.filter_map(Result::transpose).collect::<Result<_, _>>()?)
            }
        };
        Ok(Some(Node { line: node.line, kind }))
    }

    /// Whether the condition of this name holds.
    pub fn condition(&self, name: &Node) -> Result<bool, TemplateError> {
        let key = name.string()?;
        let condition = self.conditions.and_then(|all| all.get(&key));
        let condition = condition.ok_or_else(|| name.error(format!("there is no condition {key}")))?;
        self.value(condition)?.boolean()
    }

    fn call(&self, name: &str, argument: &Node) -> Result<Option<Node>, TemplateError> {
        let line = argument.line;
        let text = |text: String| Ok(Some(Node::text(line, text)));
        let truth = |truth: bool| Ok(Some(Node::scalar(line, Value::Bool(truth))));
        match name {
            "Ref" => self.reference(argument),
            "Fn::GetAtt" => text(self.attribute(argument)?),
            "Fn::Sub" => text(self.substitute(argument)?),
            "Fn::If" => {
                let [condition, then, otherwise] = arguments(argument)?;
                let chosen = if self.condition(condition)? { then } else { otherwise };
                self.resolve(chosen)
            }
            "Condition" => truth(self.condition(argument)?),
            "Fn::Equals" => {
                let [left, right] = arguments(argument)?;
                truth(self.value(left)?.string()? == self.value(right)?.string()?)
            }
            "Fn::Not" => {
                let [condition] = arguments(argument)?;
                truth(!self.value(condition)?.boolean()?)
            }
            "Fn::Join" => {
                let [separator, list] = arguments(argument)?;
                let list = self.value(list)?;
                let parts = list.items()?.iter().map(Node::string);
                text(parts.collect::<Result<Vec<_>, _>>()?.join(&separator.string()?))
            }
            "Fn::Split" => {
                let [separator, whole] = arguments(argument)?;
                let whole = self.value(whole)?.string()?;
                let separator = separator.string()?;
                let parts = whole.split(&separator).map(|part| Node::text(line, part));
                Ok(Some(Node { line, kind: Kind::List(parts.collect()) }))
            }
            "Fn::Select" => {
                let [index, list] = arguments(argument)?;
                let list = self.value(list)?;
                let item = list.items()?.get(index.number::<usize>()?).cloned();
                item.map(Some).ok_or_else(|| index.error("the list has no such item"))
            }
            other => Err(argument.error(format!("the runner does not know {other}"))),
        }
    }

    /// A resolved value where `AWS::NoValue` makes no sense.
    fn value(&self, node: &Node) -> Result<Node, TemplateError> {
        self.resolve(node)?.ok_or_else(|| node.error("AWS::NoValue cannot stand here"))
    }

    fn reference(&self, argument: &Node) -> Result<Option<Node>, TemplateError> {
        let name = argument.string()?;
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        let value = self.named(&name);
        let value = value.ok_or_else(|| argument.error(format!("there is nothing named {name}")));
        Ok(Some(Node::scalar(argument.line, value?)))
    }

    fn named(&self, name: &str) -> Option<Value> {
        // SAM's `Api.Stage` is a resource that SAM makes of the API.
        let base = name.strip_suffix(".Stage").unwrap_or(name);
        self.parameters.get(name).cloned().or_else(|| {
            let resource = self.resources.get(base)?;
            let stage = resource.named.get("Stage").filter(|_| base != name);
            Some(Value::from(stage.unwrap_or(&resource.reference).as_str()))
        })
    }

    fn attribute(&self, argument: &Node) -> Result<String, TemplateError> {
        let (resource, attribute) = match &argument.kind {
            Kind::List(_) => {
                let [resource, attribute] = arguments(argument)?;
                (resource.string()?, attribute.string()?)
            }
            _ => {
                let whole = argument.string()?;
                let parts = whole.split_once('.');
                let parts = parts.map(|(a, b)| (a.to_owned(), b.to_owned()));
                parts.ok_or_else(|| argument.error("write it as Resource.Attribute"))?
            }
        };
        self.attribute_of(&resource, &attribute)
            .ok_or_else(|| argument.error(format!("there is no {resource}.{attribute}")))
    }

    fn attribute_of(&self, resource: &str, attribute: &str) -> Option<String> {
        self.resources.get(resource)?.named.get(attribute).cloned()
    }

    fn substitute(&self, argument: &Node) -> Result<String, TemplateError> {
        let (template, own) = match &argument.kind {
            Kind::List(_) => {
                let [template, own] = arguments(argument)?;
                (template.string()?, Some(self.value(own)?))
            }
            _ => (argument.string()?, None),
        };
        let mut whole = String::new();
        let mut rest = template.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            whole.push_str(before);
            let (name, after) = after.split_once('}').ok_or_else(|| argument.error("a ${ is never closed"))?;
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                whole.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let value = match own.as_ref().and_then(|own| own.get(name)) {
                Some(value) => Some(value.string()?),
                None => self.substitution(name),
            };
            let value = value.ok_or_else(|| argument.error(format!("there is nothing named {name}")));
            whole.push_str(&value?);
        }
        whole.push_str(rest);
        Ok(whole)
    }

    fn substitution(&self, name: &str) -> Option<String> {
        match self.named(name) {
            Some(Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
            None => {
                let (resource, attribute) = name.split_once('.')?;
                self.attribute_of(resource, attribute)
            }
        }
    }
}

/// The arguments of an intrinsic that takes `N` of them.
fn arguments<const N: usize>(node: &Node) -> Result<&[Node; N], TemplateError> {
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    items.try_into().map_err(|_| node.error(format!("{N} arguments are expected here")))
}
