//! The problems in the document.

use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema as _, SchemaGenerator};
use serde_json::{Map, Value, json};
use spillway_wire::ProblemBody;
use spillway_wire::contract::{Access, Endpoint, ProblemType, problem_types};

use crate::endpoints::Described;
use crate::operation::references;

/// The schema of a problem.
pub fn schema(generator: &mut SchemaGenerator) -> Value {
    ProblemBody::json_schema(generator).to_value()
}

/// All problems of an endpoint with their statuses, those of the gateway included.
fn of(endpoint: &Endpoint<()>) -> Vec<(u16, ProblemType)> {
    let gateway = problem_types::OF_THE_GATEWAY.into_iter().filter(|problem| match problem.status {
        401 => endpoint.access != Access::Public,
        // The gateway answers these only for unknown paths and methods.
        404 | 405 => false,
        _ => true,
    });
    let own = endpoint.all_problems().into_iter().chain(gateway).map(|problem| (problem.status, problem));
    own.chain(problem_types::OTHER_STATUSES).collect()
}

/// The problem answers of an endpoint by status. A status with a single type of problem is a reference.
pub fn responses(endpoint: &Endpoint<()>) -> Map<String, Value> {
    let response = |(status, problems): (u16, Types)| {
        let answer = match shared_name(status, &problems) {
            Some(name) => json!({"$ref": format!("#/components/responses/{name}")}),
            None => response(status, &problems),
        };
        (status.to_string(), answer)
    };
    by_status(endpoint).into_iter().map(response).collect()
}

/// The answers to which [`responses`] refers.
pub fn shared(described: &[Described]) -> Map<String, Value> {
    let every = described.iter().flat_map(|endpoint| by_status(&endpoint.contract));
    every
        .filter_map(|(status, problems)| Some((shared_name(status, &problems)?, response(status, &problems))))
        .collect()
}

/// Types of problems by code.
type Types = BTreeMap<&'static str, ProblemType>;

fn by_status(endpoint: &Endpoint<()>) -> BTreeMap<u16, Types> {
    let mut by_status: BTreeMap<u16, Types> = BTreeMap::new();
    for (status, problem) in of(endpoint) {
        by_status.entry(status).or_default().insert(problem.code, problem);
    }
    by_status
}

/// The name of a shared answer, such as `rate_limited_429`. None if the status has several types of problems.
fn shared_name(status: u16, problems: &Types) -> Option<String> {
    let code = problems.keys().next().filter(|_| problems.len() == 1)?;
    Some(format!("{code}_{status}"))
}

fn response(status: u16, problems: &Types) -> Value {
    let described: Vec<String> =
        problems.values().map(|problem| format!("`{}`: {}", problem.code, problem.remedy)).collect();
    let headers: &[&str] = if [429, 503].contains(&status) { &["Request-Id", "Retry-After"] } else { &["Request-Id"] };
    let schema = json!({"allOf": [
        {"$ref": "#/components/schemas/Problem"},
        {"type": "object", "properties": {
            "status": {"type": "integer", "const": status},
            "code": {"type": "string", "enum": problems.keys().collect::<Vec<_>>()},
        }},
    ]});
    json!({
        "description": described.join("\n\n"),
        "headers": references(headers),
        "content": {"application/problem+json": {"schema": schema}},
    })
}

/// A table of all types of problems in Markdown.
pub fn table(described: &[Described]) -> String {
    let every = described.iter().flat_map(|endpoint| of(&endpoint.contract));
    let every = every.chain(problem_types::OF_THE_GATEWAY.map(|problem| (problem.status, problem)));
    let mut statuses: BTreeMap<(u16, &str), (BTreeSet<u16>, &str)> = BTreeMap::new();
    for (status, problem) in every {
        let key = (problem.status, problem.code);
        statuses.entry(key).or_insert((BTreeSet::new(), problem.remedy)).0.insert(status);
    }
    let rows = statuses.into_iter().map(|((_, code), (statuses, remedy))| {
        let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
        format!("| `{code}` | {} | {remedy} |\n", statuses.join(", "))
    });
    "| code | status | what to do |\n|---|---|---|\n".to_owned() + &rows.collect::<String>()
}
