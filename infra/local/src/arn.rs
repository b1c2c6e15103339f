//! ARNs, all in one invented account.

/// The account in every ARN and URL.
pub const ACCOUNT: &str = "000000000000";

/// The API's id in ARNs.
pub const API_ID: &str = "local";

/// A function, by its name on AWS.
pub fn function(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}")
}

/// A queue, by its name on AWS.
pub fn queue(region: &str, name: &str) -> String {
    format!("arn:aws:sqs:{region}:{ACCOUNT}:{name}")
}

/// A table, by its name on AWS.
pub fn table(region: &str, name: &str) -> String {
    format!("arn:aws:dynamodb:{region}:{ACCOUNT}:table/{name}")
}

/// A table's change stream. `label` differs from that of an earlier stream of the same table.
pub fn stream(region: &str, table_name: &str, label: &str) -> String {
    format!("{}/stream/{label}", table(region, table_name))
}

/// A secret, by its name. On AWS the last six characters are random.
pub fn secret(region: &str, name: &str) -> String {
    format!("arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}-000000")
}

/// A schedule, by its name.
pub fn schedule(region: &str, name: &str) -> String {
    format!("arn:aws:scheduler:{region}:{ACCOUNT}:schedule/default/{name}")
}

/// A method of the API, as in an authorizer's policy. `path` begins with a slash.
pub fn method(region: &str, stage: &str, method: &str, path: &str) -> String {
    format!("arn:aws:execute-api:{region}:{ACCOUNT}:{API_ID}/{stage}/{method}{path}")
}

/// A role, by its name.
pub fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// A policy of this account, by its name.
pub fn policy(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{name}")
}

/// A resource of API Gateway's management API. `path` begins with a slash.
pub fn management(region: &str, path: &str) -> String {
    format!("arn:aws:apigateway:{region}::{path}")
}
