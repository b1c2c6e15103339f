//! Parameters reach everything that they are about, and an operator finds them in groups.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use spillway_tests::{Template, make};

use super::the_template_fits::{expanded, of};

/// The groups of the template's form: label and parameters.
fn groups(template: &Template) -> Vec<(String, Vec<String>)> {
    let groups = template.get(&["Metadata", "AWS::CloudFormation::Interface", "ParameterGroups"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let groups = groups.unwrap().as_array().unwrap().iter();
    let parameters = |group: &Value| group["Parameters"].as_array().unwrap().iter().map(text).collect();
    groups.map(|group| (text(&group["Label"]["default"]), parameters(group))).collect()
}

#[test]
fn every_parameter_is_in_one_group() {
    let template = Template::read();
    let mut grouped: Vec<String> = groups(&template).into_iter().flat_map(|(_, parameters)| parameters).collect();
    grouped.sort();
    let mut parameters = template.keys(&["Parameters"]);
    parameters.sort_unstable();
    assert_eq!(grouped, parameters);
}

#[test]
fn the_readme_has_the_parameters_in_the_same_groups() {
    let readme = fs::read_to_string(make::root().join("README.md")).unwrap();
    let part = readme.split("\n## ").find(|part| part.starts_with("Parameters")).unwrap();
    // A row that names a group has no other cell. A row of parameters begins with their names.
    let mut listed: Vec<(String, Vec<String>)> = Vec::new();
    for row in part.lines().filter_map(|line| line.strip_prefix("| ")) {
        let (first, _) = row.split_once(" |").unwrap();
        match first.strip_prefix("**").and_then(|label| label.strip_suffix("**")) {
            Some(label) => listed.push((label.to_owned(), Vec::new())),
            None if first.starts_with('`') => {
                let names = first.split('`').skip(1).step_by(2).map(str::to_owned);
                listed.last_mut().unwrap().1.extend(names);
            }
            None => {}
        }
    }
    assert_eq!(listed, groups(&Template::read()));
}

#[test]
fn every_role_has_path_and_boundary() {
    let template = expanded(&["Canary=true"]);
    let roles = of(&template, "AWS::IAM::Role");
    assert!(roles.contains_key("CodeDeployServiceRole") && roles.contains_key("EnqueueDueTickRole"));
    for (name, role) in roles {
        assert_eq!(role["Path"], json!({"Ref": "RolePath"}), "{name}");
        let boundary = json!({"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]});
        assert_eq!(role["PermissionsBoundary"], boundary, "{name}");
    }
}

#[test]
fn the_key_encrypts_all_that_is_stored() {
    let template = expanded(&[]);
    let key = json!({"Fn::If": ["HasKmsKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]});
    let kinds = [
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
    ];
    for (kind, property) in kinds {
        for (name, resource) in of(&template, kind) {
            assert_eq!(resource[property], key, "{name}");
        }
    }
    for (name, queue) in of(&template, "AWS::SQS::Queue") {
        // SQS refuses both at once.
        assert_eq!(queue["SqsManagedSseEnabled"], json!({"Fn::If": ["HasKmsKey", false, true]}), "{name}");
    }
    for table in of(&template, "AWS::DynamoDB::Table").into_values() {
        assert_eq!(table["SSESpecification"]["Fn::If"][1]["KMSMasterKeyId"], json!({"Ref": "KmsKeyArn"}));
    }
    let policy = json!({"Fn::If": ["HasKmsKey", {"Ref": "KeyPolicy"}, {"Ref": "AWS::NoValue"}]});
    let roles = of(&template, "AWS::IAM::Role");
    for name in of(&template, "AWS::Lambda::Function").into_keys() {
        let policies = roles[format!("{name}Role").as_str()]["ManagedPolicyArns"].as_array().unwrap();
        assert!(policies.contains(&policy), "{name} can't use the key");
    }
}

/// API Gateway applies it only when a setting of the stage changes too.
#[test]
fn the_stage_changes_with_the_default_endpoint() {
    let template = expanded(&[]);
    let [stage] = of(&template, "AWS::ApiGateway::Stage").into_values().collect::<Vec<_>>()[..] else {
        panic!("one stage is expected");
    };
    assert_eq!(stage["Variables"], json!({"domain_only": {"Ref": "DisableExecuteApiEndpoint"}}));
    let server = &of(&template, "AWS::ApiGateway::RestApi")["Api"]["Body"]["servers"][0];
    let disabled = &server["x-amazon-apigateway-endpoint-configuration"]["disableExecuteApiEndpoint"];
    assert_eq!(disabled, &json!({"Fn::If": ["HasDomainOnly", true, false]}));
}

/// A section of samconfig.toml as its lines without comments.
fn section(config: &str, name: &str) -> String {
    let after = config.split(&format!("[{name}.deploy.parameters]\n")).nth(1);
    let lines = after.unwrap_or_else(|| panic!("no section {name}")).split("\n[").next().unwrap().lines();
    lines.map(|line| line.split('#').next().unwrap().trim()).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_environment_keeps_only_what_differs() {
    let config = fs::read_to_string(make::root().join("samconfig.toml")).unwrap();
    let template = Template::read();
    for name in ["dev", "stage", "prod"] {
        let section = section(&config, name);
        assert!(section.contains(&format!("stack_name = \"spillway-{name}\"")), "{section}");
        assert!(section.contains(&format!("tags = \"project=spillway environment={name}\"")), "{section}");
        assert!(section.contains("capabilities = \"CAPABILITY_IAM CAPABILITY_AUTO_EXPAND\""), "{section}");
        let (_, overrides) = section.split_once("parameter_overrides = [").unwrap();
        let overrides = overrides.split(']').next().unwrap().split('"').skip(1).step_by(2);
        let mut seen = BTreeSet::new();
        for (parameter, value) in overrides.map(|pair| pair.split_once('=').unwrap()) {
            let default = template.get(&["Parameters", parameter, "Default"]);
            let default = default.unwrap_or_else(|| panic!("{name} sets {parameter}, which is no parameter"));
            let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            assert_ne!(value, default, "{name} sets {parameter} to its default");
            assert!(seen.insert(parameter), "{name} sets {parameter} twice");
        }
        assert!(!seen.is_empty(), "{name} differs in nothing");
    }
}
