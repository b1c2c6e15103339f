//! Reads the queues and the table.

use std::time::Duration;

use super::node::Node;
use super::passed_over::{only, only_of};
use super::resources::{Resource, Resources, required};
use super::{Queue, Redrive, Secret, Table, TemplateError};

/// The one table.
pub(super) fn table(resources: &Resources) -> Result<Table, TemplateError> {
    let mut tables = resources.of("AWS::DynamoDB::Table");
    let table = tables.next().ok_or_else(|| TemplateError::new(1, "the template has no AWS::DynamoDB::Table"))?;
    if let Some(second) = tables.next() {
        return Err(second.properties.error("the runner knows one table only"));
    }
    known(&table.properties)?;
    Ok(Table { name: table.name.clone(), properties: table.properties.json() })
}

/// Refuses what the runner's table does not do.
fn known(table: &Node) -> Result<(), TemplateError> {
    only_of(
        "AWS::DynamoDB::Table",
        table,
        &[
            "AttributeDefinitions",
            "GlobalSecondaryIndexes",
            "KeySchema",
            "StreamSpecification",
            "TimeToLiveSpecification",
        ],
    )?;
    let items = |node: &Node, key: &str, read: &[&str]| match node.get(key) {
        Some(items) => items.items()?.iter().try_for_each(|item| only(item, read)),
        None => Ok(()),
    };
    items(table, "AttributeDefinitions", &["AttributeName", "AttributeType"])?;
    items(table, "KeySchema", &["AttributeName", "KeyType"])?;
    for index in table.get("GlobalSecondaryIndexes").map_or(Ok(&[][..]), Node::items)? {
        only_of("index", index, &["IndexName", "KeySchema", "Projection"])?;
        items(index, "KeySchema", &["AttributeName", "KeyType"])?;
        index.get("Projection").map_or(Ok(()), |node| only(node, &["ProjectionType", "NonKeyAttributes"]))?;
    }
    table.get("StreamSpecification").map_or(Ok(()), |node| only(node, &["StreamViewType"]))?;
    table.get("TimeToLiveSpecification").map_or(Ok(()), |node| only(node, &["AttributeName", "Enabled"]))
}

/// A standard queue.
pub(super) fn queue(resources: &Resources, resource: &Resource) -> Result<Queue, TemplateError> {
    let properties = &resource.properties;
    only_of(
        "AWS::SQS::Queue",
        properties,
        &[
            "QueueName",
            "VisibilityTimeout",
            "DelaySeconds",
            "MessageRetentionPeriod",
            "ReceiveMessageWaitTimeSeconds",
            "RedrivePolicy",
        ],
    )?;
    let redrive = properties.get("RedrivePolicy").map(|policy| {
        only(policy, &["deadLetterTargetArn", "maxReceiveCount"])?;
        let target = required(policy, "deadLetterTargetArn")?;
        let dead_letter = resources.by_arn(target, "AWS::SQS::Queue")?;
        Ok(Redrive {
            dead_letter: dead_letter.logical_id.clone(),
            max_receive_count: required(policy, "maxReceiveCount")?.number()?,
        })
    });
    Ok(Queue {
        logical_id: resource.logical_id.clone(),
        name: resource.name.clone(),
        visibility: visibility(resource)?,
        delay: seconds(properties, "DelaySeconds", 0)?,
        retention: seconds(properties, "MessageRetentionPeriod", 345_600)?,
        receive_wait: seconds(properties, "ReceiveMessageWaitTimeSeconds", 0)?,
        redrive: redrive.transpose()?,
    })
}

/// A secret whose value is generated.
pub(super) fn secret(resource: &Resource) -> Result<Secret, TemplateError> {
    let properties = &resource.properties;
    only_of("AWS::SecretsManager::Secret", properties, &["GenerateSecretString"])?;
    let generate = required(properties, "GenerateSecretString")?;
    let read = ["SecretStringTemplate", "GenerateStringKey", "PasswordLength"];
    only_of("GenerateSecretString", generate, &read)?;
    let template = required(generate, read[0])?;
    Ok(Secret {
        name: resource.name.clone(),
        value: serde_json::from_str(&template.string()?).map_err(|_| template.error("this is no JSON object"))?,
        key: required(generate, read[1])?.string()?,
        length: required(generate, read[2])?.number()?,
    })
}

/// How long a received message of the queue is hidden.
pub(super) fn visibility(queue: &Resource) -> Result<Duration, TemplateError> {
    seconds(&queue.properties, "VisibilityTimeout", 30)
}

/// Seconds under a dotted path, or AWS's default.
pub(super) fn seconds(node: &Node, path: &str, default: u64) -> Result<Duration, TemplateError> {
    let given = node.at(path).map(Node::number::<u64>).transpose()?;
    Ok(Duration::from_secs(given.unwrap_or(default)))
}
