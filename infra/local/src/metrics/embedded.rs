//! Metrics in a function's log line, in CloudWatch's embedded metric format.

use serde_json::Value;

use super::series::Kind;
use crate::template::variable_name;

/// The values of one metric in a line.
pub(super) struct Embedded<'a> {
    /// The namespace and the metric in snake case, as `spillway_payments_succeeded`.
    name: String,
    unit: &'a str,
    pub help: String,
    pub dimensions: Vec<(String, &'a str)>,
    /// Whole numbers. Others are left out.
    pub values: Vec<u64>,
}

impl Embedded<'_> {
    /// The metric's names and kinds here. The format does not say whether a count is to be added up (requests) or is a
    /// gauge (what waits now): CloudWatch leaves that to the reader, who chooses a statistic. So a count has both.
    pub fn series(&self) -> Vec<(String, Kind)> {
        let name = &self.name;
        match self.unit {
            "Milliseconds" => vec![(format!("{name}_seconds"), Kind::Histogram)],
            "Seconds" => vec![(format!("{name}_seconds"), Kind::Gauge)],
            _ => vec![(format!("{name}_total"), Kind::Counter), (name.clone(), Kind::Gauge)],
        }
    }
}

/// The metrics of a line: none if it has no member `_aws`. Of several sets of dimensions, the first counts.
pub(super) fn read(fields: &Value) -> Vec<Embedded<'_>> {
    let directives = fields["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten();
    directives.flat_map(|directive| in_directive(fields, directive)).collect()
}

fn in_directive<'a>(fields: &'a Value, directive: &'a Value) -> impl Iterator<Item = Embedded<'a>> {
    let namespace = directive["Namespace"].as_str().unwrap_or_default();
    let dimensions = directive["Dimensions"][0].as_array().into_iter().flatten().filter_map(Value::as_str);
    let dimensions: Vec<_> = dimensions.filter_map(|name| Some((snake_case(name), fields[name].as_str()?))).collect();
    let metrics = directive["Metrics"].as_array().into_iter().flatten();
    metrics.filter_map(move |metric| {
        let name = metric["Name"].as_str()?;
        let values = match &fields[name] {
            Value::Array(values) => values.iter().filter_map(Value::as_u64).collect(),
            one => one.as_u64().into_iter().collect(),
        };
        Some(Embedded {
            name: format!("{}_{}", snake_case(namespace), snake_case(name)),
            unit: metric["Unit"].as_str().unwrap_or_default(),
            help: format!("The metric {name} of {namespace} in CloudWatch."),
            dimensions: dimensions.clone(),
            values,
        })
    })
}

/// `PaymentsSucceeded` as `payments_succeeded`. A character that a name can't have becomes `_`.
fn snake_case(name: &str) -> String {
    variable_name(name).to_ascii_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}
