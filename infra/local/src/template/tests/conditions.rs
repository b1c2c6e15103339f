//! Conditions, and the values that depend on them.

use super::{SMALL, read};
use crate::template::TemplateError;

const CONDITIONS: &str = r#"
  Large: !Equals [!Ref Mode, large]
  Small: !Not [!Condition Large]
  Cached: !Not [!Equals [!Ref CacheSeconds, 0]]
  Both: !And [!Condition Large, !Condition Cached]
  Either: !Or [!Condition Large, !Condition Cached, !Condition Both]
  Here: !Equals [!Sub "${AWS::Partition}", aws]
"#;

/// The small template with these conditions, this value as the variable `TOLD`, and these resources behind all others.
fn template(conditions: &str, told: &str, resources: &str) -> String {
    let text = SMALL.replacen("Resources:\n", &format!("Conditions:{conditions}Resources:\n"), 1);
    text.replacen("MODE: !Ref Mode", &format!("TOLD: {told}"), 1) + resources
}

type Variables<'a> = &'a [(&'a str, &'a str)];

fn told(value: &str, resources: &str, variables: Variables<'_>) -> Result<Option<String>, TemplateError> {
    let template = read(&template(CONDITIONS, value, resources), variables)?;
    Ok(template.function("GetThing").unwrap().environment.get("TOLD").cloned())
}

#[test]
fn conditions_follow_the_parameters() {
    let cases: &[(&str, Variables, bool)] = &[
        ("Large", &[], false),
        ("Large", &[("MODE", "large")], true),
        ("Small", &[], true),
        ("Cached", &[("CACHE_SECONDS", "0")], false),
        ("Both", &[("MODE", "large")], true),
        ("Both", &[("MODE", "large"), ("CACHE_SECONDS", "0")], false),
        ("Either", &[("CACHE_SECONDS", "0")], false),
        ("Either", &[], true),
        ("Here", &[], true),
    ];
    for (condition, variables, holds) in cases {
        let value = told(&format!("!If [{condition}, yes it is, no it is not]"), "", variables).unwrap();
        let expected = if *holds { "yes it is" } else { "no it is not" };
        assert_eq!(value.as_deref(), Some(expected), "{condition} with {variables:?}");
    }
}

#[test]
fn a_property_without_a_value_is_absent() {
    assert_eq!(told("!Ref AWS::NoValue", "", &[]), Ok(None));
    assert_eq!(told("!If [Small, !Ref AWS::NoValue, x]", "", &[]), Ok(None));
    assert_eq!(told("!If [Large, x, !If [Cached, !Ref AWS::NoValue, y]]", "", &[]), Ok(None));
    let joined = told(r#"!Join [", ", [a, !If [Large, b, !Ref AWS::NoValue], !Ref Mode]]"#, "", &[]);
    assert_eq!(joined, Ok(Some("a, small".to_owned())));
}

const SOMETIMES: &str = r#"
  Sometimes:
    Type: AWS::SQS::Queue
    Condition: Large
  SometimesPassedOver:
    Type: AWS::SNS::Topic
    Condition: Large
"#;

#[test]
fn a_resource_is_there_when_its_condition_holds() {
    let queues = |variables| {
        let template = read(&template(CONDITIONS, "x", SOMETIMES), variables).unwrap();
        template.queues.iter().map(|queue| queue.logical_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(queues(&[]), ["Dead", "Work"]);
    assert_eq!(queues(&[("MODE", "large")]), ["Dead", "Work", "Sometimes"]);
}

#[test]
fn what_refers_to_a_resource_that_is_left_out_is_an_error_unless_it_is_not_taken() {
    for value in
        ["!Ref Sometimes", "!GetAtt Sometimes.Arn", "!Sub 'a ${Sometimes.Arn}'", "!If [Small, !Ref Sometimes, x]"]
    {
        let error = told(value, SOMETIMES, &[]).unwrap_err().to_string();
        assert!(error.ends_with("Sometimes is left out by its condition"), "{value}: {error}");
        assert!(told(value, SOMETIMES, &[("MODE", "large")]).is_ok(), "{value}");
    }
    assert!(told("!Ref SometimesPassedOver", SOMETIMES, &[]).is_err());
    assert_eq!(told("!If [Large, !Ref Sometimes, x]", SOMETIMES, &[]), Ok(Some("x".to_owned())));
}

#[test]
fn a_name_that_there_is_not_is_an_error() {
    let cases = [
        ("!If [Small, !Ref Tabel, x]", "there is nothing named Tabel"),
        ("!Sub '${Mode} of ${Tabel.Arn}'", "there is nothing named Tabel.Arn"),
        ("!If [Larg, a, b]", "there is no condition Larg"),
        ("!If [Large, a]", "Fn::If takes a condition and two values"),
        ("!Condition Large", "the runner does not know Condition"),
        ("!Join [a]", "Fn::Join takes a delimiter and a list"),
    ];
    for (value, expected) in cases {
        let error = told(value, "", &[]).unwrap_err().to_string();
        assert_eq!(error, format!("line 12: {expected}"), "{value}");
    }
    let unheld = SOMETIMES.replace("Condition: Large", "Condition: Larg");
    assert_eq!(told("x", &unheld, &[]).unwrap_err().to_string(), "line 109: there is no condition Larg");
}

#[test]
fn a_condition_that_makes_no_sense_is_an_error_with_its_line() {
    let cases = [
        ("!Equals [!Ref Mode]", "Fn::Equals compares two values"),
        ("!Equals [!Ref Table, a]", "there is nothing named Table"),
        ("!Not [!Condition A, !Condition B]", "Fn::Not takes one condition"),
        ("!And [!Condition B]", "from 2 to 10 conditions are expected here"),
        ("!Or [!Condition B, !Condition C]", "there is no condition C"),
        ("!Or [!Equals [a, a], true]", "a condition is expected here"),
        ("!Not [!Condition A]", "A depends on itself"),
        ("!If [B, a, b]", "Fn::If is no condition"),
        ("large", "a condition is expected here"),
    ];
    for (condition, expected) in cases {
        let conditions = format!("\n  A: {condition}\n  B: !Equals [a, a]\n");
        let error = read(&template(&conditions, "x", ""), &[]).unwrap_err().to_string();
        assert_eq!(error, format!("line 14: {expected}"), "{condition}");
    }
}

#[test]
fn parameters_that_do_not_go_together_are_told_as_the_rule_says_it() {
    let rules = r#"Rules:
  LargeIsCached:
    RuleCondition: !Equals [!Ref Mode, large]
    Assertions:
      - Assert: !Not [!Equals [!Ref CacheSeconds, "0"]]
        AssertDescription: Large needs a cache.
Resources:
"#;
    let text = SMALL.replacen("Resources:\n", rules, 1);
    assert!(read(&text, &[("MODE", "large")]).is_ok() && read(&text, &[("CACHE_SECONDS", "0")]).is_ok());
    let error = read(&text, &[("MODE", "large"), ("CACHE_SECONDS", "0")]).unwrap_err().to_string();
    assert_eq!(error, "line 17: Large needs a cache.");
    let unknown = text.replacen("RuleCondition", "RuleConditions", 1);
    let error = read(&unknown, &[]).unwrap_err().to_string();
    assert_eq!(error, "line 15: the runner does not know RuleConditions here");
}
