//! The properties of a deployment that a bill depends on, from the template and the code with its defaults.

use std::collections::BTreeMap;

use serde_json::Value;
use spillway_tests::template::folder;
use spillway_tests::{Template, metrics};

/// A deployment.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// Default memory of a function in MB.
    usual_memory: u64,
    /// Memory in MB of the functions with their own value, by folder.
    memory: BTreeMap<String, u64>,
    /// Whether Lambda writes its own log lines for each invocation.
    pub lambdas_lines: bool,
    /// Whether functions write lines for successful invocations. (Metrics are always written.)
    pub functions_lines: bool,
    /// Metrics that alarms evaluate, counted once for each alarm.
    pub alarm_metrics: u64,
    /// Alarms on the states of other alarms.
    pub composite_alarms: u64,
    /// Dashboards.
    pub dashboards: u64,
    /// Metrics that the functions write.
    pub metrics: u64,
    /// Seconds for which the gateway caches the authorizer's answer for a key.
    pub remembered_s: u64,
    /// Days for which events and deliveries are stored.
    pub retention_days: u64,
    /// Queues that Lambda polls.
    pub polled_queues: u64,
}

impl Deployed {
    /// Reads the files of the repository.
    pub fn read() -> Deployed {
        Deployed::of(&Template::read(), &Template::nested(), metrics::emitted().len())
    }

    fn of(template: &Template, nested: &Template, metrics: usize) -> Deployed {
        let default = |parameter: &str| template.get(&["Parameters", parameter, "Default"]);
        let level = default("LogLevel").and_then(Value::as_str);
        let system_level = template.get(&["Globals", "Function", "LoggingConfig", "SystemLogLevel"]);
        let alarms = |kind: &'static str| [template, nested].into_iter().flat_map(move |each| alarms(each, kind));
        let functions = template.of_type("AWS::Serverless::Function").into_values();
        let memory =
            functions.filter_map(|function| Some((folder(function).to_owned(), function["MemorySize"].as_u64()?)));
        let polled = template.events().into_iter().filter(|(_, kind, _)| *kind == "SQS");
        Deployed {
            lambdas_lines: system_level.is_none_or(|level| level != "WARN"),
            functions_lines: matches!(level, Some("info" | "debug" | "trace")),
            alarm_metrics: alarms("AWS::CloudWatch::Alarm").map(billed).sum(),
            composite_alarms: count([alarms("AWS::CloudWatch::CompositeAlarm").count()]),
            dashboards: count([template, nested].map(|template| template.of_type("AWS::CloudWatch::Dashboard").len())),
            metrics: count([metrics]),
            remembered_s: default("CacheSeconds").and_then(Value::as_u64).unwrap_or_default(),
            retention_days: default("EventRetentionDays").and_then(Value::as_u64).unwrap_or_default(),
            polled_queues: count([polled.count()]),
            // Lambda's own default is the last.
            usual_memory: template.get(&["Globals", "Function", "MemorySize"]).and_then(Value::as_u64).unwrap_or(128),
            memory: memory.collect(),
        }
    }

    /// Memory in MB of the function in this folder.
    pub fn memory(&self, function: &str) -> u64 {
        self.memory.get(function).copied().unwrap_or(self.usual_memory)
    }
}

/// The alarms of a kind that a stack has by default.
fn alarms<'template>(template: &'template Template, kind: &'static str) -> impl Iterator<Item = &'template Value> {
    let resources = template.get(&["Resources"]).and_then(Value::as_object).into_iter().flat_map(|all| all.values());
    let by_default = move |resource: &&Value| resource["Type"] == kind && resource["Condition"] == "HasAlarms";
    resources.filter(by_default).map(|alarm| &alarm["Properties"])
}

/// Metrics for which an alarm is billed: one on an expression for each metric in it.
fn billed(alarm: &Value) -> u64 {
    let metrics = alarm["Metrics"].as_array().into_iter().flatten().filter(|metric| metric.get("MetricStat").is_some());
    count([metrics.count().max(1)])
}

fn count<const N: usize>(numbers: [usize; N]) -> u64 {
    u64::try_from(numbers.into_iter().sum::<usize>()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn template_and_code_give_the_deployed_resources() {
        let deployed = Deployed::read();
        assert_eq!((deployed.polled_queues, deployed.remembered_s, deployed.retention_days), (3, 60, 30));
        assert!(!deployed.lambdas_lines);
        assert_eq!((deployed.dashboards, deployed.alarm_metrics, deployed.composite_alarms), (1, 55, 2));
        assert_eq!(deployed.memory("create-payment"), 256);
        assert!(deployed.metrics > 0, "{deployed:?}");
    }

    #[test]
    fn a_functions_own_memory_overrides_the_global() {
        let path = ["Resources", "FoldBalance", "Properties"];
        let template = Template::read();
        let mut properties = template.get(&path).unwrap().clone();
        properties["MemorySize"] = json!(512);
        let deployed = Deployed::of(&template.with(&path, properties), &Template::nested(), 0);
        assert_eq!((deployed.memory("fold-balance"), deployed.memory("get-payment")), (512, 256));
    }
}
