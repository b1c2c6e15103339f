//! Reads a function and its events.

use std::collections::BTreeMap;
use std::time::Duration;

use super::api::ApiDefaults;
use super::node::Node;
use super::resources::{Resource, Resources, only, required};
use super::store::seconds;
use super::{Function, QueueTrigger, Route, Schedule, StreamTrigger, TemplateError, Trigger};

/// The function's folder, package and binary: the last component of `CodeUri`.
pub(super) fn folder(resource: &Resource) -> Result<String, TemplateError> {
    let uri = required(&resource.properties, "CodeUri")?;
    let path = uri.string()?;
    let last = path.trim_end_matches('/').rsplit('/').next();
    last.filter(|last| !last.is_empty() && *last != "." && *last != "..")
        .map(str::to_owned)
        .ok_or_else(|| uri.error("CodeUri does not end in the function's folder"))
}

pub(super) fn read(resources: &Resources, resource: &Resource, api: &ApiDefaults) -> Result<Function, TemplateError> {
    let properties = &resource.properties;
    let name = folder(resource)?;
    let mut environment = BTreeMap::new();
    if let Some(variables) = properties.at("Environment.Variables") {
        for (key, value) in variables.entries()? {
            environment.insert(key.clone(), value.string()?);
        }
    }
    let mut triggers = Vec::new();
    if let Some(events) = properties.get("Events") {
        for (event, node) in events.entries()? {
            let reader = Reader { resources, function: &name, event };
            triggers.extend(reader.trigger(node, api)?);
        }
    }
    let memory = properties.get("MemorySize").map(Node::number).transpose()?;
    Ok(Function {
        logical_id: resource.logical_id.clone(),
        function_name: resource.name.clone(),
        timeout: seconds(properties, "Timeout", 3)?,
        memory: memory.unwrap_or(128),
        environment,
        triggers,
        name,
    })
}

struct Reader<'a> {
    resources: &'a Resources,
    function: &'a str,
    event: &'a str,
}

impl Reader<'_> {
    fn trigger(&self, node: &Node, api: &ApiDefaults) -> Result<Option<Trigger>, TemplateError> {
        let kind = required(node, "Type")?.string()?;
        let properties = required(node, "Properties")?;
        let off = match properties.get("Enabled") {
            Some(enabled) => !enabled.boolean()?,
            None => false,
        };
        let trigger = match kind.as_str() {
            "Api" => Trigger::Route(self.route(properties, api)?),
            "SQS" if off => return Ok(None),
            "SQS" => Trigger::Queue(self.queue(properties)?),
            "DynamoDB" if off => return Ok(None),
            "DynamoDB" => Trigger::Stream(self.stream(properties)?),
            "Schedule" => Trigger::Schedule(self.schedule(properties, "Schedule")?),
            "ScheduleV2" => Trigger::Schedule(self.schedule(properties, "ScheduleExpression")?),
            other => return Err(node.error(format!("the runner does not know {other} events"))),
        };
        Ok(Some(trigger))
    }

    fn route(&self, node: &Node, api: &ApiDefaults) -> Result<Route, TemplateError> {
        only(node, &["Path", "Method", "RestApiId", "Auth"])?;
        let authorizer = node.at("Auth.Authorizer").map(Node::string).transpose()?;
        let key = node.at("Auth.ApiKeyRequired");
        let key = key.map(Node::boolean).transpose()?;
        Ok(Route {
            function: self.function.to_owned(),
            method: match required(node, "Method")?.string()?.to_uppercase() {
                any if any == "*" => "ANY".to_owned(),
                method => method,
            },
            path: required(node, "Path")?.string()?,
            api_key_required: key.unwrap_or(api.api_key_required),
            public: authorizer.map_or(!api.authorized, |name| name == "NONE"),
        })
    }

    fn queue(&self, node: &Node) -> Result<QueueTrigger, TemplateError> {
        only(
            node,
            &[
                "Queue",
                "BatchSize",
                "MaximumBatchingWindowInSeconds",
                "FunctionResponseTypes",
                "ScalingConfig",
                "Enabled",
            ],
        )?;
        let queue = required(node, "Queue")?;
        let queue = self.resources.by_arn(queue, "AWS::SQS::Queue")?;
        let concurrency = node.at("ScalingConfig.MaximumConcurrency");
        Ok(QueueTrigger {
            function: self.function.to_owned(),
            queue: queue.logical_id.clone(),
            batch_size: number(node, "BatchSize")?.unwrap_or(10),
            batching_window: seconds(node, "MaximumBatchingWindowInSeconds", 0)?,
            max_concurrency: concurrency.map(Node::number).transpose()?,
            report_item_failures: reports_failures(node)?,
        })
    }

    fn stream(&self, node: &Node) -> Result<StreamTrigger, TemplateError> {
        only(
            node,
            &[
                "Stream",
                "StartingPosition",
                "BatchSize",
                "MaximumBatchingWindowInSeconds",
                "BisectBatchOnFunctionError",
                "MaximumRetryAttempts",
                "MaximumRecordAgeInSeconds",
                "DestinationConfig",
                "FilterCriteria",
                "FunctionResponseTypes",
                "ParallelizationFactor",
                "Enabled",
            ],
        )?;
        let table = required(node, "Stream")?;
        let table = self.resources.by_arn(table, "AWS::DynamoDB::Table")?;
        let position = required(node, "StartingPosition")?;
        let bisect = node.get("BisectBatchOnFunctionError");
        let age: i64 = number(node, "MaximumRecordAgeInSeconds")?.unwrap_or(-1);
        let retries: i64 = number(node, "MaximumRetryAttempts")?.unwrap_or(-1);
        let destination = node.at("DestinationConfig.OnFailure.Destination");
        let destination = destination.map(|arn| self.resources.by_arn(arn, "AWS::SQS::Queue"));
        Ok(StreamTrigger {
            function: self.function.to_owned(),
            table: table.logical_id.clone(),
            from_oldest: match position.string()?.as_str() {
                "TRIM_HORIZON" => true,
                "LATEST" => false,
                _ => return Err(position.error("neither TRIM_HORIZON nor LATEST")),
            },
            batch_size: number(node, "BatchSize")?.unwrap_or(100),
            batching_window: seconds(node, "MaximumBatchingWindowInSeconds", 0)?,
            bisect: bisect.map(Node::boolean).transpose()?.unwrap_or(false),
            retries: u32::try_from(retries).ok(),
            max_record_age: u64::try_from(age).ok().map(Duration::from_secs),
            on_failure: destination.transpose()?.map(|queue: &Resource| queue.logical_id.clone()),
            filters: filters(node)?,
            report_item_failures: reports_failures(node)?,
            parallelization: number(node, "ParallelizationFactor")?.unwrap_or(1),
        })
    }

    fn schedule(&self, node: &Node, expression: &str) -> Result<Schedule, TemplateError> {
        only(
            node,
            &[
                expression,
                "Enabled",
                "State",
                "Input",
                "Name",
                "Description",
                "OmitName",
                "FlexibleTimeWindow",
                "RetryPolicy",
                "PermissionsBoundary",
            ],
        )?;
        let expression = required(node, expression)?;
        let text = expression.string()?;
        let every =
            rate(&text).ok_or_else(|| expression.error(format!("the runner knows rate(…) only, not {text}")))?;
        let enabled = node.get("Enabled").map(Node::boolean).transpose()?;
        let state = node.get("State").map(Node::string).transpose()?;
        Ok(Schedule {
            function: self.function.to_owned(),
            name: self.event.to_owned(),
            every,
            enabled: enabled.unwrap_or(true) && state.as_deref() != Some("DISABLED"),
            input: node.get("Input").map(Node::string).transpose()?,
        })
    }
}

/// `rate(5 minutes)` as a duration.
fn rate(expression: &str) -> Option<Duration> {
    let inner = expression.strip_prefix("rate(")?.strip_suffix(')')?;
    let (count, unit) = inner.split_once(' ')?;
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    let unit = match unit {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        _ => return None,
    };
    count.checked_mul(unit).map(Duration::from_secs)
}

fn number<T: TryFrom<i64>>(node: &Node, key: &str) -> Result<Option<T>, TemplateError> {
    node.get(key).map(Node::number).transpose()
}

fn reports_failures(node: &Node) -> Result<bool, TemplateError> {
    let Some(types) = node.get("FunctionResponseTypes") else {
        return Ok(false);
    };
    for kind in types.items()? {
        if kind.string()? != "ReportBatchItemFailures" {
            return Err(kind.error("only ReportBatchItemFailures is known"));
        }
    }
    Ok(!types.items()?.is_empty())
}

fn filters(node: &Node) -> Result<Vec<serde_json::Value>, TemplateError> {
    let Some(filters) = node.at("FilterCriteria.Filters") else {
        return Ok(Vec::new());
    };
    let patterns = filters.items()?.iter().map(|filter| {
        let pattern = required(filter, "Pattern")?;
        serde_json::from_str(&pattern.string()?)
            .map_err(|error| pattern.error(format!("the pattern is not JSON: {error}")))
    });
    patterns.collect()
}
