//! What CloudFormation gets is small enough to grow, each function is on its own, and what was deployed is what runs.
//! The template is expanded by the SAM CLI's own translator, with everything that can be switched on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};
use spillway_tests::{Template, template};

/// CloudFormation takes 500 resources in a stack.
const RESOURCES_MAX: usize = 450;

/// What is to come: refunds, payouts, disputes, reports, all of webhooks. What it is like, how many more of it, and how
/// many resources they have beside (a second route's permission; two queues with their dead letters, a bucket with its
/// policy; an alarm).
const TO_COME: [(&str, usize, usize); 3] = [("GetPayment", 22, 1), ("FoldBalance", 2, 6), ("EnqueueDue", 1, 1)];

/// The expanded template, with these parameters.
pub(super) fn expanded(parameters: &[&str]) -> Map<String, Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = root.join(".local/tools/sam/bin/python");
    assert!(python.exists(), "{} is missing: `make lint-template` installs the SAM CLI there", python.display());
    let script = root.join("infra/tools/expand.py");
    let expand = Command::new(python).arg(script).arg(template::path()).args(parameters).output();
    let expand = expand.unwrap();
    assert!(expand.status.success(), "{}", String::from_utf8_lossy(&expand.stderr));
    let Value::Object(template) = serde_json::from_slice(&expand.stdout).unwrap() else { panic!("no template") };
    template
}

/// The resources of a type, by their names.
pub(super) fn of<'a>(template: &'a Map<String, Value>, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = template["Resources"].as_object().unwrap();
    let wanted = resources.iter().filter(|(_, resource)| resource["Type"] == kind);
    wanted.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

/// Everything in it that is a text.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(entries) => entries.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// The parameters that it names.
fn parameters<'a>(template: &'a Map<String, Value>, value: &'a Value) -> BTreeSet<&'a str> {
    let known = template["Parameters"].as_object().unwrap();
    let within = |text: &'a str| text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    let names = texts(value).into_iter().flat_map(|text| within(text).chain([text]));
    names.filter(|name| known.contains_key(*name)).collect()
}

#[test]
fn the_stack_fits_with_all_planned_functions() {
    let template = expanded(&["Canary=true"]);
    let resources = template["Resources"].as_object().unwrap();
    let functions: Vec<&str> = of(&template, "AWS::Lambda::Function").into_keys().collect();
    // SAM names what it makes of a function after it.
    let own = |function: &str| {
        let owner =
            |resource: &str| functions.iter().filter(|name| resource.starts_with(**name)).max_by_key(|n| n.len());
        resources.keys().filter(|resource| owner(resource) == Some(&function)).count()
    };
    let mut projected = resources.len();
    println!("{} resources, {} functions", resources.len(), functions.len());
    for (like, more, beside) in TO_COME {
        println!("{more} more like {like}, of {} resources each, and {beside} beside", own(like));
        projected += more * own(like) + beside;
    }
    println!("{projected} resources in the end, of at most {RESOURCES_MAX}");
    assert!(own("GetPayment") >= 6 && own("FoldBalance") >= 6 && own("EnqueueDue") >= 7);
    assert!(projected <= RESOURCES_MAX);
}

#[test]
fn every_function_has_a_role_and_a_log_of_its_own() {
    let template = expanded(&["Canary=true"]);
    let (roles, logs) = (of(&template, "AWS::IAM::Role"), of(&template, "AWS::Logs::LogGroup"));
    for (name, function) in of(&template, "AWS::Lambda::Function") {
        assert_eq!(function["Role"], json!({"Fn::GetAtt": [format!("{name}Role"), "Arn"]}), "{name}");
        assert_eq!(function["LoggingConfig"]["LogGroup"], json!({"Ref": format!("{name}Logs")}), "{name}");
        assert_eq!(function["LoggingConfig"]["LogFormat"], "JSON", "{name}");
        assert_eq!(logs[format!("{name}Logs").as_str()]["RetentionInDays"], json!({"Ref": "LogRetentionDays"}));
        let role = roles[format!("{name}Role").as_str()];
        let statements = role["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap();
        let log = json!({"Fn::GetAtt": [format!("{name}Logs"), "Arn"]});
        let writes: Vec<_> = statements.iter().filter(|it| it["Action"][0] == "logs:CreateLogStream").collect();
        assert!(writes.len() == 1 && writes[0]["Resource"] == log, "{name} writes to {writes:?}");
        for statement in statements {
            assert_ne!(statement["Resource"], "*", "{name}");
            for action in texts(&statement["Action"]) {
                // A call without keys satisfies every condition on keys.
                let keyless = ["dynamodb:Scan", "dynamodb:PartiQL", "dynamodb:Export"];
                assert!(!keyless.iter().any(|keyless| action.starts_with(keyless)), "{name} may {action}");
            }
            // Every item is somebody's, and every function works on some kinds of them only.
            let on_items = texts(&statement["Action"]).iter().all(|action| action.starts_with("dynamodb:"));
            let on_table = on_items && name != "DispatchChanges";
            let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            assert!(!on_table || keys.as_array().is_some_and(|keys| !keys.is_empty()), "{name} may touch any item");
        }
    }
    let documents = roles.into_values().flat_map(|role| role["Policies"].as_array().into_iter().flatten());
    let documents = documents.chain(of(&template, "AWS::IAM::ManagedPolicy").into_values());
    for statement in documents.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap()) {
        assert!(texts(&statement["Action"]).iter().all(|action| !action.contains('*')), "{statement}");
    }
}

/// An event source, a route or a schedule that named the function itself would call what is not released yet.
#[test]
fn functions_are_called_by_their_alias() {
    let template = expanded(&[]);
    let functions: BTreeSet<&str> = of(&template, "AWS::Lambda::Function").into_keys().collect();
    let names_one = |value: &Value| {
        let within = |text: &str| functions.iter().any(|name| text == *name || text.contains(&format!("{{{name}")));
        texts(value).into_iter().filter(|text| within(text)).map(str::to_owned).collect::<Vec<_>>()
    };
    let callers = ["AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission", "AWS::Scheduler::Schedule"];
    let mut called = 0;
    for kind in callers.into_iter().chain(["AWS::ApiGateway::RestApi"]) {
        for (name, caller) in of(&template, kind) {
            let direct: Vec<String> =
                names_one(caller).into_iter().filter(|text| !text.contains("Aliaslive")).collect();
            assert!(direct.is_empty(), "{name} calls {direct:?}");
            called += texts(caller).iter().filter(|text| text.contains("Aliaslive")).count();
        }
    }
    assert!(called >= functions.len(), "only {called} calls");
}

/// The parameters that change a function when they change: by its variables, and by whether it is traced.
fn settings<'a>(template: &'a Map<String, Value>, function: &'a Value) -> BTreeSet<&'a str> {
    let variables = parameters(template, &function["Environment"]);
    // A condition is named by what it is made of.
    let traced = function["TracingConfig"]["Mode"]["Fn::If"].as_array().map(|_| "Tracing");
    variables.into_iter().chain(traced).collect()
}

/// SAM publishes a version when the text of a function changes, where a parameter is but a name. So each version carries
/// a text with the values of the function's own: with one more, a version would be made of a function that has not
/// changed, which Lambda refuses. RolePath changes the arn of every role. Old versions stay for `make rollback`.
#[test]
fn a_version_carries_exactly_the_settings_of_its_function() {
    let template = expanded(&[]);
    let functions = of(&template, "AWS::Lambda::Function");
    let versions = of(&template, "AWS::Lambda::Version");
    assert_eq!(versions.len(), functions.len());
    for (name, version) in versions {
        let function = functions[version["FunctionName"]["Ref"].as_str().unwrap()];
        let own = settings(&template, function);
        let carried = own.iter().copied().chain(["RolePath"]).collect();
        assert_eq!(parameters(&template, &version["Description"]), carried, "{name}");
        // A table that replaces this one has another name.
        let table = |value: &Value| texts(value).contains(&"Table");
        assert_eq!(table(&version["Description"]), table(&function["Environment"]), "{name}");
        // Other code for another processor: SAM does see that. A version has no room for the ids of subnets and groups:
        // a change of them alone takes effect with the next release.
        let others = parameters(&template, function).into_iter().filter(|it| !own.contains(it));
        let others: Vec<_> = others.filter(|it| !["CacheSecurityGroupIds", "CacheSubnetIds"].contains(it)).collect();
        assert_eq!(others, ["Architecture"], "{name}");
        assert_eq!(template["Resources"][name]["DeletionPolicy"], "Retain", "{name}");
    }
}

/// `infra/deploy/stamp.py` replaces it by the version with the commit. A function whose description is the release gets a
/// version with each release, and so do all others.
#[test]
fn the_release_is_the_version_of_the_sources() {
    let template = expanded(&[]);
    let release = json!(env!("CARGO_PKG_VERSION"));
    for (name, function) in of(&template, "AWS::Lambda::Function") {
        assert_eq!(function["Description"], release, "{name}");
    }
    assert_eq!(template["Outputs"]["Release"]["Value"], release);
}

/// How long a parameter's value can be.
fn longest(template: &Map<String, Value>, parameter: &str) -> u64 {
    let parameter = &template["Parameters"][parameter];
    let values = parameter["AllowedValues"].as_array().into_iter().flatten();
    let values = values.map(|value| value.as_str().unwrap().len() as u64).max();
    let digits = parameter["MaxValue"].as_u64().map(|most| u64::from(most.ilog10()) + 1);
    values.or(digits).or(parameter["MaxLength"].as_u64()).unwrap_or_else(|| panic!("{parameter} has no bound"))
}

/// CloudFormation names the table `<stack>-Table-<13 characters>`, and a stack's name has at most 38 characters.
const TABLE_NAME_MAX: u64 = 64;

#[test]
fn every_version_has_room_for_its_settings() {
    let template = expanded(&[]);
    for (name, version) in of(&template, "AWS::Lambda::Version") {
        let carried = parameters(&template, &version["Description"]);
        // The table's name is that of ExistingTable, or CloudFormation's own.
        let others = carried.iter().filter(|parameter| **parameter != "ExistingTable");
        let values = others.map(|parameter| longest(&template, parameter)).sum::<u64>();
        let separators = carried.len() as u64 - 1;
        let whole = TABLE_NAME_MAX + values + separators;
        println!("{name}: {whole} characters at most");
        // Lambda takes 256. The others are for the name of a release.
        assert!(whole <= 215, "the settings of {name} can be {whole} characters long");
    }
}

/// The resources and outputs that are there whether or not a condition holds, with what an `Fn::If` leaves of them.
fn without_own_table(value: &Value) -> Value {
    match value {
        Value::Object(entries) => match entries.get("Fn::If") {
            Some(branches) if branches[0] == "OwnsTable" => without_own_table(&branches[2]),
            _ => entries.iter().map(|(name, value)| (name.clone(), without_own_table(value))).collect(),
        },
        Value::Array(items) => items.iter().map(without_own_table).collect(),
        other => other.clone(),
    }
}

/// A stack on an existing table has no table of its own. Whatever named that table would end the deployment.
#[test]
fn a_stack_on_an_existing_table_names_no_other() {
    let template = expanded(&["ExistingTable=restored"]);
    let table = &template["Resources"]["Table"];
    assert_eq!((&table["Condition"], &table["DeletionPolicy"]), (&json!("OwnsTable"), &json!("Retain")));
    let keys = &template["Resources"]["WebhookKeys"];
    assert_eq!((&keys["Condition"], &keys["DeletionPolicy"]), (&json!("OwnsTable"), &json!("Retain")));
    let names_it = |text: &str| text == "Table" || text.starts_with("Table.") || text.contains("${Table");
    let mut by_parameter = 0;
    for section in ["Resources", "Outputs"] {
        for (name, part) in
            template[section].as_object().unwrap().iter().filter(|(_, part)| part["Condition"] != "OwnsTable")
        {
            let part = without_own_table(part);
            let values = [&part["Properties"], &part["Value"]];
            let texts: Vec<&str> = values.into_iter().flat_map(texts).collect();
            assert!(
                !texts.iter().any(|text| names_it(text)),
                "{name} names the stack's own table: use *table-name, *table-arn"
            );
            by_parameter += texts.iter().filter(|text| text.contains("ExistingTable")).count();
        }
    }
    // Each function that uses the table names it in a variable, in its version and in its role.
    assert!(by_parameter > 60, "only {by_parameter} places name the existing table");
}

#[test]
fn the_outputs_create_the_sample_merchant() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let event = fs::read_to_string(root.join("events/create-merchant/acme.json")).unwrap();
    let event: Value = serde_json::from_str(&event).unwrap();
    let template = expanded(&[]);
    let command = template["Outputs"]["CreateMerchantCommand"]["Value"]["Fn::Sub"].as_str().unwrap();
    let payload = command.split('\'').nth(1).unwrap();
    assert_eq!(serde_json::from_str::<Value>(payload).unwrap(), event);
}

#[test]
fn an_upgrade_of_the_api_keeps_its_settings() {
    let template = expanded(&[]);
    let [api] = of(&template, "AWS::ApiGateway::RestApi").into_values().collect::<Vec<_>>()[..] else {
        panic!("one API is expected");
    };
    let settings = [
        ("ApiKeySourceType", "x-amazon-apigateway-api-key-source"),
        ("EndpointAccessMode", "x-amazon-apigateway-endpoint-access-mode"),
        ("MinimumCompressionSize", "x-amazon-apigateway-minimum-compression-size"),
        ("SecurityPolicy", "x-amazon-apigateway-security-policy"),
    ];
    for (property, extension) in settings {
        assert!(!api[property].is_null(), "{property}");
        assert_eq!(api[property], api["Body"][extension], "{property}");
    }
}

#[test]
fn gateway_answers_from_500_on_count_as_server_errors() {
    let template = expanded(&[]);
    let apis = of(&template, "AWS::ApiGateway::RestApi");
    let answers = apis["Api"]["Body"]["x-amazon-apigateway-gateway-responses"].as_object().unwrap();
    let own = |kind: &str| match kind {
        "API_CONFIGURATION_ERROR" | "AUTHORIZER_CONFIGURATION_ERROR" | "AUTHORIZER_FAILURE" => Some(500),
        "INTEGRATION_FAILURE" | "INTEGRATION_TIMEOUT" => Some(504),
        // What it stands for are functions that died.
        "DEFAULT_5XX" => Some(502),
        _ => None,
    };
    for (kind, answer) in answers {
        let text = answer["responseTemplates"]["application/json"].as_str().unwrap();
        let told: Value = serde_json::from_str(&text.replace("$context.requestId", "r")).unwrap();
        match own(kind) {
            // With a status of its own it would be a 4XXError to CloudWatch.
            Some(status) => assert!(answer.get("statusCode").is_none() && told["status"] == status, "{kind}: {told}"),
            None => assert_eq!(Some(told["status"].to_string().as_str()), answer["statusCode"].as_str(), "{kind}"),
        }
    }
    assert_eq!(answers.keys().filter(|kind| own(kind).is_some()).count(), 6);
}

#[test]
fn each_path_answers_405_with_its_methods() {
    let template = expanded(&[]);
    let any = "x-amazon-apigateway-any-method";
    let paths = of(&template, "AWS::ApiGateway::RestApi")["Api"]["Body"]["paths"].as_object().unwrap();
    for (path, methods) in paths {
        let methods = methods.as_object().unwrap();
        let own: BTreeSet<String> =
            methods.keys().filter(|name| *name != any).map(|name| name.to_uppercase()).collect();
        let other = methods.get(any).unwrap_or_else(|| panic!("{path} has no mock for its other methods"));
        // Neither an authorizer nor a key.
        assert_eq!(other["security"], json!([]), "{path}");
        let answer = &other["x-amazon-apigateway-integration"]["responses"]["default"];
        let allowed = answer["responseParameters"]["method.response.header.Allow"].as_str().unwrap();
        let allowed = allowed.trim_matches('\'').split(", ").map(str::to_owned);
        assert_eq!(allowed.collect::<BTreeSet<_>>(), own, "{path}");
        // API Gateway refuses a header that the method does not declare.
        let declared = other["responses"]["405"]["headers"].as_object().unwrap();
        let sent = answer["responseParameters"].as_object().unwrap().keys();
        let sent: BTreeSet<_> = sent.map(|name| name.strip_prefix("method.response.header.").unwrap()).collect();
        assert_eq!(declared.keys().map(String::as_str).collect::<BTreeSet<_>>(), sent, "{path}");
        let told = answer["responseTemplates"]["application/json"].as_str().unwrap();
        let told: Value = serde_json::from_str(&told.replace("$context.requestId", "r")).unwrap();
        assert_eq!((&told["status"], &answer["statusCode"]), (&json!(405), &json!("405")), "{path}");
    }
}

#[test]
fn the_gateways_answers_have_the_headers_of_their_status() {
    let template = expanded(&[]);
    let apis = of(&template, "AWS::ApiGateway::RestApi");
    let answers = apis["Api"]["Body"]["x-amazon-apigateway-gateway-responses"].as_object().unwrap();
    let mut seen = BTreeSet::new();
    for (kind, answer) in answers {
        let header = |name: &str| answer["responseParameters"][format!("gatewayresponse.header.{name}")].as_str();
        assert_eq!(header("Content-Type"), Some("'application/problem+json'"), "{kind}");
        assert_eq!(header("Request-Id"), Some("context.requestId"), "{kind}");
        match answer["statusCode"].as_str() {
            Some("401") => assert_eq!(header("WWW-Authenticate"), Some("'Bearer realm=\"spillway\"'"), "{kind}"),
            Some("429") => assert!(header("Retry-After").is_some(), "{kind}"),
            other => assert_ne!(other, Some("405"), "{kind} needs Allow"),
        }
        seen.insert(answer["statusCode"].as_str());
    }
    assert!(seen.contains(&Some("401")) && seen.contains(&Some("429")));
}

#[test]
fn a_canary_is_held_against_the_alarms_that_see_it_fail() {
    let template = expanded(&["Canary=true"]);
    let groups = of(&template, "AWS::CodeDeploy::DeploymentGroup");
    assert_eq!(groups.len(), 3);
    for (name, group) in groups {
        let alarms = texts(&group["AlarmConfiguration"]);
        for alarm in ["CanaryErrorsAlarm", "FunctionErrorsAlarm", "FailedWorkAlarm"] {
            assert!(alarms.contains(&alarm), "{name} has {alarms:?}");
        }
    }
}

/// CloudFormation gives a stack's tags to every resource. A function's own tags are no part of a version, so a change of
/// nothing else fails: SAM would publish a version that Lambda refuses.
#[test]
fn the_stack_has_tags_and_no_function_has_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let config = fs::read_to_string(root.join("samconfig.toml")).unwrap();
    let deploy = config.split("[default.deploy.parameters]\n").nth(1).unwrap().split("\n[").next().unwrap();
    assert!(deploy.lines().any(|line| line == "tags = \"project=spillway\""), "{deploy}");
    assert!(deploy.contains("CAPABILITY_AUTO_EXPAND"), "{deploy}");
    let template = Template::read();
    assert_eq!(template.get(&["Globals", "Function", "Tags"]), None);
    for (name, function) in template.of_type("AWS::Serverless::Function") {
        assert_eq!(function.get("Tags"), None, "{name}");
    }
}

#[test]
fn a_failed_sweep_is_not_repeated() {
    let template = expanded(&[]);
    let invoked = of(&template, "AWS::Lambda::EventInvokeConfig").into_values().collect::<Vec<_>>();
    let scheduled = of(&template, "AWS::Scheduler::Schedule").into_values().collect::<Vec<_>>();
    let ([invoked], [scheduled]) = (&invoked[..], &scheduled[..]) else { panic!("one of each is expected") };
    assert_eq!((&invoked["FunctionName"]["Ref"], &invoked["MaximumRetryAttempts"]), (&json!("EnqueueDue"), &json!(0)));
    assert_eq!(scheduled["Target"]["RetryPolicy"]["MaximumRetryAttempts"], 0);
}

#[test]
fn the_longest_stack_name_is_documented() {
    let template = expanded(&[]);
    let functions = of(&template, "AWS::Lambda::Function").into_values();
    let suffixes = functions.map(|function| function["FunctionName"]["Fn::Sub"].as_str().unwrap());
    let longest = suffixes.map(|name| name.strip_prefix("${AWS::StackName}").unwrap().len()).max().unwrap();
    let page = fs::read_to_string(template::path().parent().unwrap().join("../docs/deploy.md")).unwrap();
    // Lambda takes names of 64 characters.
    assert!(page.contains(&format!("at most {} characters", 64 - longest)), "{}", 64 - longest);
}
