//! The properties of a deployment that a bill depends on, from the template and the code with its defaults.

use std::collections::BTreeMap;

use spillway_tests::{Template, metrics};

/// A deployment.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// Default memory of a function in MB.
    usual_memory: u64,
    /// Memory in MB of the functions with their own value, by logical id.
    memory: BTreeMap<String, u64>,
    /// Whether Lambda writes its own log lines for each invocation.
    pub lambdas_lines: bool,
    /// Whether functions write lines for successful invocations. (Metrics are always written.)
    pub functions_lines: bool,
    /// Metrics that alarms evaluate, counted once for each alarm.
    pub alarm_metrics: u64,
    /// Dashboards.
    pub dashboards: u64,
    /// Metrics that the functions write.
    pub metrics: u64,
    /// Seconds for which the gateway caches the authorizer's answer for a key.
    pub remembered_s: u64,
    /// Queues that Lambda polls.
    pub polled_queues: u64,
}

impl Deployed {
    /// Reads the files of the repository.
    pub fn read() -> Deployed {
        Deployed::of(&Template::read(), metrics::emitted().len())
    }

    fn of(template: &Template, metrics: usize) -> Deployed {
        let default = |parameter: &str| template.values(&["Parameters", parameter], &["Default"]).first().copied();
        let systems = template.values(&["Globals", "Function"], &["SystemLogLevel"]).first().copied();
        let of_type = |kind: &str| -> Vec<&str> {
            let is = |id: &&str| template.values(&["Resources", id], &["Type"]).first() == Some(&kind);
            template.keys(&["Resources"]).into_iter().filter(is).collect()
        };
        let sum = |ids: &[&str], count: &dyn Fn(&str) -> usize| -> u64 {
            u64::try_from(ids.iter().map(|id| count(id)).sum::<usize>()).unwrap_or_default()
        };
        let within = |id: &str, text: &str| template.count(&["Resources", id], text);
        let alarms = of_type("AWS::CloudWatch::Alarm");
        let functions = of_type("AWS::Serverless::Function");
        let megabytes =
            |path: &[&str]| template.values(path, &["MemorySize"]).first().and_then(|text| text.parse().ok());
        let own = |id: &&str| Some(((*id).to_owned(), megabytes(&["Resources", id, "Properties"])?));
        Deployed {
            lambdas_lines: !matches!(systems, Some("WARN")),
            functions_lines: matches!(default("LogLevel"), Some("info" | "debug" | "trace")),
            // An alarm on an expression is billed for each of its metrics.
            alarm_metrics: sum(&alarms, &|id| within(id, "MetricStat:").max(1)),
            dashboards: sum(&of_type("AWS::CloudWatch::Dashboard"), &|_| 1),
            metrics: u64::try_from(metrics).unwrap_or_default(),
            remembered_s: default("CacheSeconds").and_then(|value| value.parse().ok()).unwrap_or_default(),
            polled_queues: sum(&functions, &|id| within(id, "Queue: !GetAtt")),
            // Lambda's own default is the last.
            usual_memory: megabytes(&["Globals", "Function"]).unwrap_or(128),
            memory: functions.iter().filter_map(own).collect(),
        }
    }

    /// Memory in MB of the function in this folder.
    pub fn memory(&self, function: &str) -> u64 {
        let id: String = function.split('-').map(capitalized).collect();
        self.memory.get(&id).copied().unwrap_or(self.usual_memory)
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_and_code_give_the_deployed_resources() {
        let deployed = Deployed::read();
        assert_eq!((deployed.polled_queues, deployed.remembered_s), (3, 60));
        assert_eq!(deployed.memory("create-payment"), 256);
        assert!(deployed.metrics > 0 && deployed.alarm_metrics > 0, "{deployed:?}");
    }

    #[test]
    fn a_functions_own_memory_overrides_the_global() {
        let text = Template::read().text();
        let (before, after) =
            text.split_once("    Properties:\n      FunctionName: !Sub \"${AWS::StackName}-fold-balance\"").unwrap();
        let text = format!("{before}    Properties:\n      MemorySize: 512\n{after}");
        let deployed = Deployed::of(&Template::of(&text), 0);
        assert_eq!((deployed.memory("fold-balance"), deployed.memory("get-balance")), (512, 256));
    }
}
