//! The template as tests see it: one document, as the runner reads it, and changed copies of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spillway_local::template_document;

/// The nested stack of the system's template.
const NESTED: &str = "watch.yaml";

/// A template. `!Ref Table` is `{"Ref": "Table"}`, `!GetAtt Table.Arn` is `{"Fn::GetAtt": "Table.Arn"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    document: Value,
}

/// A route of the template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Folder of the function.
    pub function: String,
    /// In capitals.
    pub method: String,
    /// `/v1/payments/{payment_id}`.
    pub path: String,
    /// Whether it needs no API key.
    pub public: bool,
}

/// Path of the system's template.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("infra/template.yaml")
}

/// The variable of the local runner that sets a parameter: `FIRST_DUE_SECONDS` for `FirstDueSeconds`.
pub fn knob(parameter: &str) -> String {
    let mut knob = String::new();
    for (place, letter) in parameter.char_indices() {
        if letter.is_uppercase() && place > 0 {
            knob.push('_');
        }
        knob.push(letter.to_ascii_uppercase());
    }
    knob
}

impl Template {
    /// The system's template.
    pub fn read() -> Template {
        Template::file(&path())
    }

    /// The nested stack of the system's template.
    pub fn nested() -> Template {
        Template::file(&path().with_file_name(NESTED))
    }

    /// The template in this file.
    pub fn file(path: &Path) -> Template {
        let text = fs::read_to_string(path).unwrap();
        Template { document: template_document(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())) }
    }

    /// Without the triggers of dispatch-changes, the consumers and the schedule: tests invoke those functions themselves.
    pub fn without_triggers() -> Template {
        Template::without_events(&["DispatchChanges", "CallProcessor", "FoldBalance", "DeliverWebhook", "EnqueueDue"])
    }

    /// Without the routes and triggers of these functions.
    pub fn without_events(functions: &[&str]) -> Template {
        let read = Template::read();
        functions
            .iter()
            .fold(read, |template, function| template.without(&["Resources", function, "Properties", "Events"]))
    }

    /// Without the value at this path of keys.
    pub fn without(mut self, path: &[&str]) -> Template {
        let (key, parent) = path.split_last().unwrap();
        let removed = self.at_mut(parent).as_object_mut().and_then(|entries| entries.remove(*key));
        assert!(removed.is_some(), "the template has no {}", path.join("."));
        self
    }

    /// With another value at this path of keys, which the template has.
    pub fn with(mut self, path: &[&str], value: impl Into<Value>) -> Template {
        *self.at_mut(path) = value.into();
        self
    }

    /// With `to` in the place of the first text `from` within the value at this path of keys.
    pub fn replacing(mut self, path: &[&str], from: &str, to: &str) -> Template {
        assert!(replace(self.at_mut(path), from, to), "{} has no {from}", path.join("."));
        self
    }

    /// With lower bounds that allow these knobs: tests use times that no deployment may have.
    pub fn allowing(mut self, knobs: &BTreeMap<String, String>) -> Template {
        for (parameter, described) in self.at_mut(&["Parameters"]).as_object_mut().unwrap() {
            let value = knobs.get(&knob(parameter)).and_then(|value| value.parse::<i64>().ok());
            if let (Some(bound), Some(value)) = (described["MinValue"].as_i64(), value)
                && value < bound
            {
                described["MinValue"] = value.into();
            }
        }
        self
    }

    /// The value at this path of keys.
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.document, |value, key| value.get(key))
    }

    /// The names right below `path`.
    pub fn keys(&self, path: &[&str]) -> Vec<&str> {
        let entries = self.get(path).and_then(Value::as_object);
        entries.into_iter().flat_map(|entries| entries.keys().map(String::as_str)).collect()
    }

    /// The properties of each resource of this type, by the resource's name.
    pub fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let resources = self.document["Resources"].as_object().unwrap().iter();
        let wanted = resources.filter(|(_, resource)| resource["Type"] == kind);
        wanted.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
    }

    /// The events of all functions: folder of the function, type, properties.
    pub fn events(&self) -> Vec<(&str, &str, &Value)> {
        let functions = self.of_type("AWS::Serverless::Function").into_values();
        let events = functions.flat_map(|function| {
            let folder = folder(function);
            let events = function["Events"].as_object().into_iter().flat_map(|events| events.values());
            events.map(move |event| (folder, event["Type"].as_str().unwrap(), &event["Properties"]))
        });
        events.collect()
    }

    /// All routes.
    pub fn routes(&self) -> Vec<Route> {
        let routes = self.events().into_iter().filter(|(_, kind, _)| *kind == "Api");
        let routes = routes.map(|(function, _, properties)| Route {
            function: function.to_owned(),
            method: properties["Method"].as_str().unwrap().to_uppercase(),
            path: properties["Path"].as_str().unwrap().to_owned(),
            public: properties["Auth"]["Authorizer"] == "NONE",
        });
        routes.collect()
    }

    /// As JSON, which is YAML too.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(&self.document).unwrap()
    }

    /// Writes it to `path`, and beside it the nested stack that it names.
    pub fn write(&self, path: &Path) {
        fs::write(path, self.text()).unwrap();
        fs::copy(self::path().with_file_name(NESTED), path.with_file_name(NESTED)).unwrap();
    }

    fn at_mut(&mut self, path: &[&str]) -> &mut Value {
        let found = path.iter().try_fold(&mut self.document, |value, key| value.get_mut(key));
        found.unwrap_or_else(|| panic!("the template has no {}", path.join(".")))
    }
}

/// The folder of a function with these properties.
pub fn folder(function: &Value) -> &str {
    let uri = function["CodeUri"]["Fn::Sub"].as_str().unwrap();
    uri.strip_prefix("../functions/").unwrap_or_else(|| panic!("{uri} is outside of functions/"))
}

/// Replaces `from` in the first text that has it, and says whether there is one.
fn replace(value: &mut Value, from: &str, to: &str) -> bool {
    match value {
        Value::String(text) if text.contains(from) => {
            *text = text.replacen(from, to, 1);
            true
        }
        Value::Array(items) => items.iter_mut().any(|item| replace(item, from, to)),
        Value::Object(entries) => entries.values_mut().any(|entry| replace(entry, from, to)),
        _ => false,
    }
}
