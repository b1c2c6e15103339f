//! Each function has the variables that it reads and no others. Without one of them, or with one of local stacks only,
//! it does not start and says why.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use serde_json::{Map, Value};
use spillway_tests::Stack;

use super::the_template_fits::{expanded, of};

type Variables = BTreeMap<String, String>;

/// Variables of Lambda itself that the code reads.
const LAMBDA: [(&str, &str); 4] = [
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "key"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
    ("AWS_SESSION_TOKEN", "token"),
];

/// Variables of each function in the template, by folder. Parameters have their defaults, other references a
/// placeholder.
fn given() -> BTreeMap<String, Variables> {
    let template = expanded(&[]);
    let functions = of(&template, "AWS::Lambda::Function").into_values();
    functions
        .map(|function| {
            // Packaged by `infra/tools/expand.py`.
            let folder = function["Code"]["S3Key"].as_str().unwrap();
            let variables = function["Environment"]["Variables"].as_object().unwrap();
            let values = variables.iter().map(|(name, value)| (name.clone(), value_of(&template, value)));
            (folder.to_owned(), values.collect())
        })
        .collect()
}

fn value_of(template: &Map<String, Value>, value: &Value) -> String {
    match &template["Parameters"][value["Ref"].as_str().unwrap_or_default()]["Default"] {
        Value::Null => "a-resource".to_owned(),
        Value::String(text) => text.clone(),
        number => number.to_string(),
    }
}

/// Starts a function with exactly these variables. Without a Runtime API it ends in any case.
fn start(function: &str, variables: &Variables) -> Output {
    let mut command = Command::new(Stack::runner().with_file_name(function));
    command.env_clear().envs(LAMBDA).envs(variables);
    let output = command.output().unwrap_or_else(|error| panic!("{function}: {error}"));
    assert!(!output.status.success(), "{function}: {output:?}");
    output
}

/// The line of a function that does not start; `None` if it got as far as its Runtime API.
fn refusal(function: &str, variables: &Variables) -> Option<String> {
    let output = start(function, variables);
    let [shown, message] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    if shown.contains("lambda_runtime") {
        return None;
    }
    let line = message.trim_end().strip_prefix("Error: ").filter(|line| line.lines().count() == 1);
    Some(line.unwrap_or_else(|| panic!("{function} ended otherwise: {shown}{message}")).to_owned())
}

/// Variables that the function reads: each is named if it is missing, or if it may be missing, when it is wrong.
fn read(function: &str, given: &Variables) -> BTreeSet<String> {
    let mut set = Variables::new();
    while let Some(message) = refusal(function, &set) {
        let (name, _) = message.split_once(" is not set. ").unwrap_or_else(|| panic!("{function}: {message}"));
        let value = given.get(name).cloned().unwrap_or_else(|| "1".to_owned());
        assert_eq!(set.insert(name.to_owned(), value), None, "{function} is given {name}");
    }
    let refuses = |name: &String| {
        let wrong = set.clone().into_iter().chain([(name.clone(), "?".to_owned())]).collect();
        refusal(function, &wrong).is_some_and(|message| message.contains(&format!("variable {name} must be")))
    };
    let optional = given.keys().filter(|name| !set.contains_key(*name) && refuses(name));
    optional.chain(set.keys()).cloned().collect()
}

#[test]
fn a_function_has_exactly_the_variables_that_it_reads() {
    let given = given();
    assert!(given.len() >= 17, "{} functions", given.len());
    for (function, variables) in given {
        assert_eq!(read(&function, &variables), variables.into_keys().collect(), "{function}");
    }
}

#[test]
fn a_function_without_variables_names_the_missing_one() {
    let message = refusal("create-payment", &Variables::new());
    let expected = "TABLE_NAME is not set. Run the stack with \"make dev\", then: \
                    cargo lambda watch --env-file .local/functions.env --invoke-port 9001";
    assert_eq!(message.as_deref(), Some(expected));
}

#[test]
fn a_deployed_function_refuses_to_send_webhooks_to_itself() {
    let given = given();
    for function in ["create-webhook-endpoint", "update-webhook-endpoint", "deliver-webhook"] {
        let with = |more: &[(&str, &str)]| {
            let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            refusal(function, &given[function].clone().into_iter().chain(more).collect())
        };
        assert_eq!(with(&[]), None, "{function}");
        let message = with(&[("WEBHOOK_LOOPBACK", "true")]).unwrap_or_else(|| panic!("{function} starts"));
        assert!(message.starts_with("WEBHOOK_LOOPBACK is for stacks whose table is on this machine"), "{message}");
        // As on a local stack, and on one at an emulator.
        for endpoint in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"] {
            let local = [("WEBHOOK_LOOPBACK", "true"), (endpoint, "http://127.0.0.1:9")];
            assert_eq!(with(&local), None, "{function}");
            // The variable that only Lambda sets.
            let message = with(&[local[0], local[1], ("LAMBDA_RUNTIME_DIR", "/var/runtime")]);
            assert!(message.unwrap_or_else(|| panic!("{function} starts")).contains("never for Lambda"), "{function}");
        }
    }
}
