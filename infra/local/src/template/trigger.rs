//! The accesses that a trigger needs. Its poller uses the function's role.

use super::model::Trigger;
use crate::policy::Access;

/// The accesses that a trigger needs. `queue` returns the ARN of a queue by its logical id. `stream` is the ARN of the
/// change stream.
pub fn needs<E>(trigger: &Trigger, queue: impl Fn(&str) -> Result<String, E>, stream: &str) -> Result<Vec<Access>, E> {
    let all = |actions: &[&str], resource: &str| actions.iter().map(|action| Access::new(action, resource)).collect();
    match trigger {
        Trigger::Route(_) | Trigger::Schedule(_) => Ok(Vec::new()),
        Trigger::Queue(trigger) => {
            let actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
            Ok(all(&actions, &queue(&trigger.queue)?))
        }
        Trigger::Stream(trigger) => {
            let actions =
                ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"];
            let mut needs: Vec<Access> = all(&actions, stream);
            if let Some(destination) = &trigger.on_failure {
                needs.push(Access::new("sqs:SendMessage", &queue(destination)?));
            }
            Ok(needs)
        }
    }
}
