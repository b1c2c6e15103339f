//! The template's resources by type, with parameters, `Globals` and intrinsics applied.

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::intrinsics::{Attributes, Scope};
use super::node::{Kind, Node};
use super::{Surroundings, TemplateError, variable_name};
use crate::arn::{self, ACCOUNT, API_ID};

/// Types that the runner has a part for.
const SERVED: [&str; 5] = [
    "AWS::Serverless::Function",
    "AWS::Serverless::Api",
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::ApiGateway::UsagePlan",
];

/// Types that change nothing on a developer's machine.
const PASSED_OVER: [&str; 1] = ["AWS::Logs::LogGroup"];

/// What a resource may say besides its type and its properties: how it is built, and what becomes of it when the
/// stack goes.
const ATTRIBUTES_PASSED_OVER: [&str; 3] = ["Metadata", "DeletionPolicy", "UpdateReplacePolicy"];

/// One resource that the runner serves.
pub(super) struct Resource {
    pub logical_id: String,
    pub kind: String,
    /// Its name on AWS.
    pub name: String,
    /// Resolved, with `Globals` merged in.
    pub properties: Node,
}

/// All resources that the runner serves, in the template's order.
pub(super) struct Resources(Vec<Resource>, BTreeMap<String, String>);

impl Resources {
    pub fn read(document: &Node, around: &Surroundings<'_>) -> Result<Self, TemplateError> {
        only(
            document,
            &["Parameters", "Globals", "Resources"],
            &["AWSTemplateFormatVersion", "Transform", "Description", "Outputs"],
        )?;
        if let Some(globals) = document.get("Globals") {
            only(globals, &["Function", "Api"], &[])?;
        }
        let mut scope = Scope { parameters: parameters(document, around)?, ..Scope::default() };
        let mut served = Vec::new();
        for (logical_id, node) in required(document, "Resources")?.entries()? {
            only(node, &["Type", "Properties"], &ATTRIBUTES_PASSED_OVER)?;
            let kind = required(node, "Type")?.string()?;
            if SERVED.contains(&kind.as_str()) {
                served.push((logical_id, kind, node));
            } else if PASSED_OVER.contains(&kind.as_str()) {
                scope.resources.insert(logical_id.clone(), passed_over(logical_id));
            } else {
                return Err(node.error(format!("the runner has no part for {kind}")));
            }
        }
        let mut names = Vec::new();
        for (logical_id, kind, node) in &served {
            let name = name(&scope, around, logical_id, kind, node)?;
            names.push((name, *logical_id, kind.as_str()));
        }
        for (name, logical_id, kind) in &names {
            let attributes = attributes(around, kind, name, logical_id);
            scope.resources.insert((*logical_id).clone(), attributes);
        }
        let mut resources = Vec::new();
        for ((name, ..), (logical_id, kind, node)) in names.into_iter().zip(&served) {
            let empty = Node::empty_map(node.line);
            let own = node.get("Properties").unwrap_or(&empty);
            let globals = kind.strip_prefix("AWS::Serverless::");
            let globals = globals.and_then(|kind| document.at(&format!("Globals.{kind}")));
            let whole = globals.map_or_else(|| own.clone(), |globals| merge(globals, own));
            let properties = scope.resolve(&whole)?;
            resources.push(Resource { logical_id: (*logical_id).clone(), kind: kind.clone(), name, properties });
        }
        let arns = scope.resources.iter().flat_map(|(id, attributes)| {
            let arns = ["Arn", "StreamArn"].map(|name| attributes.named.get(name));
            let arns = arns.into_iter().flatten();
            arns.map(move |arn| (arn.clone(), id.clone()))
        });
        let arns = arns.collect();
        Ok(Self(resources, arns))
    }

    /// The resources of one type.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.0.iter().filter(move |resource| resource.kind == kind)
    }

    /// The resource of this type that the arn in `node` names.
    pub fn by_arn(&self, node: &Node, kind: &str) -> Result<&Resource, TemplateError> {
        let arn = node.string()?;
        let logical_id = self.1.get(&arn);
        self.0
            .iter()
            .find(|one| one.kind == kind && Some(&one.logical_id) == logical_id)
            .ok_or_else(|| node.error(format!("{arn} is no {kind} of this template")))
    }
}

/// The value under a dotted path, which must be there.
pub(super) fn required<'a>(node: &'a Node, path: &str) -> Result<&'a Node, TemplateError> {
    node.at(path).ok_or_else(|| node.error(format!("{path} is missing")))
}

/// Refuses keys that are neither read nor known to mean nothing on one machine: leaving one out in silence could hide
/// that production does not work.
pub(super) fn only(node: &Node, read: &[&str], passed_over: &[&str]) -> Result<(), TemplateError> {
    for (key, value) in node.entries()? {
        if !read.contains(&key.as_str()) && !passed_over.contains(&key.as_str()) {
            return Err(value.error(format!("the runner does not know {key} here")));
        }
    }
    Ok(())
}

fn parameters(document: &Node, around: &Surroundings<'_>) -> Result<BTreeMap<String, String>, TemplateError> {
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
        only(
            node,
            &["Type", "Default", "AllowedValues", "AllowedPattern", "MinValue", "MaxValue", "ConstraintDescription"],
            &["Description"],
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

fn name(
    scope: &Scope, around: &Surroundings<'_>, logical_id: &str, kind: &str, node: &Node,
) -> Result<String, TemplateError> {
    let property = match kind {
        "AWS::Serverless::Function" => "Properties.FunctionName",
        "AWS::Serverless::Api" => "Properties.StageName",
        "AWS::DynamoDB::Table" => "Properties.TableName",
        "AWS::SQS::Queue" => "Properties.QueueName",
        _ => return Ok(logical_id.to_owned()),
    };
    match node.at(property) {
        Some(name) => scope.resolve(name)?.string(),
        None => Ok(format!("{}-{logical_id}", around.stack)),
    }
}

fn passed_over(logical_id: &str) -> Attributes {
    Attributes {
        reference: logical_id.to_owned(),
        named: [("Arn".to_owned(), format!("arn:aws:local:::{logical_id}"))].into(),
    }
}

fn attributes(around: &Surroundings<'_>, kind: &str, name: &str, logical_id: &str) -> Attributes {
    let region = around.region;
    let (reference, named) = match kind {
        "AWS::SQS::Queue" => {
            let url = format!("{}/{ACCOUNT}/{name}", around.queues_url);
            (url, vec![("Arn", arn::queue(region, name)), ("QueueName", name.to_owned())])
        }
        "AWS::DynamoDB::Table" => {
            let stream = arn::stream(region, name, "local");
            (name.to_owned(), vec![("Arn", arn::table(region, name)), ("StreamArn", stream)])
        }
        "AWS::Serverless::Function" => (name.to_owned(), vec![("Arn", arn::function(region, name))]),
        "AWS::Serverless::Api" => (API_ID.to_owned(), vec![("Stage", name.to_owned())]),
        _ => (logical_id.to_owned(), Vec::new()),
    };
    let named = named.into_iter().map(|(key, value)| (key.to_owned(), value));
    Attributes { reference, named: named.collect() }
}

/// SAM's merge of `Globals` into a resource: maps entry by entry, lists one after the other,
/// everything else by the resource's own value.
fn merge(globals: &Node, own: &Node) -> Node {
    let kind = match (&globals.kind, &own.kind) {
        _ if globals.intrinsic().is_some() || own.intrinsic().is_some() => return own.clone(),
        (Kind::Map(left), Kind::Map(right)) => {
            let mut whole = left.clone();
            for (key, value) in right {
                match whole.iter_mut().find(|(k, _)| k == key) {
                    Some((_, global)) => *global = merge(global, value),
                    None => whole.push((key.clone(), value.clone())),
                }
            }
            Kind::Map(whole)
        }
        (Kind::List(left), Kind::List(right)) => Kind::List([&left[..], &right[..]].concat()),
        _ => return own.clone(),
    };
    Node { line: own.line, kind }
}
