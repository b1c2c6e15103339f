//! Nested stacks. The runner makes nothing of them, so they may have only what it passes over anyway.

use std::path::Path;

use super::TemplateError;
use super::node::Node;
use super::passed_over::only_of;
use super::resources::{PASSED_OVER, Resource, required};

/// Errors if the nested stack has a resource that the runner would have to run, or if CloudFormation would refuse the
/// stack's parameters. `folder` is the one of the template, to which `TemplateURL` is relative.
pub(super) fn check(stack: &Resource, folder: &Path) -> Result<(), TemplateError> {
    only_of("AWS::CloudFormation::Stack", &stack.properties, &["TemplateURL", "Parameters"])?;
    let url = required(&stack.properties, "TemplateURL")?;
    let file = url.string()?;
    let text = std::fs::read_to_string(folder.join(&file))
        .map_err(|error| url.error(format!("{file} can't be read: {error}")))?;
    let within = |error: TemplateError| url.error(format!("{file}, {error}"));
    let document = Node::parse(&text).map_err(within)?;
    resources(&document).map_err(within)?;
    parameters(&document, &stack.properties)
}

/// Errors if a resource is of a type that the runner does not pass over.
fn resources(document: &Node) -> Result<(), TemplateError> {
    only_of("template", document, &["Parameters", "Rules", "Conditions", "Resources"])?;
    for (_, node) in required(document, "Resources")?.entries()? {
        let kind = required(node, "Type")?;
        let name = kind.string()?;
        if !PASSED_OVER.iter().any(|(passed_over, _)| *passed_over == name) {
            return Err(kind.error(format!("the runner has no part for {name} in a nested stack")));
        }
    }
    Ok(())
}

/// Errors if a parameter is given that the nested template does not have, or if one without a default is not given.
fn parameters(document: &Node, properties: &Node) -> Result<(), TemplateError> {
    let empty = Node::empty_map(properties.line);
    let given = properties.get("Parameters").unwrap_or(&empty);
    let declared = document.get("Parameters").unwrap_or(&empty);
    for (name, value) in given.entries()? {
        value.string()?;
        if declared.get(name).is_none() {
            return Err(value.error(format!("the nested stack has no parameter {name}")));
        }
    }
    let needed = declared.entries()?.iter().filter(|(_, parameter)| parameter.get("Default").is_none());
    match needed.map(|(name, _)| name).find(|name| given.get(name).is_none()) {
        Some(name) => Err(given.error(format!("the nested stack needs the parameter {name}"))),
        None => Ok(()),
    }
}
