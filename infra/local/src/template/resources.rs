//! The template's resources by type, with parameters, `Globals` and intrinsics applied.

use std::collections::BTreeMap;

use super::intrinsics::{Attributes, Scope};
use super::node::{Kind, Node};
use super::passed_over::{only, only_of};
use super::{Surroundings, TemplateError, conditions, parameters};
use crate::arn::{self, ACCOUNT, API_ID};

/// Types that the runner has a part for.
pub(super) const SERVED: [&str; 9] = [
    "AWS::Serverless::Function",
    "AWS::Serverless::Api",
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::ApiGateway::UsagePlan",
    "AWS::IAM::Role",
    "AWS::IAM::ManagedPolicy",
    // Only checked.
    "AWS::CloudFormation::Stack",
];

/// Types that change nothing on a developer's machine, each with the attributes that others may ask for.
pub(super) const PASSED_OVER: [(&str, &[&str]); 14] = [
    ("AWS::ApiGateway::Account", &[]),
    ("AWS::ApiGateway::BasePathMapping", &[]),
    ("AWS::ApiGateway::DomainName", &["RegionalDomainName", "RegionalHostedZoneId"]),
    ("AWS::CloudWatch::Alarm", &["Arn"]),
    ("AWS::CloudWatch::CompositeAlarm", &["Arn"]),
    ("AWS::CloudWatch::Dashboard", &[]),
    ("AWS::Logs::LogGroup", &["Arn"]),
    ("AWS::Logs::QueryDefinition", &[]),
    ("AWS::Route53::RecordSet", &[]),
    ("AWS::SNS::Subscription", &["Arn"]),
    ("AWS::SNS::Topic", &["TopicArn", "TopicName"]),
    ("AWS::SNS::TopicPolicy", &[]),
    ("AWS::WAFv2::WebACL", &[]),
    ("AWS::WAFv2::WebACLAssociation", &[]),
];

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
        only_of("template", document, &["Parameters", "Rules", "Conditions", "Globals", "Resources"])?;
        if let Some(globals) = document.get("Globals") {
            only(globals, &["Function", "Api"])?;
        }
        let mut scope = Scope { parameters: parameters::read(document, around)?, ..Scope::default() };
        conditions::check_rules(document, &scope)?;
        scope.conditions = conditions::read(document, &scope)?;
        let served = served(document, &mut scope)?;
        let mut names = Vec::new();
        for (logical_id, kind, node) in &served {
            // A name can contain the name of a resource above it.
            let name = name(&scope, around, logical_id, kind, node)?;
            scope.resources.insert((*logical_id).clone(), attributes(around, kind, &name, logical_id));
            names.push(name);
        }
        let mut resources = Vec::new();
        for (name, (logical_id, kind, node)) in names.into_iter().zip(&served) {
            let empty = Node::empty_map(node.line);
            let own = node.get("Properties").unwrap_or(&empty);
            let globals = kind.strip_prefix("AWS::Serverless::");
            let globals = globals.and_then(|kind| document.at(&format!("Globals.{kind}")));
            let whole = globals.map_or_else(|| own.clone(), |globals| merge(globals, own));
            let properties = scope.resolve(&whole)?;
            resources.push(Resource { logical_id: (*logical_id).clone(), kind: kind.clone(), name, properties });
        }
        let arns = scope.resources.iter().flat_map(|(id, attributes)| {
            let arns = ["Arn", "StreamArn", "PolicyArn"].map(|name| attributes.named.get(name));
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

    /// The arn of a resource.
    pub fn arn(&self, logical_id: &str) -> Option<String> {
        self.1.iter().find(|(arn, id)| *id == logical_id && !arn.contains("/stream/")).map(|(arn, _)| arn.clone())
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

/// The resources that the runner serves; of all others, `scope` learns what they give to those that refer to them.
fn served<'a>(document: &'a Node, scope: &mut Scope) -> Result<Vec<(&'a String, String, &'a Node)>, TemplateError> {
    let all = required(document, "Resources")?.entries()?;
    let mut served = Vec::new();
    for (logical_id, node) in all {
        only_of("resource", node, &["Type", "Condition", "Properties"])?;
        let kind = required(node, "Type")?.string()?;
        let passed_over = PASSED_OVER.iter().find(|(passed_over, _)| *passed_over == kind);
        if passed_over.is_none() && !SERVED.contains(&kind.as_str()) {
            return Err(node.error(format!("the runner has no part for {kind}")));
        }
        if !node.get("Condition").map(|name| scope.holds(name)).transpose()?.unwrap_or(true) {
            scope.left_out.insert(logical_id.clone());
        } else if let Some((_, named)) = passed_over {
            scope.resources.insert(logical_id.clone(), stand_ins(logical_id, named));
        } else {
            served.push((logical_id, kind, node));
        }
    }
    Ok(served)
}

fn name(
    scope: &Scope, around: &Surroundings<'_>, logical_id: &str, kind: &str, node: &Node,
) -> Result<String, TemplateError> {
    let property = match kind {
        "AWS::Serverless::Function" => "Properties.FunctionName",
        "AWS::Serverless::Api" => "Properties.StageName",
        "AWS::DynamoDB::Table" => "Properties.TableName",
        "AWS::SQS::Queue" => "Properties.QueueName",
        "AWS::SecretsManager::Secret" => "Properties.Name",
        "AWS::IAM::Role" => "Properties.RoleName",
        "AWS::IAM::ManagedPolicy" => "Properties.ManagedPolicyName",
        _ => return Ok(logical_id.to_owned()),
    };
    match node.at(property) {
        Some(name) => scope.resolve(name)?.string(),
        None => Ok(format!("{}-{logical_id}", around.stack)),
    }
}

/// What a resource that is passed over gives to those that refer to it.
fn stand_ins(logical_id: &str, named: &[&str]) -> Attributes {
    let stand_in = |name: &&str| ((*name).to_owned(), format!("arn:aws:local:::{logical_id}"));
    Attributes { reference: logical_id.to_owned(), named: named.iter().map(stand_in).collect() }
}

fn attributes(around: &Surroundings<'_>, kind: &str, name: &str, logical_id: &str) -> Attributes {
    let region = around.region;
    let (reference, named) = match kind {
        "AWS::SQS::Queue" => {
            let url = format!("{}/{ACCOUNT}/{name}", around.queues_url);
            (url, vec![("Arn", arn::queue(region, name)), ("QueueName", name.to_owned())])
        }
        "AWS::SecretsManager::Secret" => {
            let arn = arn::secret(region, name);
            (arn.clone(), vec![("Id", arn)])
        }
        "AWS::DynamoDB::Table" => {
            let stream = arn::stream(region, name, "local");
            (name.to_owned(), vec![("Arn", arn::table(region, name)), ("StreamArn", stream)])
        }
        "AWS::Serverless::Function" => {
            let arn = arn::function(region, name);
            (name.to_owned(), vec![("Arn", arn.clone()), ("Alias", arn)])
        }
        "AWS::IAM::Role" => (name.to_owned(), vec![("Arn", arn::role(name))]),
        "AWS::IAM::ManagedPolicy" => {
            let arn = arn::policy(name);
            (arn.clone(), vec![("PolicyArn", arn)])
        }
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
