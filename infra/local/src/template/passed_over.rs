//! What the runner does not do of what a template may say. Whatever is neither read nor listed here is refused, because
//! leaving it out in silence could hide that production does not work.

use super::TemplateError;
use super::node::Node;

/// By what says it: the property, and why one machine can do without.
pub(super) const PASSED_OVER: &[(&str, &str, &str)] = &[
    ("template", "AWSTemplateFormatVersion", "there is one version only"),
    ("template", "Description", "for people"),
    ("template", "Metadata", "for other tools"),
    ("template", "Outputs", "for people"),
    ("template", "Transform", "SAM's is assumed"),
    ("parameter", "Description", "for people"),
    ("resource", "DeletionPolicy", "the folder goes with everything in it"),
    ("resource", "DependsOn", "everything is there before the first request"),
    ("resource", "Metadata", "how it is built: cargo builds it"),
    ("resource", "UpdateReplacePolicy", "nothing is replaced: a changed table is refused"),
    ("AWS::Serverless::Api", "AccessLogSetting", "the runner has a log of its own"),
    ("AWS::Serverless::Api", "DisableExecuteApiEndpoint", "it answers on the loopback interface"),
    ("AWS::Serverless::Api", "EndpointAccessMode", "it answers on the loopback interface, without TLS"),
    ("AWS::Serverless::Api", "EndpointConfiguration", "it answers on the loopback interface"),
    ("AWS::Serverless::Api", "MergeDefinitions", "routes are read from the functions' events"),
    ("AWS::Serverless::Api", "Name", "there is one API only"),
    ("AWS::Serverless::Api", "OpenApiVersion", "how SAM writes the definition"),
    ("AWS::Serverless::Api", "SecurityPolicy", "there is no TLS"),
    ("AWS::Serverless::Api", "TracingEnabled", "there is no X-Ray"),
    ("AWS::Serverless::Api", "Variables", "there are no mapping templates that could read them"),
    ("DefinitionBody", "info", "for people"),
    ("DefinitionBody", "openapi", "how the definition is written"),
    // The definition says again what the properties say, for an import over the API that is there. A test holds both
    // equal.
    ("DefinitionBody", "x-amazon-apigateway-api-key-source", "ApiKeySourceType is read"),
    ("DefinitionBody", "x-amazon-apigateway-endpoint-access-mode", "see EndpointAccessMode"),
    ("DefinitionBody", "x-amazon-apigateway-minimum-compression-size", "MinimumCompressionSize is read"),
    ("DefinitionBody", "x-amazon-apigateway-security-policy", "see SecurityPolicy"),
    ("x-amazon-apigateway-any-method", "responses", "it declares what the integration's response says"),
    ("AWS::ApiGateway::UsagePlan", "UsagePlanName", "the runner names plans by their logical ids"),
    ("AWS::Serverless::Function", "Architectures", "it is built for this machine"),
    ("AWS::Serverless::Function", "AutoPublishAlias", "there is one version only"),
    ("AWS::Serverless::Function", "AutoPublishAliasAllProperties", "there is one version only"),
    ("AWS::Serverless::Function", "DeploymentPreference", "there is one version only"),
    ("AWS::Serverless::Function", "Description", "for people"),
    ("AWS::Serverless::Function", "EventInvokeConfig", "the runner calls nothing asynchronously but the schedule"),
    ("AWS::Serverless::Function", "Handler", "the binary is the handler"),
    ("AWS::Serverless::Function", "LoggingConfig", "the runner has a log of its own"),
    ("AWS::Serverless::Function", "RecursiveLoop", "loops are not looked for"),
    ("AWS::Serverless::Function", "Runtime", "the binary is the runtime"),
    ("AWS::Serverless::Function", "Tracing", "there is no X-Ray"),
    ("AWS::Serverless::Function", "VersionDeletionPolicy", "there is one version only"),
    ("AWS::Serverless::Function", "VersionDescription", "there is one version only"),
    ("AWS::Serverless::Function", "VpcConfig", "everything is on one machine"),
    ("OnFailure", "Type", "the arn says it too"),
    ("ScheduleV2", "OmitName", "schedules have no names here"),
    ("ScheduleV2", "RetryPolicy", "a missed time is not made up for here"),
    ("AWS::SQS::Queue", "SqsManagedSseEnabled", "nothing is encrypted"),
    ("AWS::DynamoDB::Table", "BillingMode", "nothing costs"),
    ("AWS::DynamoDB::Table", "DeletionProtectionEnabled", "the folder goes with everything in it"),
    ("AWS::DynamoDB::Table", "PointInTimeRecoverySpecification", "there are no backups"),
    ("AWS::DynamoDB::Table", "TableName", "the runner knows the name already"),
    ("AWS::DynamoDB::Table", "WarmThroughput", "nothing is throttled"),
    ("index", "WarmThroughput", "nothing is throttled"),
    ("AWS::SecretsManager::Secret", "Description", "for people"),
    ("AWS::SecretsManager::Secret", "KmsKeyId", "nothing is encrypted"),
    ("AWS::SecretsManager::Secret", "Name", "the runner knows the name already"),
    ("GenerateSecretString", "ExcludePunctuation", "the runner generates digits and letters"),
    ("AWS::IAM::Role", "Description", "for people"),
    ("AWS::IAM::Role", "Path", "a role is known by its name"),
    ("AWS::IAM::Role", "RoleName", "the runner knows the name already"),
    ("AWS::IAM::ManagedPolicy", "Description", "for people"),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName", "the runner knows the name already"),
    ("inline policy", "PolicyName", "for people"),
    ("policy document", "Version", "there is one version of these rules only"),
    ("statement", "Sid", "for people"),
];

/// Refuses keys that are not read.
pub(super) fn only(node: &Node, read: &[&str]) -> Result<(), TemplateError> {
    only_of("", node, read)
}

/// Refuses keys that are neither read nor passed over where `what` says them.
pub(super) fn only_of(what: &str, node: &Node, read: &[&str]) -> Result<(), TemplateError> {
    let passed_over = |key: &str| PASSED_OVER.iter().any(|(says, property, _)| *says == what && *property == key);
    for (key, value) in node.entries()? {
        if !read.contains(&key.as_str()) && !passed_over(key) {
            return Err(value.error(format!("the runner does not know {key} here")));
        }
    }
    Ok(())
}
