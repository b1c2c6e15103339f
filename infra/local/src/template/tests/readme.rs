//! README.md lists the types and events that the runner reads or passes over.

use std::collections::BTreeSet;

use super::super::resources::{PASSED_OVER, SERVED};
use super::read;

const README: &str = include_str!("../../../README.md");

/// The words in backticks in the part of the README under `title`, as `AWS::SQS::Queue`.
fn named(title: &str) -> BTreeSet<&'static str> {
    let part = README.split("\n## ").find(|part| part.starts_with(title)).unwrap();
    part.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_readme_lists_every_type() {
    let types =
        |title| named(title).into_iter().filter(|word| word.matches("::").count() == 2).collect::<BTreeSet<_>>();
    assert_eq!(types("What it runs"), BTreeSet::from(SERVED));
    assert_eq!(types("What it passes over"), PASSED_OVER.iter().map(|(kind, _)| *kind).collect());
}

#[test]
fn the_readme_lists_every_event() {
    let listed = README.lines().filter_map(|line| line.strip_prefix("| event `")?.split('`').next());
    for event in listed.chain(["Cron"]) {
        let template = format!(
            "Resources:\n  Table: {{Type: AWS::DynamoDB::Table}}\n  Work:\n    Type: AWS::Serverless::Function\n    \
             Properties: {{CodeUri: work, Events: {{Event: {{Type: {event}, Properties: {{}}}}}}}}\n"
        );
        let unknown = read(&template, &[]).unwrap_err().message.contains(&format!("does not know {event} events"));
        assert_eq!(unknown, event == "Cron", "{event}");
    }
}

#[test]
fn the_readme_lists_intrinsics_that_are_known() {
    let intrinsics = README.lines().find_map(|line| line.strip_prefix("| intrinsics |")).unwrap();
    let intrinsics = intrinsics.split('`').skip(1).step_by(2).filter(|name| name.starts_with("Fn::"));
    for name in intrinsics.chain(["Fn::FindInMap"]) {
        let place =
            if ["Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or"].contains(&name) { "Conditions" } else { "Resources" };
        let template = match place {
            "Conditions" => format!("Conditions: {{Is: {{'{name}': x}}}}\nResources: {{}}\n"),
            _ => format!(
                "Resources: {{Table: {{Type: AWS::DynamoDB::Table, Properties: {{TableName: {{'{name}': {{}}}}}}}}}}\n"
            ),
        };
        let message = read(&template, &[]).unwrap_err().message;
        let unknown = message.contains("does not know") || message.contains("is no condition");
        assert_eq!(unknown, name == "Fn::FindInMap", "{name}: {message}");
    }
}
