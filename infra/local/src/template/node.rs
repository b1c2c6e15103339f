//! A YAML value that remembers its line, with CloudFormation's short tags made long.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_json::Value;

use super::TemplateError;

/// A value of the template and the line where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// 1-based.
    pub line: usize,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    List(Vec<Node>),
    /// In the template's order.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Reads one YAML document. `!Ref x` becomes `{Ref: x}`, `!Sub x` becomes `{Fn::Sub: x}`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let documents =
            MarkedYaml::load_from_str(text).map_err(|error| TemplateError::new(error.marker().line(), error.info()))?;
        let [document] = documents.as_slice() else {
            return Err(TemplateError::new(1, "the template is not one YAML document"));
        };
        convert(document)
    }

    pub fn text(line: usize, text: impl Into<String>) -> Self {
        Self { line, kind: Kind::Scalar(Value::String(text.into())) }
    }

    pub fn empty_map(line: usize) -> Self {
        Self { line, kind: Kind::Map(Vec::new()) }
    }

    /// The value under `key`, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The value under a dotted path of keys, as `Environment.Variables`.
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// The only entry of a map with one entry.
    pub fn single(&self) -> Option<(&str, &Self)> {
        match &self.kind {
            Kind::Map(entries) => match entries.as_slice() {
                [(key, value)] => Some((key, value)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The name and the argument of an intrinsic function.
    pub fn intrinsic(&self) -> Option<(&str, &Self)> {
        self.single().filter(|(name, _)| matches!(*name, "Ref" | "Condition") || name.starts_with("Fn::"))
    }

    /// The entries of a map.
    pub fn entries(&self) -> Result<&[(String, Self)], TemplateError> {
        match &self.kind {
            Kind::Map(entries) => Ok(entries),
            _ => Err(self.error("a mapping is expected here")),
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Result<&[Self], TemplateError> {
        match &self.kind {
            Kind::List(items) => Ok(items),
            _ => Err(self.error("a list is expected here")),
        }
    }

    /// A string, or a number or boolean written as CloudFormation would.
    pub fn string(&self) -> Result<String, TemplateError> {
        match &self.kind {
            Kind::Scalar(Value::String(text)) => Ok(text.clone()),
            Kind::Scalar(value @ (Value::Bool(_) | Value::Number(_))) => Ok(value.to_string()),
            _ => Err(self.error("a string is expected here")),
        }
    }

    /// A whole number; parameters make it arrive as a string.
    pub fn number<T: TryFrom<i64>>(&self) -> Result<T, TemplateError> {
        let text = self.string()?;
        let number = text.parse::<i64>().ok().and_then(|n| T::try_from(n).ok());
        number.ok_or_else(|| self.error(format!("{text} is not a whole number in range")))
    }

    /// A boolean; parameters make it arrive as a string.
    pub fn boolean(&self) -> Result<bool, TemplateError> {
        match self.string()?.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(self.error(format!("{other} is neither true nor false"))),
        }
    }

    /// The same as JSON, without lines.
    pub fn json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::json).collect(),
            Kind::Map(entries) => Value::Object(entries.iter().map(|(k, v)| (k.clone(), v.json())).collect()),
        }
    }

    pub fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError::new(self.line, message)
    }
}

fn convert(yaml: &MarkedYaml<'_>) -> Result<Node, TemplateError> {
    let line = yaml.span.start.line();
    let kind = match &yaml.data {
        YamlData::Value(scalar) => Kind::Scalar(match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => Value::Bool(*value),
            Scalar::Integer(value) => Value::from(*value),
            Scalar::FloatingPoint(value) => Value::from(value.into_inner()),
            Scalar::String(value) => Value::from(value.as_ref()),
        }),
        YamlData::Sequence(items) => Kind::List(items.iter().map(convert).collect::<Result<_, _>>()?),
        YamlData::Mapping(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let key = convert(key)?.string()?;
                Ok((key, convert(value)?))
            });
            Kind::Map(entries.collect::<Result<_, TemplateError>>()?)
        }
        YamlData::Tagged(tag, inner) => {
            // The reader gives a tagged scalar no place of its own.
            let inner = Node { line, ..convert(inner)? };
            let name = match (tag.handle.as_str(), tag.suffix.as_str()) {
                ("!", name @ ("Ref" | "Condition")) => name.to_owned(),
                ("!", name) => format!("Fn::{name}"),
                _ => return Err(TemplateError::new(line, format!("unknown tag {tag}"))),
            };
            return Ok(Node { line: inner.line, kind: Kind::Map(vec![(name, inner)]) });
        }
        YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {
            return Err(TemplateError::new(line, "this YAML cannot be read"));
        }
    };
    Ok(Node { line, kind })
}
