//! Reads the role of a function.

use super::TemplateError;
use super::node::{Kind, Node};
use super::passed_over::{only, only_of};
use super::resources::{Resource, Resources, required};
use crate::policy::{Role, Statement};

/// The role that the function names, if it names one.
pub(super) fn of(resources: &Resources, function: &Resource) -> Result<Option<Role>, TemplateError> {
    let arn = function.properties.get("Role");
    arn.map(|arn| assumed_by(resources, arn, "lambda.amazonaws.com")).transpose()
}

/// The role of a schedule. Errors if EventBridge Scheduler could not assume it, or could not invoke a function with it.
pub(super) fn of_schedule(resources: &Resources, arn: &Node) -> Result<Role, TemplateError> {
    let role = assumed_by(resources, arn, "scheduler.amazonaws.com")?;
    let invokes = |statement: &Statement| statement.actions.iter().any(|action| action == "lambda:InvokeFunction");
    if role.statements.iter().any(invokes) { Ok(role) } else { Err(arn.error("the role may not invoke a function")) }
}

fn assumed_by(resources: &Resources, arn: &Node, service: &str) -> Result<Role, TemplateError> {
    let role = resources.by_arn(arn, "AWS::IAM::Role")?;
    let properties = &role.properties;
    only_of("AWS::IAM::Role", properties, &["AssumeRolePolicyDocument", "ManagedPolicyArns", "Policies"])?;
    assumable(required(properties, "AssumeRolePolicyDocument")?, service)?;
    let mut statements = Vec::new();
    for policy in items(properties, "Policies")? {
        only_of("inline policy", policy, &["PolicyDocument"])?;
        document(policy, &mut statements)?;
    }
    for arn in items(properties, "ManagedPolicyArns")? {
        let policy = &resources.by_arn(arn, "AWS::IAM::ManagedPolicy")?.properties;
        only_of("AWS::IAM::ManagedPolicy", policy, &["PolicyDocument"])?;
        document(policy, &mut statements)?;
    }
    Ok(Role { name: role.name.clone(), statements })
}

/// Refuses a role that the service could not take on.
fn assumable(document: &Node, service: &str) -> Result<(), TemplateError> {
    only_of("policy document", document, &["Statement"])?;
    for statement in required(document, "Statement")?.items()? {
        only_of("statement", statement, &["Effect", "Principal", "Action"])?;
        only(required(statement, "Principal")?, &["Service"])?;
        if required(statement, "Effect")?.string()? != "Allow" {
            return Err(statement.error("the runner knows statements that allow only"));
        }
        let principal = statement.at("Principal.Service").map(strings).transpose()?;
        let for_service = principal.is_some_and(|services| services.iter().any(|one| one == service));
        let action = strings(required(statement, "Action")?)?;
        if for_service && action.iter().any(|one| one == "sts:AssumeRole") {
            return Ok(());
        }
    }
    Err(document.error(format!("{service} may not assume this role")))
}

/// Adds the statements of a policy.
fn document(policy: &Node, statements: &mut Vec<Statement>) -> Result<(), TemplateError> {
    let document = required(policy, "PolicyDocument")?;
    only_of("policy document", document, &["Statement"])?;
    for node in required(document, "Statement")?.items()? {
        statements.push(statement(node)?);
    }
    Ok(())
}

fn statement(node: &Node) -> Result<Statement, TemplateError> {
    only_of("statement", node, &["Effect", "Action", "Resource", "Condition"])?;
    let effect = required(node, "Effect")?;
    if effect.string()? != "Allow" {
        return Err(effect.error("the runner knows statements that allow only"));
    }
    let action = required(node, "Action")?;
    let actions = strings(action)?;
    if let Some(pattern) = actions.iter().find(|action| action.contains('*') || action.contains('?')) {
        // Whether one of several has a use cannot be told.
        return Err(action.error(format!("{pattern} stands for several actions: name each")));
    }
    let resources = strings(required(node, "Resource")?)?;
    let leading_keys = node.get("Condition").map(leading_keys).transpose()?;
    Ok(Statement { actions, resources, leading_keys })
}

fn leading_keys(condition: &Node) -> Result<Vec<String>, TemplateError> {
    only(condition, &["ForAllValues:StringLike"])?;
    let values = required(condition, "ForAllValues:StringLike")?;
    only(values, &["dynamodb:LeadingKeys"])?;
    strings(values.get("dynamodb:LeadingKeys").ok_or_else(|| values.error("dynamodb:LeadingKeys is missing"))?)
}

/// A list of strings, or one string in the place of a list.
fn strings(node: &Node) -> Result<Vec<String>, TemplateError> {
    match &node.kind {
        Kind::List(items) => items.iter().map(Node::string).collect(),
        _ => Ok(vec![node.string()?]),
    }
}

/// The items of a list that may be absent.
fn items<'a>(node: &'a Node, key: &str) -> Result<&'a [Node], TemplateError> {
    node.get(key).map_or(Ok(&[]), Node::items)
}
