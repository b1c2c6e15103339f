//! What the template says of functions, triggers and queues, with the defaults of its parameters.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// The name of the table in the runs.
pub const TABLE: &str = "spillway";

/// The template, with changed parameters.
#[derive(Clone, Debug)]
pub struct Template {
    document: Value,
    changed: BTreeMap<String, u64>,
}

impl Template {
    /// `infra/template.yaml` with the defaults of its parameters.
    pub fn read() -> Template {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/template.yaml");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let document = spillway_local::template_document(&text).unwrap_or_else(|error| panic!("{error}"));
        Template { document, changed: BTreeMap::new() }
    }

    /// The same with another value of a parameter.
    #[must_use]
    pub fn with(mut self, parameter: &str, value: u64) -> Template {
        assert!(self.document["Parameters"][parameter].is_object(), "the template has no parameter {parameter}");
        self.changed.insert(parameter.to_owned(), value);
        self
    }

    /// The request that creates the table.
    pub fn create_table(&self) -> Value {
        let properties = &self.document["Resources"]["Table"]["Properties"];
        let mut indexes = properties["GlobalSecondaryIndexes"].clone();
        for index in indexes.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            index.retain(|name, _| ["IndexName", "KeySchema", "Projection"].contains(&name.as_str()));
        }
        json!({"TableName": TABLE, "BillingMode": "PAY_PER_REQUEST", "KeySchema": properties["KeySchema"],
            "AttributeDefinitions": properties["AttributeDefinitions"], "GlobalSecondaryIndexes": indexes})
    }

    /// The function with this logical id, such as `CallProcessor`.
    pub fn function(&self, id: &str) -> FunctionSettings {
        let properties = &self.document["Resources"][id]["Properties"];
        assert!(properties.is_object(), "the template has no function {id}");
        let globals = &self.document["Globals"]["Function"];
        let of = |name: &str| match &properties[name] {
            Value::Null => &globals[name],
            own => own,
        };
        let seconds = |value: &Value| Duration::from_secs(self.number(value));
        let variables = [&globals["Environment"]["Variables"], &properties["Environment"]["Variables"]];
        let variables = variables.into_iter().filter_map(Value::as_object).flatten();
        let environment = variables.map(|(name, value)| (name.clone(), self.text(value)));
        let event = properties["Events"].as_object().and_then(|events| events.values().next()).cloned();
        let trigger = event.unwrap_or_default()["Properties"].clone();
        FunctionSettings {
            memory_mb: self.number(of("MemorySize")),
            timeout: seconds(of("Timeout")),
            environment: environment.collect(),
            batch_size: usize::try_from(self.number(&trigger["BatchSize"])).unwrap(),
            window: seconds(&trigger["MaximumBatchingWindowInSeconds"]),
            concurrency_max: usize::try_from(self.number(&trigger["ScalingConfig"]["MaximumConcurrency"])).unwrap(),
        }
    }

    /// How long a received message of a queue is hidden, and how often it is received until it is a dead letter.
    pub fn queue(&self, id: &str) -> (Duration, u64) {
        let properties = &self.document["Resources"][id]["Properties"];
        let visibility = Duration::from_secs(self.number(&properties["VisibilityTimeout"]));
        (visibility, self.number(&properties["RedrivePolicy"]["maxReceiveCount"]))
    }

    fn text(&self, value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Object(map) => match map.get("Ref").and_then(Value::as_str) {
                Some(name) => match self.changed.get(name) {
                    Some(changed) => changed.to_string(),
                    None => match &self.document["Parameters"][name]["Default"] {
                        Value::Null => name.to_owned(),
                        default => self.text(default),
                    },
                },
                // The one intrinsic of the variables: the stack's own table, or another.
                None => TABLE.to_owned(),
            },
            other => other.to_string(),
        }
    }

    /// A number. 0 if there is none.
    fn number(&self, value: &Value) -> u64 {
        if value.is_null() { 0 } else { self.text(value).parse().unwrap_or_default() }
    }
}

/// What the template says of a function and of its first trigger.
#[derive(Clone, Debug)]
pub struct FunctionSettings {
    /// `MemorySize`.
    pub memory_mb: u64,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Its variables. A queue's is its logical id.
    pub environment: BTreeMap<String, String>,
    /// Messages or records of one invocation.
    pub batch_size: usize,
    /// How long a batch is filled.
    pub window: Duration,
    /// Invocations at the same time. 0 if the template does not say.
    pub concurrency_max: usize,
}
