//! What a trigger needs: the poller acts with the role of its function.

use super::role::Access;
use crate::template::Trigger;

/// What a trigger needs. `queue` gives the arn of a queue by its logical id, `stream` is that of the change stream.
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
