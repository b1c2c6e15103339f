//! Reads a function and its events.

use std::collections::BTreeMap;
use std::time::Duration;

use super::api::{ApiDefaults, known_authorizer};
use super::node::Node;
use super::passed_over::{only, only_of};
use super::resources::{Resource, Resources, required};
use super::store::{seconds, visibility};
use super::trigger;
use super::{Function, QueueTrigger, Route, Schedule, StreamTrigger, TemplateError, Trigger};
use crate::policy::Role;

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
    only_of(
        "AWS::Serverless::Function",
        properties,
        &["CodeUri", "FunctionName", "MemorySize", "Timeout", "Environment", "Events", "Role"],
    )?;
    let name = folder(resource)?;
    let timeout = seconds(properties, "Timeout", 3)?;
    let mut environment = BTreeMap::new();
    if let Some(own) = properties.get("Environment") {
        only(own, &["Variables"])?;
        let variables = required(own, "Variables")?;
        for (key, value) in variables.entries()? {
            environment.insert(key.clone(), value.string()?);
        }
    }
    let role = super::role::of(resources, resource)?;
    let mut triggers = Vec::new();
    if let Some(events) = properties.get("Events") {
        for (event, node) in events.entries()? {
            let reader = Reader { resources, function: &name, timeout, event };
            let trigger = reader.trigger(node, api)?;
            if let Some(role) = &role {
                may_trigger(role, resources, node, &trigger)?;
            }
            triggers.push(trigger);
        }
    }
    let memory = properties.get("MemorySize").map(Node::number).transpose()?;
    Ok(Function {
        logical_id: resource.logical_id.clone(),
        function_name: resource.name.clone(),
        timeout,
        memory: memory.unwrap_or(128),
        environment,
        role,
        triggers,
        name,
    })
}

/// Refuses a trigger for which the function's role does not allow all that its poller does: AWS refuses to make it.
fn may_trigger(role: &Role, resources: &Resources, node: &Node, trigger: &Trigger) -> Result<(), TemplateError> {
    // The trigger was read, so its queues are in the template.
    let arn = |logical_id: &str| resources.arn(logical_id).unwrap_or_default();
    let stream = node.at("Properties.Stream").map(Node::string).transpose()?.unwrap_or_default();
    let needs = trigger::needs(trigger, arn, &stream);
    match needs.iter().find(|access| role.allows(access).is_none()) {
        Some(access) => Err(node.error(format!("{} does not allow {access}, which this trigger needs", role.name))),
        None => Ok(()),
    }
}

struct Reader<'a> {
    resources: &'a Resources,
    function: &'a str,
    /// The function's own.
    timeout: Duration,
    event: &'a str,
}

impl Reader<'_> {
    fn trigger(&self, node: &Node, api: &ApiDefaults) -> Result<Trigger, TemplateError> {
        only(node, &["Type", "Properties"])?;
        let kind = required(node, "Type")?.string()?;
        let properties = required(node, "Properties")?;
        match kind.as_str() {
            "Api" => self.route(properties, api).map(Trigger::Route),
            "SQS" => self.queue(properties).map(Trigger::Queue),
            "DynamoDB" => self.stream(properties).map(Trigger::Stream),
            "ScheduleV2" => self.schedule(properties).map(Trigger::Schedule),
            other => Err(node.error(format!("the runner does not know {other} events"))),
        }
    }

    fn route(&self, node: &Node, api: &ApiDefaults) -> Result<Route, TemplateError> {
        only(node, &["Path", "Method", "RestApiId", "Auth"])?;
        let empty = Node::empty_map(node.line);
        let auth = node.get("Auth").unwrap_or(&empty);
        only(auth, &["Authorizer", "ApiKeyRequired"])?;
        let public = match auth.get("Authorizer") {
            None => !api.authorized,
            Some(name) if name.string()? == "NONE" => true,
            Some(name) => known_authorizer(name, api.settings.authorizer.as_ref()).map(|()| false)?,
        };
        let key = auth.get("ApiKeyRequired").map(Node::boolean).transpose()?;
        let api_key_required = key.unwrap_or(api.api_key_required);
        if api_key_required && (public || !api.key_from_authorizer) {
            let why = "the route needs an API key, which only an authorizer and ApiKeySourceType: AUTHORIZER bring";
            return Err(node.error(why));
        }
        let (method, path) = (required(node, "Method")?, required(node, "Path")?);
        if matches!(method.string()?.to_uppercase().as_str(), "*" | "ANY") {
            return Err(method.error("the runner does not know routes for any method"));
        }
        if path.string()?.contains("+}") {
            return Err(path.error("the runner does not know parameters of several segments"));
        }
        Ok(Route {
            function: self.function.to_owned(),
            method: method.string()?.to_uppercase(),
            path: path.string()?,
            api_key_required,
            public,
        })
    }

    fn queue(&self, node: &Node) -> Result<QueueTrigger, TemplateError> {
        only(
            node,
            &["Queue", "BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "ScalingConfig"],
        )?;
        let source = required(node, "Queue")?;
        let queue = self.resources.by_arn(source, "AWS::SQS::Queue")?;
        let (hidden, timeout) = (visibility(queue)?.as_secs(), self.timeout.as_secs());
        if hidden < timeout {
            // AWS refuses to make such a trigger.
            return Err(source.error(format!(
                "{}'s VisibilityTimeout of {hidden} s is below the function's Timeout of {timeout} s",
                queue.logical_id
            )));
        }
        let scaling = node.get("ScalingConfig");
        scaling.map(|scaling| only(scaling, &["MaximumConcurrency"])).transpose()?;
        let concurrency = scaling.and_then(|scaling| scaling.get("MaximumConcurrency"));
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
            ],
        )?;
        self.resources.by_arn(required(node, "Stream")?, "AWS::DynamoDB::Table")?;
        let position = required(node, "StartingPosition")?;
        if position.string()? != "TRIM_HORIZON" {
            return Err(position.error("the runner knows TRIM_HORIZON only"));
        }
        let bisect = node.get("BisectBatchOnFunctionError");
        let age: i64 = number(node, "MaximumRecordAgeInSeconds")?.unwrap_or(-1);
        let retries: i64 = number(node, "MaximumRetryAttempts")?.unwrap_or(-1);
        let destination = node.get("DestinationConfig").map(|config| self.failure_queue(config));
        Ok(StreamTrigger {
            function: self.function.to_owned(),
            batch_size: number(node, "BatchSize")?.unwrap_or(100),
            batching_window: seconds(node, "MaximumBatchingWindowInSeconds", 0)?,
            bisect: bisect.map(Node::boolean).transpose()?.unwrap_or(false),
            retries: u32::try_from(retries).ok(),
            max_record_age: u64::try_from(age).ok().map(Duration::from_secs),
            on_failure: destination.transpose()?,
            filters: filters(node)?,
            report_item_failures: reports_failures(node)?,
        })
    }

    /// Logical id of the queue that is told of what was given up.
    fn failure_queue(&self, config: &Node) -> Result<String, TemplateError> {
        only(config, &["OnFailure"])?;
        let on_failure = required(config, "OnFailure")?;
        only_of("OnFailure", on_failure, &["Destination"])?;
        let queue = self.resources.by_arn(required(on_failure, "Destination")?, "AWS::SQS::Queue")?;
        Ok(queue.logical_id.clone())
    }

    fn schedule(&self, node: &Node) -> Result<Schedule, TemplateError> {
        only_of("ScheduleV2", node, &["ScheduleExpression", "RoleArn"])?;
        node.get("RoleArn").map(|arn| super::role::of_schedule(self.resources, arn)).transpose()?;
        let expression = required(node, "ScheduleExpression")?;
        let text = expression.string()?;
        let every =
            rate(&text).ok_or_else(|| expression.error(format!("the runner knows rate(…) only, not {text}")))?;
        Ok(Schedule { function: self.function.to_owned(), name: self.event.to_owned(), every })
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
    let Some(criteria) = node.get("FilterCriteria") else {
        return Ok(Vec::new());
    };
    only(criteria, &["Filters"])?;
    let filters = required(criteria, "Filters")?;
    let patterns = filters.items()?.iter().map(|filter| {
        only(filter, &["Pattern"])?;
        let pattern = required(filter, "Pattern")?;
        serde_json::from_str(&pattern.string()?)
            .map_err(|error| pattern.error(format!("the pattern is not JSON: {error}")))
    });
    patterns.collect()
}
