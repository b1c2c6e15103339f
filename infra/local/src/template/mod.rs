//! Reads the template. The runner adds nothing of its own.

mod api;
mod conditions;
mod function;
mod intrinsics;
mod model;
mod nested;
mod node;
mod parameters;
mod passed_over;
mod resources;
mod role;
mod store;
#[cfg(test)]
mod tests;
pub mod trigger;

pub use model::*;

use std::path::Path;

use node::Node;
use resources::Resources;

/// What is wrong with the template, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TemplateError {
    /// 1-based.
    pub line: usize,
    pub message: String,
}

impl TemplateError {
    fn new(line: usize, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { line, message }
    }
}

/// What the template does not say itself.
#[derive(Clone)]
pub struct Surroundings<'a> {
    /// Where the queues answer, as `http://127.0.0.1:9324`.
    pub queues_url: &'a str,
    /// The region in arns.
    pub region: &'a str,
    /// `AWS::StackName`.
    pub stack: &'a str,
    /// The template's folder, to which the paths of nested stacks are relative.
    pub folder: &'a Path,
    /// The value set for a parameter from outside, by the variable's name, as `CACHE_SECONDS`.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Template {
    /// Refuses whatever the runner does not understand, with its line: it would rather not start than
    /// leave out a part of the system in silence.
    pub fn read(text: &str, around: &Surroundings<'_>) -> Result<Self, TemplateError> {
        Self::of(&Node::parse(text)?, around)
    }

    fn of(document: &Node, around: &Surroundings<'_>) -> Result<Self, TemplateError> {
        let resources = Resources::read(document, around)?;
        let mut template = Self { table: store::table(&resources)?, ..Self::default() };
        for resource in resources.of("AWS::CloudFormation::Stack") {
            nested::check(resource, around.folder)?;
        }
        for resource in resources.of("AWS::SQS::Queue") {
            template.queues.push(store::queue(&resources, resource)?);
        }
        for resource in resources.of("AWS::SecretsManager::Secret") {
            template.secrets.push(store::secret(resource)?);
        }
        let api = api::settings(&resources)?;
        for resource in resources.of("AWS::ApiGateway::UsagePlan") {
            template.usage_plans.push(api::usage_plan(resource, &api.settings)?);
        }
        for resource in resources.of("AWS::Serverless::Function") {
            let function = function::read(&resources, resource, &api)?;
            template.functions.push(function);
        }
        template.api = api.settings;
        Ok(template)
    }
}

/// A template as JSON: `!Ref x` is `{"Ref": "x"}`, and an alias is a copy of what its anchor marks. Errors if the text is not
/// one YAML document.
pub fn document(text: &str) -> Result<serde_json::Value, TemplateError> {
    Ok(Node::parse(text)?.json())
}

/// The variable that sets a parameter: `CacheSeconds` is `CACHE_SECONDS`.
pub fn variable_name(parameter: &str) -> String {
    let mut name = String::new();
    let mut after_lower = false;
    for letter in parameter.chars() {
        if letter.is_ascii_uppercase() && after_lower {
            name.push('_');
        }
        after_lower = !letter.is_ascii_uppercase();
        name.push(letter.to_ascii_uppercase());
    }
    name
}
