//! Reads the parameters: what the environment sets, held against what the template allows.

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::node::Node;
use super::passed_over::only_of;
use super::resources::required;
use super::{Surroundings, TemplateError, variable_name};
use crate::arn::ACCOUNT;

/// The value of each parameter and pseudo parameter.
pub(super) fn read(document: &Node, around: &Surroundings<'_>) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut values: BTreeMap<String, String> = [
        ("AWS::AccountId", ACCOUNT),
        ("AWS::Partition", "aws"),
        ("AWS::Region", around.region),
        ("AWS::StackName", around.stack),
        ("AWS::URLSuffix", "amazonaws.com"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let Some(parameters) = document.get("Parameters") else {
        return Ok(values);
    };
    for (name, node) in parameters.entries()? {
        only_of(
            "parameter",
            node,
            &[
                "Type",
                "Default",
                "AllowedValues",
                "AllowedPattern",
                "MaxLength",
                "MinValue",
                "MaxValue",
                "ConstraintDescription",
            ],
        )?;
        let kind = required(node, "Type")?;
        if !matches!(kind.string()?.as_str(), "String" | "Number") {
            return Err(kind.error("only String and Number parameters are known"));
        }
        let variable = variable_name(name);
        let value = match (around.variable)(&variable) {
            Some(value) => value,
            None => match node.get("Default") {
                Some(default) => default.string()?,
                None => return Err(node.error(format!("{name} has no default: set {variable}"))),
            },
        };
        check(node, &variable, &value)?;
        values.insert(name.clone(), value);
    }
    Ok(values)
}

/// Holds a parameter's value against what the template says of it.
fn check(node: &Node, variable: &str, value: &str) -> Result<(), TemplateError> {
    if let Some(allowed) = node.get("AllowedValues") {
        let allowed = allowed.items()?.iter().map(Node::string);
        let allowed = allowed.collect::<Result<Vec<_>, _>>()?;
        if !allowed.iter().any(|one| one == value) {
            let allowed = allowed.join(", ");
            return Err(node.error(format!("{variable} is {value}, not one of {allowed}")));
        }
    }
    if let Some(longest) = node.get("MaxLength")
        && value.chars().count() > longest.number()?
    {
        return Err(node.error(format!("{variable} is longer than {} characters", longest.string()?)));
    }
    if let Some(pattern) = node.get("AllowedPattern") {
        let whole =
            Regex::new(&format!("^(?:{})$", pattern.string()?)).map_err(|error| pattern.error(error.to_string()))?;
        if !whole.is_match(value) {
            let constraint = node.get("ConstraintDescription").map(Node::string).transpose()?;
            let constraint = constraint.unwrap_or_else(|| format!("must match {}", whole.as_str()));
            return Err(node.error(format!("{variable} is {value}, but {constraint}")));
        }
    }
    if required(node, "Type")?.string()? == "Number" {
        let number: i64 =
            value.parse().map_err(|_| node.error(format!("{variable} is {value}, not a whole number")))?;
        let below = |bound: &Node| Ok::<_, TemplateError>(number < bound.number()?);
        let above = |bound: &Node| Ok::<_, TemplateError>(number > bound.number()?);
        if node.get("MinValue").map(below).transpose()? == Some(true)
            || node.get("MaxValue").map(above).transpose()? == Some(true)
        {
            return Err(node.error(format!("{variable} is {value}, which is out of range")));
        }
    }
    Ok(())
}
