//! Alarms and dashboard look at what there is: an alarm on a metric that nobody emits would be silent for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spillway_tests::Template;
use spillway_tests::metrics::{OWN, emitted};

use super::the_template_fits::{expanded, of};

/// A metric as it is found in CloudWatch: namespace, name, names of its dimensions.
pub(super) type Metric = (String, String, Vec<String>);

/// What AWS emits by itself, as its documentation has it: namespace, dimensions, names.
pub(super) const OF_AWS: [(&str, &[&str], &[&str]); 6] = [
    // Without detailed metrics, by API and stage only.
    ("AWS/ApiGateway", &["ApiName", "Stage"], &["Count", "4XXError", "5XXError", "Latency", "IntegrationLatency"]),
    ("AWS/Lambda", &["FunctionName"], &["Invocations", "Errors", "Throttles", "Duration", "IteratorAge"]),
    // Over all functions of the account and region.
    ("AWS/Lambda", &[], &["Throttles", "ConcurrentExecutions"]),
    ("AWS/SQS", &["QueueName"], &["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"]),
    (
        "AWS/DynamoDB",
        &["TableName"],
        &["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"],
    ),
    ("AWS/DynamoDB", &["TableName", "GlobalSecondaryIndexName"], &["ReadThrottleEvents", "WriteThrottleEvents"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The alarms of the template, which canaries name, and of its nested stack, by their names without the stack's.
fn alarms() -> BTreeMap<String, Value> {
    let named = [(Template::read(), "${AWS::StackName}-"), (Template::nested(), "${Stack}-watch-")].into_iter();
    let named = named.flat_map(|(template, prefix)| {
        let alarms = template.of_type("AWS::CloudWatch::Alarm").into_values().map(|alarm| {
            let name = text(&alarm["AlarmName"]["Fn::Sub"]);
            (name.strip_prefix(prefix).unwrap_or_else(|| panic!("{name}")).to_owned(), alarm.clone())
        });
        alarms.collect::<Vec<_>>()
    });
    named.collect()
}

/// The composite alarms by their names without the stack's.
fn composite_alarms() -> BTreeMap<String, Value> {
    let alarms =
        Template::nested().of_type("AWS::CloudWatch::CompositeAlarm").into_values().cloned().collect::<Vec<_>>();
    let name = |alarm: &Value| text(&alarm["AlarmName"]["Fn::Sub"]).strip_prefix("${Stack}-watch-").unwrap().to_owned();
    alarms.into_iter().map(|alarm| (name(&alarm), alarm)).collect()
}

/// The burn rates and windows of the Prometheus rules: `ratio1h > 14.4 * 0.0001` is (14.4, 1 h, in seconds).
fn burn_rates_of_rules() -> BTreeSet<(String, u64)> {
    let rules = fs::read_to_string(root().join("infra/dashboards/rules.yaml")).unwrap();
    let compared = rules.lines().filter_map(|line| line.split_once("spillway:errors:ratio")?.1.split_once(" > "));
    let seconds = |window: &str| {
        let (number, unit) = window.split_at(window.len() - 1);
        let unit = match unit {
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            other => panic!("{other}"),
        };
        number.parse::<u64>().unwrap() * unit
    };
    compared.map(|(window, rate)| (rate.strip_suffix(" * 0.0001").unwrap().to_owned(), seconds(window))).collect()
}

fn metrics_of_alarm(alarm: &Value) -> Vec<Metric> {
    let metric = |of: &Value| {
        let dimensions = of["Dimensions"].as_array().into_iter().flatten().map(|dimension| text(&dimension["Name"]));
        (text(&of["Namespace"]), text(&of["MetricName"]), dimensions.collect())
    };
    match alarm["Metrics"].as_array() {
        None => vec![metric(alarm)],
        Some(several) => {
            several.iter().filter_map(|one| one.get("MetricStat")).map(|it| metric(&it["Metric"])).collect()
        }
    }
}

fn dashboard() -> Vec<Value> {
    let nested = Template::nested();
    let [dashboard] = nested.of_type("AWS::CloudWatch::Dashboard").into_values().collect::<Vec<_>>()[..] else {
        panic!("one dashboard is expected");
    };
    let body: Value = serde_json::from_str(dashboard["DashboardBody"]["Fn::Sub"].as_str().unwrap()).unwrap();
    body["widgets"].as_array().unwrap().clone()
}

/// The metric of a search.
pub(super) fn searched(search: &str) -> Metric {
    let (_, schema) = search.split_once('{').unwrap();
    let (schema, rest) = schema.split_once('}').unwrap();
    let (_, name) = rest.split_once("MetricName=\"").unwrap();
    let mut schema = schema.split(',').map(str::to_owned);
    (schema.next().unwrap(), name.split('"').next().unwrap().to_owned(), schema.collect())
}

/// Whether Spillway or AWS emits the metric.
pub(super) fn is_emitted((namespace, name, dimensions): &Metric, emitted: &BTreeSet<String>) -> bool {
    let own = namespace == OWN.0 && dimensions == &[OWN.1] && emitted.contains(name);
    let of_aws = |(theirs, by, names): &(&str, &[&str], &[&str])| {
        theirs == namespace && by == dimensions && names.contains(&name.as_str())
    };
    own || OF_AWS.iter().any(of_aws)
}

/// A line of a widget: namespace, name, then dimensions by name and value, then how it is drawn; or a search, as
/// `SEARCH('{AWS/Lambda,FunctionName} MetricName="Errors" …')`.
fn metric_of_line(line: &Value) -> Metric {
    let parts = line.as_array().unwrap();
    if let Some(search) = parts[0].get("expression") {
        return searched(&text(search));
    }
    let texts: Vec<String> = parts.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    (texts[0].clone(), texts[1].clone(), texts[2..].iter().step_by(2).cloned().collect())
}

#[test]
fn alarms_and_dashboard_use_every_own_metric() {
    let emitted = emitted();
    let alarms = alarms();
    let of_alarms = alarms.values().flat_map(metrics_of_alarm);
    let widgets = dashboard();
    let lines = widgets.iter().filter_map(|widget| widget["properties"]["metrics"].as_array()).flatten();
    let looked_at: BTreeSet<Metric> = of_alarms.chain(lines.map(metric_of_line)).collect();
    let unknown: Vec<_> = looked_at.iter().filter(|metric| !is_emitted(metric, &emitted)).collect();
    assert!(unknown.is_empty(), "nobody emits {unknown:?}");
    let own: BTreeSet<String> =
        looked_at.into_iter().filter(|(namespace, ..)| namespace == OWN.0).map(|(_, name, _)| name).collect();
    assert_eq!(own, emitted, "looked at, and emitted");
}

fn runbook(name: &str) -> String {
    fs::read_to_string(root().join(format!("docs/runbooks/{name}.md"))).unwrap()
}

/// The pages that the index lists under this title, in its order.
fn runbooks_listed(title: &str) -> impl Iterator<Item = String> {
    let index = runbook("README");
    let part = index.split("\n## ").find(|part| part.starts_with(title)).unwrap();
    let names = part.lines().filter_map(|line| line.strip_prefix("- [")?.split(']').next());
    names.map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[test]
fn the_index_of_runbooks_lists_each_page_once() {
    let files = fs::read_dir(root().join("docs/runbooks")).unwrap();
    let files = files.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let mut files: Vec<String> = files.filter(|name| name != "README").collect();
    files.sort();
    let mut listed: Vec<String> = runbooks_listed("Alarms").chain(runbooks_listed("Incidents")).collect();
    listed.sort();
    assert_eq!(listed, files);
    for name in &listed {
        let page = runbook(name);
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        assert!(runbook("README").contains(&format!("- [{name}]({name}.md): ")), "{name}");
        let parts = ["\n**Meaning.** ", "\n**Check.** ", "\n**Act.**", "\n**End.** "];
        // An alarm's end shows itself.
        let needed = if runbooks_listed("Incidents").any(|incident| incident == *name) { 4 } else { 3 };
        let places: Vec<_> = parts[..needed].iter().map(|part| page.find(part)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{name}: {places:?}");
    }
}

#[test]
fn every_alarm_has_a_runbook_and_treats_missing_data() {
    let (mut alarms, composite) = (alarms(), composite_alarms());
    // The alarms of single windows send no notification and have no page.
    alarms.retain(|name, _| !name.contains("errors-in-"));
    let mut names: Vec<_> = alarms.keys().chain(composite.keys()).cloned().collect();
    names.sort();
    assert_eq!(runbooks_listed("Alarms").collect::<Vec<_>>(), names);
    for (name, alarm) in alarms.iter().chain(&composite) {
        let description = text(&alarm["AlarmDescription"]["Fn::Sub"]);
        assert!(description.ends_with(&format!(". ${{RunbookUrl}}/{name}.md")), "{name}");
        assert_eq!(alarm["TreatMissingData"].is_string(), !composite.contains_key(name), "{name}");
        // CloudWatch computes an alarm from ten metrics at most.
        assert!(alarms.get(name).map_or(0, |alarm| metrics_of_alarm(alarm).len()) <= 10, "{name}");
        // One is for deployments, not for people.
        let told = name != "canary-errors";
        assert_eq!(alarm["AlarmActions"]["Fn::If"][0] == "HasAlarmTopic", told, "{name}");
        // What has happened does not stop being so: only the end of a state is news.
        let tells_events =
            ["overdue-work", "late-charges", "operations-called-again", "unreadable-items", "webhooks-given-up"]
                .contains(&name.as_str());
        assert_eq!(alarm["OKActions"].is_object(), told && !tells_events, "{name}");
    }
    let shown = dashboard().into_iter().flat_map(|widget| widget["properties"]["alarms"].as_array().cloned());
    let shown: BTreeSet<String> =
        shown.flatten().map(|arn| text(&arn).rsplit_once(":alarm:").unwrap().1.to_owned()).collect();
    let names = alarms.values().chain(composite.values());
    let names = names.map(|alarm| text(&alarm["AlarmName"]["Fn::Sub"]).replace("${AWS::StackName}", "${Stack}"));
    assert_eq!(shown, names.collect(), "what the dashboard shows");
}

#[test]
fn alarms_watch_the_same_burn_rates_as_the_rules_of_prometheus() {
    let nested = Template::nested();
    let windows = nested.of_type("AWS::CloudWatch::Alarm");
    let windows: BTreeMap<_, _> = windows.into_iter().filter(|(name, _)| name.contains("ErrorsIn")).collect();
    let watched = windows.values().map(|alarm| {
        let periods: BTreeSet<u64> = alarm["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|each| each["MetricStat"]["Period"].as_u64())
            .collect();
        let [period] = periods.into_iter().collect::<Vec<_>>()[..] else { panic!("one window is expected: {alarm}") };
        assert!(text(&alarm["Metrics"][0]["Expression"]).ends_with(", errors / requests / 0.0001, 0)"), "{alarm}");
        assert!(alarm.get("AlarmActions").is_none(), "{alarm}");
        (alarm["Threshold"].to_string(), period)
    });
    assert_eq!(watched.collect::<BTreeSet<_>>(), burn_rates_of_rules());
    // Each pair has the same rate: the long window needs five errors, the short one has a twelfth of its length.
    let composite = composite_alarms();
    let rules = composite.values().map(|alarm| text(&alarm["AlarmRule"]["Fn::Sub"])).collect::<Vec<_>>().join(" OR ");
    let pairs: Vec<Vec<&Value>> = rules
        .split(" OR ")
        .map(|pair| pair.split("ALARM(\"${").skip(1).map(|rest| windows[rest.split('}').next().unwrap()]).collect())
        .collect();
    assert_eq!(pairs.iter().flatten().count(), windows.len());
    for pair in pairs {
        let [long, short] = pair[..] else { panic!("two windows are expected: {pair:?}") };
        assert_eq!(long["Threshold"], short["Threshold"]);
        let period = |alarm: &Value| alarm["Metrics"][1]["MetricStat"]["Period"].as_u64().unwrap();
        assert_eq!(period(long), 12 * period(short));
        assert!(text(&long["Metrics"][0]["Expression"]).starts_with("IF(errors >= 5,"), "{long}");
    }
}

#[test]
fn log_widgets_read_the_groups_of_functions() {
    let widgets = dashboard();
    let queries =
        widgets.iter().filter(|widget| widget["type"] == "log").map(|widget| text(&widget["properties"]["query"]));
    let groups: Vec<String> = queries
        .flat_map(|query| {
            query.split("SOURCE '").skip(1).map(|rest| rest.split('\'').next().unwrap().to_owned()).collect::<Vec<_>>()
        })
        .collect();
    assert!(!groups.is_empty());
    for group in groups {
        let function = group.strip_prefix("/aws/lambda/${Stack}-").unwrap_or_else(|| panic!("{group}"));
        assert!(root().join("functions").join(function).is_dir(), "{group}");
    }
}

#[test]
fn the_nested_stack_is_given_what_its_parameters_say() {
    let (template, nested) = (Template::read(), Template::nested());
    let given = template.get(&["Resources", "Watch", "Properties", "Parameters"]).unwrap().as_object().unwrap();
    assert_eq!(given.keys().map(String::as_str).collect::<Vec<_>>(), nested.keys(&["Parameters"]));
    for (name, value) in given {
        match name.as_str() {
            "Stack" => assert_eq!(value, &json!({"Ref": "AWS::StackName"})),
            "Release" => assert_eq!(value, env!("CARGO_PKG_VERSION")),
            "Alarms" => assert_eq!(value, &json!({"Ref": "Alarms"})),
            "AlarmTopic" => {
                let topics = json!(["HasAlarmTopic", {"Ref": "AlarmTopic"}, {"Ref": "AlarmTopicArn"}]);
                assert_eq!(value["Fn::If"], topics);
            }
            queue if template.of_type("AWS::SQS::Queue").contains_key(queue) => {
                assert_eq!(value, &json!({"Fn::GetAtt": format!("{queue}.QueueName")}));
            }
            "Table" => assert_eq!(value["Fn::If"], json!(["OwnsTable", {"Ref": "Table"}, {"Ref": "ExistingTable"}])),
            // What Ref gives of a function is its name.
            other => assert_eq!(value, &json!({"Ref": other})),
        }
    }
}

/// The resources that an alarm's dimensions name. A parameter of the nested stack has the name of its resource.
fn watched_by(alarm: &Value) -> BTreeSet<String> {
    let several = alarm["Metrics"].as_array().into_iter().flatten().filter_map(|one| one.get("MetricStat"));
    let metrics = several.map(|it| &it["Metric"]).chain([alarm]);
    let dimensions = metrics.flat_map(|metric| metric["Dimensions"].as_array().into_iter().flatten());
    let names = dimensions.filter_map(|dimension| {
        let value = &dimension["Value"];
        value["Ref"].as_str().filter(|name| !["Stack", "AWS::StackName"].contains(name))
    });
    names.map(str::to_owned).collect()
}

#[test]
fn every_consumer_and_queue_is_watched() {
    let template = expanded(&[]);
    let alarms = alarms();
    let watched = |alarm: &str| watched_by(&alarms[alarm]);
    let named = |value: &Value| value["Fn::GetAtt"][0].as_str().map(str::to_owned);
    let queues = of(&template, "AWS::SQS::Queue");
    let dead_letters = queues.values().filter_map(|queue| named(&queue["RedrivePolicy"]["deadLetterTargetArn"]));
    assert_eq!(dead_letters.collect::<BTreeSet<_>>(), watched("dead-letters"));
    let mappings = of(&template, "AWS::Lambda::EventSourceMapping");
    let polled = mappings.values().filter_map(|mapping| named(&mapping["EventSourceArn"]));
    let polled: BTreeSet<_> = polled.filter(|name| queues.contains_key(name.as_str())).collect();
    assert_eq!(polled, watched("queue-age"));
    // The functions that no client waits for: each has a mapping or a schedule.
    let consumers = mappings.values().map(|mapping| text(&mapping["FunctionName"]["Ref"]));
    let consumers: BTreeSet<_> = consumers.map(|alias| alias.trim_end_matches("Aliaslive").to_owned()).collect();
    let mut behind = watched("function-errors");
    assert!(behind.remove("EnqueueDue"));
    assert_eq!(consumers, behind);
}

#[test]
fn saved_queries_search_the_log_of_each_function() {
    let name = |group: &Value, stack: &str| {
        let name = text(&group["Fn::Sub"]);
        name.strip_prefix(&format!("/aws/lambda/{stack}-")).unwrap_or_else(|| panic!("{name}")).to_owned()
    };
    let template = Template::read();
    let groups = template.of_type("AWS::Logs::LogGroup").into_values().map(|group| &group["LogGroupName"]);
    let groups = groups.filter(|group| text(&group["Fn::Sub"]).starts_with("/aws/lambda/"));
    let groups: BTreeSet<String> = groups.map(|group| name(group, "${AWS::StackName}")).collect();
    let nested = Template::nested();
    let queries = nested.of_type("AWS::Logs::QueryDefinition");
    assert!(queries.len() > 1 && groups.contains("create-payment"), "{groups:?}");
    for (id, query) in queries {
        let searched = query["LogGroupNames"].as_array().unwrap();
        assert_eq!(searched.iter().map(|group| name(group, "${Stack}")).collect::<BTreeSet<_>>(), groups, "{id}");
    }
}
