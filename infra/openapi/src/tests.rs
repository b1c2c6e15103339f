//! The document, the functions, the template and the README list the same endpoints, events, scopes and problems.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use schemars::SchemaGenerator;
use spillway_domain::api_key::Scope;
use spillway_domain::event::EventType;
use spillway_tests::Template;
use spillway_tests::template::Route;
use spillway_wire::Deprecation;
use spillway_wire::contract::{Access, Limit};

use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().parent().unwrap().to_owned()
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

fn all() -> Vec<Described> {
    described(&mut SchemaGenerator::default())
}

#[test]
fn the_committed_document_is_up_to_date() {
    assert!(read("docs/openapi.json") == text(), "docs/openapi.json is not up to date: run `make openapi`");
}

#[test]
fn every_function_with_a_declaration_is_in_the_document() {
    let folders = fs::read_dir(root().join("functions")).unwrap().map(|entry| entry.unwrap().file_name());
    let functions = folders.map(|name| name.into_string().unwrap());
    let declares = |name: &String| read(&format!("functions/{name}/src/lib.rs")).contains("pub const ENDPOINT:");
    let functions: BTreeSet<String> = functions.filter(declares).collect();
    assert_eq!(all().iter().map(|endpoint| endpoint.function.to_owned()).collect::<BTreeSet<_>>(), functions);
}

#[test]
fn the_template_has_the_routes_of_the_document() {
    let declared = all().into_iter().map(|endpoint| {
        let Described { function, contract, .. } = endpoint;
        let public = contract.access == Access::Public;
        (function.to_owned(), contract.method.as_str().to_owned(), contract.path.to_owned(), public)
    });
    // HEAD is served like GET, without the body.
    let routes = Template::read().routes().into_iter().filter(|route| route.method != "HEAD");
    let routes = routes.map(|Route { function, method, path, public }| (function, method, path, public));
    assert_eq!(declared.collect::<BTreeSet<_>>(), routes.collect());
}

#[test]
fn the_readme_lists_the_endpoints_of_the_document() {
    let readme = read("README.md");
    let table = readme.split("## Endpoints\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let listed = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned);
    let declared = all().into_iter().map(|it| format!("{} {}", it.contract.method.as_str(), it.contract.path));
    assert_eq!(listed.collect::<BTreeSet<_>>(), declared.collect::<BTreeSet<_>>());
}

#[test]
fn every_id_in_a_path_is_declared() {
    for Described { contract, .. } in all() {
        let braces = contract.path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap());
        let declared = contract.path_ids.iter().map(|id| id.name);
        assert_eq!(declared.collect::<Vec<_>>(), braces.collect::<Vec<_>>(), "{}", contract.path);
    }
}

#[test]
fn every_event_has_a_sample_with_the_fields_of_its_object() {
    let document = document();
    for event in EventType::ALL.iter().copied() {
        let sample = events::sample(event);
        assert_eq!(sample["type"], event.as_str());
        let webhook = &document["webhooks"][event.as_str()]["post"];
        let body = &webhook["requestBody"]["content"]["application/json"]["schema"];
        let name = body["properties"]["data"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let required = document["components"]["schemas"][name]["required"].as_array().unwrap();
        let required: BTreeSet<&str> = required.iter().map(|field| field.as_str().unwrap()).collect();
        let shown: BTreeSet<&str> = sample["data"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(shown, required, "{event}");
        assert!(!webhook["description"].as_str().unwrap().starts_with(' '), "{event} has no description");
    }
}

/// Collects the problems in the gateway's settings.
fn bodies(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::String(text) if text.contains("/problems/") => found.push(serde_json::from_str(text).unwrap()),
        Value::Array(items) => items.iter().for_each(|item| bodies(item, found)),
        Value::Object(entries) => entries.values().for_each(|entry| bodies(entry, found)),
        _ => {}
    }
}

#[test]
fn every_problem_of_the_gateway_is_in_the_table() {
    let table = problems::table(&all());
    let rows = table.lines().skip(2).map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[2].split(", ").map(str::to_owned).collect::<BTreeSet<_>>())
    });
    let known: BTreeMap<String, BTreeSet<String>> = rows.collect();
    let template = Template::read();
    let api = template.get(&["Resources", "Api", "Properties"]).unwrap();
    let mut problems = Vec::new();
    bodies(api, &mut problems);
    assert!(problems.len() > 20, "{problems:?}");
    for problem in problems {
        let (status, code) = (problem["status"].to_string(), problem["code"].as_str().unwrap());
        assert!(known.get(code).is_some_and(|statuses| statuses.contains(&status)), "{status} {code}: {known:?}");
    }
}

#[test]
fn every_scope_is_in_the_samples_of_issue_api_key() {
    let all = json!(Scope::ALL);
    // The suite reads its list of scopes from the first sample.
    for sample in ["test-mode", "second"] {
        let sample = format!("events/issue-api-key/{sample}.json");
        assert_eq!(serde_json::from_str::<Value>(&read(&sample)).unwrap()["scopes"], all, "{sample}");
    }
    let template = Template::read();
    let command = template.get(&["Outputs", "IssueApiKeyCommand", "Value", "Fn::Sub"]).and_then(Value::as_str).unwrap();
    let event: Value = serde_json::from_str(command.split('\'').nth(1).unwrap()).unwrap();
    assert_eq!(event["scopes"], all, "{command}");
}

#[test]
fn a_deprecated_operation_or_field_is_marked() {
    let endpoints = all();
    let contract = &endpoints.iter().find(|endpoint| endpoint.function == "get-payment").unwrap().contract;
    let deprecated = |field| {
        let entry = Deprecation {
            method: contract.method,
            path: contract.path,
            field,
            instead: "Use `GET /v1/charges`.",
            since: "@1798761600",
            sunset: "Fri, 31 Dec 2027 00:00:00 GMT",
        };
        let mut operation = json!({"description": "A payment."});
        operation::deprecate(&mut operation, contract, &[entry]);
        operation
    };
    let until = "is deprecated, and may be gone from Fri, 31 Dec 2027 00:00:00 GMT on. Use `GET /v1/charges`.";
    let whole = json!({"description": format!("A payment.\n\nThis operation {until}"), "deprecated": true});
    assert_eq!(deprecated(None), whole);
    assert_eq!(deprecated(Some("fee")), json!({"description": format!("A payment.\n\nThe field `fee` {until}")}));
}

#[test]
fn the_usage_plans_have_the_limits_of_the_endpoints() {
    let template = Template::read();
    let routes = |plan: &str| {
        let throttle = &template.get(&["Resources", plan, "Properties", "ApiStages"]).unwrap()[0]["Throttle"];
        let rate = |(route, limits): (&String, &Value)| (route.clone(), limits["RateLimit"]["Ref"].clone());
        throttle.as_object().unwrap().iter().map(rate).collect::<BTreeMap<_, _>>()
    };
    for (plan, list_rate) in [("StandardPlan", "StandardPlanListRate"), ("HighPlan", "HighPlanListRate")] {
        let limited = all().into_iter().filter_map(|Described { contract, .. }| {
            let rate = match contract.limit {
                Limit::Plan => return None,
                Limit::List => list_rate,
                Limit::Balance => "BalanceRate",
            };
            Some((format!("{}/{}", contract.path, contract.method.as_str()), json!(rate)))
        });
        assert_eq!(routes(plan), limited.collect::<BTreeMap<_, _>>(), "{plan}");
    }
}

#[test]
fn every_problem_of_the_code_is_in_the_table() {
    let source = read("shared/wire/src/contract/problem_type.rs");
    let table = problems::table(&all());
    let codes = source.split("kind(").skip(2).filter_map(|call| call.split('"').nth(1));
    for code in codes {
        assert!(table.contains(&format!("| `{code}` |")), "{code}");
    }
}
