//! Nested stacks: only what the runner passes over, with the parameters that they need.

use std::path::PathBuf;

use super::{SMALL, around};
use crate::template::{Surroundings, Template, document};

const NESTED: &str = r#"
Parameters:
  Queue: {Type: String}
  Mode: {Type: String, Default: small}
Resources:
  Dashboard:
    Type: AWS::CloudWatch::Dashboard
    Properties: {DashboardName: !Ref Queue}
"#;

/// A folder of its own for one test, with `nested.yaml`.
fn folder(test: &str, nested: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("spillway-local-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("nested.yaml"), nested).unwrap();
    folder
}

/// Reads the small template with a nested stack that has these properties, and gives the error.
fn error(test: &str, nested: &str, properties: &str) -> Option<String> {
    let folder = folder(test, nested);
    let text = format!("{SMALL}  Nested: {{Type: AWS::CloudFormation::Stack, Properties: {properties}}}\n");
    let read = Template::read(&text, &Surroundings { folder: &folder, ..around(&|_| None) });
    std::fs::remove_dir_all(&folder).unwrap();
    read.err().map(|error| error.to_string())
}

const RIGHT: &str = "{TemplateURL: nested.yaml, Parameters: {Queue: !GetAtt Work.QueueName}}";

#[test]
fn a_nested_stack_of_passed_over_resources_is_accepted() {
    assert_eq!(error("accepted", NESTED, RIGHT), None);
}

#[test]
fn a_nested_stack_with_a_resource_that_must_run_is_refused() {
    let queue = NESTED.replace("AWS::CloudWatch::Dashboard", "AWS::SQS::Queue");
    let told = "line 99: nested.yaml, line 7: the runner has no part for AWS::SQS::Queue in a nested stack";
    assert_eq!(error("served", &queue, RIGHT).as_deref(), Some(told));
    let stack = NESTED.replace("AWS::CloudWatch::Dashboard", "AWS::CloudFormation::Stack");
    assert!(error("deeper", &stack, RIGHT).unwrap().contains("no part for AWS::CloudFormation::Stack"));
    let mappings = format!("{NESTED}Mappings: {{}}\n");
    assert!(
        error("mappings", &mappings, RIGHT).unwrap().contains("nested.yaml, line 9: the runner does not know Mappings")
    );
}

#[test]
fn a_nested_stack_that_cloudformation_would_refuse_is_refused() {
    let cases = [
        ("{TemplateURL: nested.yaml}", "the nested stack needs the parameter Queue"),
        ("{TemplateURL: nested.yaml, Parameters: {Queue: a, Quue: b}}", "the nested stack has no parameter Quue"),
        ("{TemplateURL: nested.yaml, Parameters: {Queue: [a]}}", "a string is expected here"),
        ("{Parameters: {Queue: a}}", "TemplateURL is missing"),
        ("{TemplateURL: missing.yaml, Parameters: {Queue: a}}", "missing.yaml can't be read"),
        ("{TemplateURL: nested.yaml, Parameters: {Queue: !Ref Wrok}}", "there is nothing named Wrok"),
        ("{TemplateURL: nested.yaml, TimeoutInMinutes: 5}", "the runner does not know TimeoutInMinutes here"),
    ];
    for (properties, told) in cases {
        let error = error("refused", NESTED, properties).unwrap();
        assert!(error.contains(told), "{properties}: {error}");
    }
}

#[test]
fn an_alias_is_a_copy_of_what_its_anchor_marks() {
    let text = "a: &all !If [Small, [!Ref Mode], !Ref AWS::NoValue]\nb: *all\nc: {d: &one x, e: [*one]}\n";
    let told = document(text).unwrap();
    assert_eq!(told["b"], told["a"]);
    assert_eq!(told["b"]["Fn::If"][1][0]["Ref"], "Mode");
    assert_eq!(told["c"]["e"][0], "x");
    assert!(document("a: *none\n").is_err());
}
