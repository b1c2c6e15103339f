//! The deploying role may do what CloudFormation does for it with the resources of this template, and nothing else.
//!
//! AWS's schema of each resource type lists the rights that creating, reading, changing and deleting one may need.
//! cfn-lint brings these schemas.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spillway_tests::{Template, make};

use super::the_template_fits::expanded;

/// Rights of the schemas that no deployment of this template needs: whole services, or single actions.
const NOT_NEEDED: [(&str, &[&str]); 17] = [
    (
        "targets of a web ACL other than API Gateway",
        &["amplify:", "apprunner:", "appsync:", "bedrock-agentcore:", "cognito-idp:", "elasticloadbalancing:"],
    ),
    ("a web ACL that asks no client for payments", &["payments:"]),
    ("functions without file systems", &["elasticfilesystem:", "s3files:"]),
    (
        "a web ACL that guards no Verified Access",
        &[
            "ec2:AssociateVerifiedAccessInstanceWebAcl",
            "ec2:DescribeVerifiedAccessInstanceWebAclAssociations",
            "ec2:DisassociateVerifiedAccessInstanceWebAcl",
            "ec2:GetVerifiedAccessInstanceWebAcl",
        ],
    ),
    ("no log is delivered elsewhere", &["firehose:", "logs:CreateLogDelivery", "logs:PutBearerTokenAuthentication"]),
    (
        "s3: no log is delivered there, and packages have no such metadata",
        &["s3:REST.PUT.OBJECT", "s3:GetObjectMetadata"],
    ),
    (
        "functions write logs, and the table needs none",
        &["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
    ),
    (
        "log groups without policies, indexes and their own protection",
        &[
            "logs:DeleteDataProtectionPolicy",
            "logs:DeleteIndexPolicy",
            "logs:DeleteResourcePolicy",
            "logs:PutDataProtectionPolicy",
            "logs:PutIndexPolicy",
            "logs:PutLogGroupDeletionProtection",
            "logs:PutResourcePolicy",
        ],
    ),
    (
        "one table: no replicas, no import, no copy to Kinesis, no policy of its own",
        &[
            "kinesis:",
            "dynamodb:AssociateTableReplica",
            "dynamodb:CreateTableReplica",
            "dynamodb:DeleteResourcePolicy",
            "dynamodb:DescribeImport",
            "dynamodb:DisableKinesisStreamingDestination",
            "dynamodb:EnableKinesisStreamingDestination",
            "dynamodb:ImportTable",
            "dynamodb:PutResourcePolicy",
            "dynamodb:UpdateContributorInsights",
            "dynamodb:UpdateKinesisStreamingDestination",
        ],
    ),
    (
        "a deployment reads and writes no items",
        &[
            "dynamodb:BatchWriteItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
        ],
    ),
    ("the table and its webhook keys outlive the stack", &["dynamodb:DeleteTable", "secretsmanager:DeleteSecret"]),
    (
        "the keys are in one region",
        &["secretsmanager:RemoveRegionsFromReplication", "secretsmanager:ReplicateSecretToRegions"],
    ),
    ("KmsKeyArn is no alias", &["kms:ListAliases"]),
    (
        "policies are attached to roles only, and no deployment takes a boundary away",
        &[
            "iam:AttachGroupPolicy",
            "iam:AttachUserPolicy",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DetachGroupPolicy",
            "iam:DetachUserPolicy",
        ],
    ),
    (
        "functions without layers, signing, reserved or provisioned concurrency, and with Lambda's own runtime updates",
        &[
            "lambda:AssociateRuntimeAlias",
            "lambda:DeleteFunctionCodeSigningConfig",
            "lambda:DeleteFunctionConcurrency",
            "lambda:DeleteProvisionedConcurrencyConfig",
            "lambda:GetCodeSigningConfig",
            "lambda:GetLayerVersion",
            "lambda:PassCapacityProvider",
            "lambda:PutFunctionCodeSigningConfig",
            "lambda:PutFunctionConcurrency",
            "lambda:PutFunctionScalingConfig",
            "lambda:PutProvisionedConcurrencyConfig",
            "lambda:PutRuntimeManagementConfig",
        ],
    ),
    ("canaries of functions only", &["codedeploy:RegisterOnPremisesInstance"]),
    (
        "an API, a topic and a web ACL without policies of their own",
        &[
            "apigateway:UpdateRestApiPolicy",
            "sns:PutDataProtectionPolicy",
            "wafv2:GetPermissionPolicy",
            "wafv2:PutPermissionPolicy",
        ],
    ),
];

/// What the SAM CLI does itself, beside what the schemas list.
const OF_THE_TOOLS: [&str; 8] = [
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplateSummary",
    "cloudformation:ListStackResources",
    "lambda:ListAliases",
    "s3:PutObject",
];

/// A managed policy has at most so many characters, without white space.
const POLICY_MAX: usize = 6144;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// cfn-lint's copy of AWS's schemas.
fn schemas() -> PathBuf {
    let library = make::root().join(".local/tools/sam/lib");
    let mut versions = fs::read_dir(&library).unwrap_or_else(|_| panic!("`make lint-template` installs {library:?}"));
    versions.next().unwrap().unwrap().path().join("site-packages/cfnlint/data/schemas")
}

/// Types of all resources of the stack and its nested stack, with everything switched on.
fn types() -> BTreeSet<String> {
    let template = expanded(&["Canary=true"]);
    let nested = Template::nested();
    let resources = [&template["Resources"], nested.get(&["Resources"]).unwrap()];
    let resources = resources.into_iter().flat_map(|resources| resources.as_object().unwrap().values());
    resources.map(|resource| resource["Type"].as_str().unwrap().to_owned()).collect()
}

/// The rights that the schemas list for these types.
fn listed(types: &BTreeSet<String>) -> BTreeSet<String> {
    let files = json(&schemas().join("providers/us-east-1.json"));
    let mut rights = BTreeSet::new();
    for kind in types {
        let file = files[kind].as_str().unwrap_or_else(|| panic!("{kind} has no schema"));
        let schema = json(&schemas().join(format!("resources/{file}.json")));
        for handler in ["create", "read", "update", "delete"] {
            let permissions = schema["handlers"][handler]["permissions"].as_array();
            rights.extend(permissions.into_iter().flatten().map(|right| right.as_str().unwrap().to_owned()));
        }
    }
    rights
}

fn deployer() -> Template {
    Template::file(&make::root().join("infra/deploy/deployer.yaml"))
}

/// The statements of a policy that allow. Some are behind `Fn::If`.
fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap().iter();
    let statements = statements.map(|statement| statement.get("Fn::If").map_or(statement, |branches| &branches[1]));
    statements.filter(|statement| statement["Effect"] == "Allow")
}

fn actions(statement: &Value) -> Vec<&str> {
    match &statement["Action"] {
        Value::Array(several) => several.iter().map(|action| action.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

#[test]
fn the_deployer_has_the_rights_of_the_stacks_resource_types() {
    let deployer = deployer();
    let policies = deployer.of_type("AWS::IAM::ManagedPolicy").into_values();
    let allowed: BTreeSet<String> = policies.flat_map(statements).flat_map(actions).map(str::to_owned).collect();
    assert!(allowed.iter().all(|action| !action.contains('*')), "{allowed:?}");
    let listed = listed(&types());
    let not_needed: Vec<&str> = NOT_NEEDED.iter().flat_map(|(_, rights)| *rights).copied().collect();
    let matches = |right: &str, what: &str| right == what || what.ends_with(':') && right.starts_with(what);
    for what in &not_needed {
        assert!(listed.iter().any(|right| matches(right, what)), "no schema lists {what} any more");
    }
    let needed = listed.into_iter().filter(|right| !not_needed.iter().any(|what| matches(right, what)));
    let needed: BTreeSet<String> = needed.chain(OF_THE_TOOLS.map(str::to_owned)).collect();
    let missing: Vec<_> = needed.difference(&allowed).collect();
    let needless: Vec<_> = allowed.difference(&needed).collect();
    assert!(missing.is_empty(), "the deployer lacks {missing:?}");
    assert!(needless.is_empty(), "no resource of the stack needs {needless:?}");
}

#[test]
fn the_deployers_policies_are_short_enough() {
    let deployer = deployer();
    for (name, policy) in deployer.of_type("AWS::IAM::ManagedPolicy") {
        let text = policy["PolicyDocument"].to_string();
        let text = text.replace("${AWS::Partition}", "aws").replace("${AWS::Region}", "eu-central-1");
        let text = text.replace("${AWS::AccountId}", "111122223333").replace("${Stack}", &"s".repeat(38));
        println!("{name}: {} characters", text.len());
        assert!(text.len() <= POLICY_MAX, "{name} has {} characters", text.len());
    }
}

/// The few actions for all resources change nothing, but for those that can't be limited: subscriptions and saved queries
/// have no arn, and CloudWatch refuses to make a composite alarm with a narrower right (its API reference,
/// PutCompositeAlarm).
#[test]
fn the_deployers_rights_end_at_the_stack() {
    let deployer = deployer();
    for (name, policy) in deployer.of_type("AWS::IAM::ManagedPolicy") {
        for statement in statements(policy) {
            if statement["Resource"] != "*" || !statement["Condition"].is_null() {
                continue;
            }
            for action in actions(statement) {
                let (_, verb) = action.split_once(':').unwrap();
                let reads = ["Describe", "Get", "List"].iter().any(|prefix| verb.starts_with(prefix));
                let unlimited = ["Unsubscribe", "PutQueryDefinition", "DeleteQueryDefinition", "PutCompositeAlarm"];
                assert!(reads || unlimited.contains(&verb), "{name} allows {action} for everything");
            }
        }
    }
}
