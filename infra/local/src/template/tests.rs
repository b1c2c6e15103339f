mod conditions;
mod nested;
mod readme;
mod roles;
mod unknown;

use std::path::Path;
use std::time::Duration;

use super::{Surroundings, Template, TemplateError, Trigger, variable_name};

const SMALL: &str = r#"
Parameters:
  CacheSeconds: {Type: Number, Default: 60, MinValue: 0}
  Mode: {Type: String, Default: small, AllowedValues: [small, large]}
Globals:
  Function:
    Timeout: 10
    Environment:
      Variables:
        CACHE_SECONDS: !Ref CacheSeconds
        TABLE_NAME: !Ref Table
        MODE: !Ref Mode
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
  Dead:
    Type: AWS::SQS::Queue
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${AWS::StackName}-work"
      VisibilityTimeout: 60
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5}
  Keys:
    Type: AWS::SecretsManager::Secret
    Properties:
      Name: !Sub "${Table}/keys"
      GenerateSecretString: {SecretStringTemplate: '{"current": "1"}', GenerateStringKey: "1", PasswordLength: 64}
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {Whatever: !FindInMap [a, b, c]}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: api
      ApiKeySourceType: AUTHORIZER
      MethodSettings:
        - {ResourcePath: "/*", HttpMethod: "*", ThrottlingRateLimit: 2000, ThrottlingBurstLimit: 4000}
      Auth:
        DefaultAuthorizer: Keys
        ApiKeyRequired: true
        Authorizers:
          Keys:
            FunctionArn: !GetAtt Authenticate.Arn
            FunctionPayloadType: REQUEST
            Identity: {Headers: [Authorization], ReauthorizeEvery: !Ref CacheSeconds}
      GatewayResponses:
        THROTTLED:
          StatusCode: 429
          ResponseParameters:
            Headers: {Retry-After: "'1'", Request-Id: context.requestId}
          ResponseTemplates:
            application/json: '{"status":429}'
  Plan:
    Type: AWS::ApiGateway::UsagePlan
    Properties:
      ApiStages: [{ApiId: !Ref Api, Stage: !Ref Api.Stage}]
      Throttle: {RateLimit: 100, BurstLimit: 200}
  Authenticate:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: ../functions/authenticate}
  GetThing:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ../functions/get-thing/
      FunctionName: !Sub "${AWS::StackName}-get-thing"
      Environment: {Variables: {WORK_URL: !Ref Work, WORK: !Sub "${Work.QueueName} of ${AWS::Region}"}}
      Events:
        Request:
          Type: Api
          Properties: {Path: "/v1/things/{thing_id}", Method: get, RestApiId: !Ref Api}
        Health:
          Type: Api
          Properties:
            Path: /v1/health
            Method: GET
            Auth: {Authorizer: NONE, ApiKeyRequired: false}
        Messages:
          Type: SQS
          Properties:
            Queue: !GetAtt Work.Arn
            BatchSize: 5
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 4}
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            StartingPosition: TRIM_HORIZON
            MaximumRetryAttempts: 5
            BisectBatchOnFunctionError: true
            DestinationConfig: {OnFailure: {Destination: !GetAtt Dead.Arn}}
            FilterCriteria: {Filters: [{Pattern: '{"eventName":["INSERT"]}'}]}
        Minute:
          Type: ScheduleV2
          Properties: {ScheduleExpression: rate(1 minute), OmitName: true}
"#;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Template, TemplateError> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Template::read(text, &around(&variable))
}

fn around(variable: &dyn Fn(&str) -> Option<String>) -> Surroundings<'_> {
    let folder = Path::new(FOLDER);
    Surroundings { queues_url: "http://127.0.0.1:9324", region: "eu-central-1", stack: "spillway", folder, variable }
}

/// Where the template of this project lies.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The text of the template that describes this project's system.
fn project() -> String {
    std::fs::read_to_string(Path::new(FOLDER).join("template.yaml")).unwrap()
}

#[test]
fn everything_served_is_read() {
    let template = read(SMALL, &[]).unwrap();
    assert_eq!(template.table.name, "spillway-Table");
    let work = template.queues.iter().find(|queue| queue.logical_id == "Work").unwrap();
    assert_eq!((work.name.as_str(), work.visibility.as_secs()), ("spillway-work", 60));
    assert_eq!(work.redrive.as_ref().unwrap().dead_letter, "Dead");
    let keys = &template.secrets[0];
    assert_eq!((keys.name.as_str(), &keys.value["current"]), ("spillway-Table/keys", &"1".into()));
    assert_eq!((keys.key.as_str(), keys.length), ("1", 64));
    assert_eq!(template.usage_plans[0].throttle.burst, 200);
    assert_eq!(template.api.throttle.unwrap().rate, 2000);
    let authorizer = template.api.authorizer.as_ref().unwrap();
    assert_eq!(authorizer.function, "authenticate");
    assert_eq!(authorizer.cache, Duration::from_secs(60));
    let throttled = &template.api.responses["THROTTLED"];
    assert_eq!(throttled.headers["Retry-After"], "1");
    assert_eq!(throttled.headers["Request-Id"], "$context.requestId");

    let function = template.function("spillway-get-thing").unwrap();
    assert_eq!(function.name, "get-thing");
    assert_eq!(function.timeout, Duration::from_secs(10));
    assert_eq!(function.environment["CACHE_SECONDS"], "60");
    assert_eq!(function.environment["TABLE_NAME"], "spillway-Table");
    assert_eq!(function.environment["WORK_URL"], "http://127.0.0.1:9324/000000000000/spillway-work");
    assert_eq!(function.environment["WORK"], "spillway-work of eu-central-1");
}

#[test]
fn the_template_of_this_project_is_understood() {
    let template = read(&project(), &[]).unwrap();
    assert!(template.api.authorizer.is_some() && template.api.throttle.is_some());
    assert_eq!(template.api.compression_size_min, Some(1024));
    assert!(template.triggers().any(|trigger| matches!(trigger, Trigger::Stream(_))));
}

#[test]
fn triggers_are_read_with_their_settings() {
    let template = read(SMALL, &[]).unwrap();
    let triggers = &template.function("get-thing").unwrap().triggers;
    let [
        Trigger::Route(route),
        Trigger::Route(health),
        Trigger::Queue(queue),
        Trigger::Stream(stream),
        Trigger::Schedule(schedule),
    ] = triggers.as_slice()
    else {
        panic!("{triggers:?}");
    };
    assert_eq!((route.method.as_str(), route.public), ("GET", false));
    assert!(route.api_key_required && !health.api_key_required && health.public);
    assert_eq!((queue.queue.as_str(), queue.batch_size), ("Work", 5));
    assert_eq!(queue.max_concurrency, Some(4));
    assert!(queue.report_item_failures && stream.bisect);
    assert_eq!(stream.retries, Some(5));
    assert_eq!(stream.on_failure.as_deref(), Some("Dead"));
    assert_eq!(stream.filters[0]["eventName"][0], "INSERT");
    assert_eq!(schedule.every, Duration::from_secs(60));
}

#[test]
fn a_variable_sets_a_parameter() {
    assert_eq!(variable_name("StoreDeadlineMs"), "STORE_DEADLINE_MS");
    let template = read(SMALL, &[("CACHE_SECONDS", "2"), ("MODE", "large")]).unwrap();
    let function = template.function("GetThing").unwrap();
    assert_eq!(function.environment["CACHE_SECONDS"], "2");
    assert_eq!(function.environment["MODE"], "large");
    assert_eq!(template.api.authorizer.unwrap().cache, Duration::from_secs(2));
}

#[test]
fn a_variable_that_the_template_forbids_is_an_error() {
    let error = read(SMALL, &[("MODE", "huge")]).unwrap_err();
    assert_eq!(error.to_string(), "line 4: MODE is huge, not one of small, large");
    let error = read(SMALL, &[("CACHE_SECONDS", "-1")]).unwrap_err();
    assert_eq!(error.to_string(), "line 3: CACHE_SECONDS is -1, which is out of range");
}

#[test]
fn a_value_has_a_greatest_length() {
    let text = SMALL.replacen(
        "{Type: String, Default: small, AllowedValues: [small, large]}",
        "{Type: String, MaxLength: 3}",
        1,
    );
    assert!(read(&text, &[("MODE", "äöü")]).is_ok());
    let error = read(&text, &[("MODE", "äöüß")]).unwrap_err();
    assert_eq!(error.to_string(), "line 4: MODE is longer than 3 characters");
}

#[test]
fn a_pattern_is_for_the_whole_value() {
    let says = ", ConstraintDescription: must be whole seconds";
    for (says, told) in [("", "must match ^(?:[0-9]+(,[0-9]+)*)$"), (says, "must be whole seconds")] {
        let pattern = format!("{{Type: String, Default: '5', AllowedPattern: '[0-9]+(,[0-9]+)*'{says}}}");
        let text = SMALL.replacen("{Type: String, Default: small, AllowedValues: [small, large]}", &pattern, 1);
        for right in ["5", "5,10,300"] {
            let template = read(&text, &[("MODE", right)]).unwrap();
            assert_eq!(template.function("GetThing").unwrap().environment["MODE"], right);
        }
        for wrong in ["5,", "5;6", "-5", "5\n6"] {
            let error = read(&text, &[("MODE", wrong)]).unwrap_err();
            assert_eq!(error.to_string(), format!("line 4: MODE is {wrong}, but {told}"));
        }
    }
}

/// The small template with one line changed, and the error that this gives.
fn broken(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    read(&SMALL.replacen(from, to, 1), &[]).unwrap_err().to_string()
}

#[test]
fn what_the_runner_does_not_know_is_an_error_with_its_line() {
    let cases = [
        ("!Ref Mode", "!GetAZs x", "line 12: the runner does not know Fn::GetAZs"),
        ("TABLE_NAME: !Ref Table", "TABLE_NAME: !Ref Tabel", "line 11: there is nothing named Tabel"),
        ("!GetAtt Dead.Arn, max", "!GetAtt Dead.Name, max", "line 25: there is nothing named Dead.Name"),
        ("AWS::Logs::LogGroup", "AWS::S3::Bucket", "line 32: the runner has no part for AWS::S3::Bucket"),
        ("VisibilityTimeout: 60", "FifoQueue: true", "line 24: the runner does not know FifoQueue here"),
        ("VisibilityTimeout: 60", "VisibilityTimeout: soon", "line 24: soon is not a whole number in range"),
        ("rate(1 minute)", "cron(0 1 * * ? *)", "line 98: the runner knows rate(…) only, not cron(0 1 * * ? *)"),
        ("TRIM_HORIZON", "LATEST", "line 91: the runner knows TRIM_HORIZON only"),
        ("  Work:\n", "  Dead:\n", "line 20: duplicated key in mapping"),
        ("Resources:\n", "Mappings: {}\nResources:\n", "line 13: the runner does not know Mappings here"),
        ("      Throttle:", "      Quota: {Limit: 1}\n      Throttle:", "line 60: the runner does not know Quota here"),
        ("    Timeout: 10", "    Layers: [a]", "line 7: the runner does not know Layers here"),
        ("MinValue: 0", "NoEcho: true", "line 3: the runner does not know NoEcho here"),
        ("      Auth:\n", "      Models: {}\n      Auth:\n", "line 41: the runner does not know Models here"),
        // Routes stand at their functions.
        (
            "      Auth:\n",
            "      DefinitionBody: {paths: {/v1/x: {get: {}}}}\n      Auth:\n",
            "line 41: the runner does not know get here",
        ),
        (
            "        ApiKeyRequired: true",
            "        AddDefaultAuthorizerToCorsPreflight: true",
            "line 43: the runner does not know AddDefaultAuthorizerToCorsPreflight here",
        ),
        (
            "MaximumRetryAttempts: 5",
            "ParallelizationFactor: 2",
            "line 92: the runner does not know ParallelizationFactor here",
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(broken(from, to), expected);
    }
}

#[test]
fn what_would_fail_on_aws_is_an_error_with_its_line() {
    let keys = "the route needs an API key, which only an authorizer and ApiKeySourceType: AUTHORIZER bring";
    let cases = [
        ("ApiKeySourceType: AUTHORIZER", "ApiKeySourceType: HEADER", format!("line 73: {keys}")),
        ("ApiKeyRequired: false", "ApiKeyRequired: true", format!("line 77: {keys}")),
        ("DefaultAuthorizer: Keys", "DefaultAuthorizer: Locks", "line 42: the API has no authorizer Locks".to_owned()),
        (
            "[{ApiId: !Ref Api, Stage: !Ref Api.Stage}]",
            "[]",
            "line 59: the plan does not have the API's stage".to_owned(),
        ),
        ("Stage: !Ref Api.Stage", "Stage: other", "line 59: the plan does not have the API's stage".to_owned()),
        (
            "VisibilityTimeout: 60",
            "VisibilityTimeout: 9",
            "line 83: Work's VisibilityTimeout of 9 s is below the function's Timeout of 10 s".to_owned(),
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(broken(from, to), expected);
    }
}

#[test]
fn a_mock_answers_the_other_methods_of_a_path() {
    let template = read(&project(), &[]).unwrap();
    let mock = template.api.mocks.iter().find(|mock| mock.path == "/v1/payments").unwrap();
    assert_eq!((mock.answer.status, mock.answer.headers["Allow"].as_str()), (Some(405), "GET, POST"));
    assert_eq!(mock.answer.headers["Request-Id"], "$context.requestId");
    assert!(mock.media_types.contains(&"application/json".to_owned()), "{mock:?}");
    let cases = [
        ("[{ NONE: [] }, { api_key_false: [] }]", "[]", "mocks for everybody only"),
        ("type: mock", "type: aws_proxy", "integrations of the type mock only"),
        ("passthroughBehavior: never", "passthroughBehavior: when_no_match", "the passthroughBehavior never only"),
        ("'{\"statusCode\":405}'", "'{\"statusCode\":200}'", "the template must be the status of the response"),
        ("method.response.header.Allow", "method.response.Allow", "does not know method.response.Allow here"),
    ];
    for (from, to, told) in cases {
        assert!(project().contains(from), "{from}");
        let error = read(&project().replacen(from, to, 1), &[]).unwrap_err().to_string();
        assert!(error.contains(told), "{to} gave {error}");
    }
}
