//! Reads from an SQS call which access it needs.

use serde_json::Value;

use crate::arn;
use crate::policy::Access;

/// The access that the call `operation` with this body needs. A batch needs the action of its entries.
pub fn needs(region: &str, operation: &str, body: &Value) -> Vec<Access> {
    let action = operation.strip_suffix("Batch").unwrap_or(operation);
    let url = body["QueueUrl"].as_str();
    let named = url.and_then(|url| url.rsplit('/').next()).map(|name| arn::queue(region, name));
    let resource = named.or_else(|| body["SourceArn"].as_str().map(str::to_owned));
    vec![Access::new(&format!("sqs:{action}"), resource.as_deref().unwrap_or("*"))]
}
