//! The accesses that a trigger needs. Its poller uses the function's role.

use super::model::Trigger;
use crate::policy::Access;

/// The accesses that a trigger needs. `queue` returns the ARN of a queue by its logical id. `stream` is the ARN of the
/// change stream.
pub fn needs(trigger: &Trigger, queue: impl Fn(&str) -> String, stream: &str) -> Vec<Access> {
    let all = |actions: &[&str], resource: &str| actions.iter().map(|action| Access::new(action, resource)).collect();
    match trigger {
        Trigger::Route(_) | Trigger::Schedule(_) => Vec::new(),
        Trigger::Queue(trigger) => {
            let actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
            all(&actions, &queue(&trigger.queue))
        }
        Trigger::Stream(trigger) => {
            let actions =
                ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"];
            let mut needs: Vec<Access> = all(&actions, stream);
            if let Some(destination) = &trigger.on_failure {
                needs.push(Access::new("sqs:SendMessage", &queue(destination)));
            }
            needs
        }
    }
}
