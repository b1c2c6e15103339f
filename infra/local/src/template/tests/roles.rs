//! Roles of functions, and what they must allow.

use super::{SMALL, project, read};
use crate::policy::{Role, Statement};

const ROLE: &str = r#"
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]
      ManagedPolicyArns: !If [Small, [!Ref Traces], !Ref AWS::NoValue]
      Policies:
        - PolicyName: get-thing
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes]
                Resource: !GetAtt Work.Arn
              - Effect: Allow
                Action: [dynamodb:GetRecords, dynamodb:GetShardIterator, dynamodb:DescribeStream]
                Resource: !GetAtt Table.StreamArn
              - Effect: Allow
                Action: dynamodb:ListStreams
                Resource: !Sub "${Table.Arn}/stream/*"
              - Effect: Allow
                Action: [sqs:SendMessage]
                Resource: [!GetAtt Dead.Arn]
              - Effect: Allow
                Action: [dynamodb:GetItem]
                Resource: !GetAtt Table.Arn
                Condition: {"ForAllValues:StringLike": {dynamodb:LeadingKeys: ["mer_*#pay_*"]}}
  Traces:
    Type: AWS::IAM::ManagedPolicy
    Condition: Small
    Properties:
      PolicyDocument: {Statement: [{Effect: Allow, Action: ["xray:PutTraceSegments"], Resource: "*"}]}
"#;

/// The small template where GetThing has the role.
fn template() -> String {
    let text = SMALL.replacen("Resources:\n", "Conditions:\n  Small: !Equals [!Ref Mode, small]\nResources:\n", 1);
    let function = "      CodeUri: ../functions/get-thing/\n";
    text.replacen(function, &format!("{function}      Role: !GetAtt Role.Arn\n"), 1) + ROLE
}

#[test]
fn a_role_is_read_with_its_policies() {
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let role =
        |mode| read(&template(), &[("MODE", mode)]).unwrap().function("get-thing").unwrap().role.clone().unwrap();
    let Role { name, statements } = role("small");
    assert_eq!((name.as_str(), statements.len()), ("spillway-Role", 6));
    let table = "arn:aws:dynamodb:eu-central-1:000000000000:table/spillway-Table";
    let get = Statement {
        actions: strings(&["dynamodb:GetItem"]),
        resources: strings(&[table]),
        leading_keys: Some(strings(&["mer_*#pay_*"])),
    };
    assert_eq!(statements[4], get);
    assert_eq!(statements[2].actions, ["dynamodb:ListStreams"]);
    assert_eq!(statements[2].resources, [format!("{table}/stream/*")]);
    assert_eq!(statements[5].actions, ["xray:PutTraceSegments"]);
    assert_eq!(role("large").statements.len(), 5);
    assert_eq!(read(&template(), &[]).unwrap().function("authenticate").unwrap().role, None);
}

#[test]
fn a_role_that_aws_would_refuse_or_the_runner_does_not_know_is_an_error() {
    let work = "arn:aws:sqs:eu-central-1:000000000000:spillway-work";
    let dead = "arn:aws:sqs:eu-central-1:000000000000:spillway-Dead";
    let stream = "arn:aws:dynamodb:eu-central-1:000000000000:table/spillway-Table/stream/local";
    let needed = |what: String| format!("spillway-Role does not allow {what}, which this trigger needs");
    let cases = [
        ("[sqs:ReceiveMessage, ", "[", needed(format!("sqs:ReceiveMessage on {work}"))),
        ("sqs:DeleteMessage, ", "", needed(format!("sqs:DeleteMessage on {work}"))),
        (", sqs:GetQueueAttributes]", "]", needed(format!("sqs:GetQueueAttributes on {work}"))),
        ("[dynamodb:GetRecords, ", "[", needed(format!("dynamodb:GetRecords on {stream}"))),
        ("dynamodb:GetShardIterator, ", "", needed(format!("dynamodb:GetShardIterator on {stream}"))),
        (", dynamodb:DescribeStream]", "]", needed(format!("dynamodb:DescribeStream on {stream}"))),
        ("dynamodb:ListStreams", "dynamodb:ListTables", needed(format!("dynamodb:ListStreams on {stream}"))),
        ("/stream/*", "/index/*", needed(format!("dynamodb:ListStreams on {stream}"))),
        ("[!GetAtt Dead.Arn]", "[!GetAtt Work.Arn]", needed(format!("sqs:SendMessage on {dead}"))),
        (
            "Service: lambda.amazonaws.com",
            "Service: apigateway.amazonaws.com",
            "lambda.amazonaws.com may not assume this role".to_owned(),
        ),
        ("[sqs:SendMessage]", "['sqs:*']", "sqs:* stands for several actions: name each".to_owned()),
        ("- Effect: Allow", "- Effect: Deny", "the runner knows statements that allow only".to_owned()),
        ("ForAllValues:StringLike", "StringLike", "the runner does not know StringLike here".to_owned()),
        ("dynamodb:LeadingKeys", "dynamodb:Attributes", "the runner does not know dynamodb:Attributes here".to_owned()),
        ("Action: dynamodb:ListStreams", "NotAction: a", "the runner does not know NotAction here".to_owned()),
        (
            "[!Ref Traces]",
            "[arn:aws:iam::aws:policy/AdministratorAccess]",
            "arn:aws:iam::aws:policy/AdministratorAccess is no AWS::IAM::ManagedPolicy of this template".to_owned(),
        ),
        ("Role: !GetAtt Role.Arn", "Role: !GetAtt Work.Arn", format!("{work} is no AWS::IAM::Role of this template")),
        ("Role: !GetAtt Role.Arn", "Policies: []", "the runner does not know Policies here".to_owned()),
    ];
    for (from, to, expected) in cases {
        let text = template();
        assert!(text.contains(from), "{from}");
        let error = read(&text.replacen(from, to, 1), &[]).unwrap_err().to_string();
        let (line, told) = error.split_once(": ").unwrap();
        assert_eq!(told, expected, "{from} -> {to}");
        assert!(line.starts_with("line "), "{error}");
    }
}

#[test]
fn a_schedule_needs_a_role_that_invokes_functions() {
    let cases = [
        (r#"Action: "lambda:InvokeFunction""#, "Action: lambda:GetFunction", "the role may not invoke a function"),
        (
            "Service: scheduler.amazonaws.com",
            "Service: lambda.amazonaws.com",
            "scheduler.amazonaws.com may not assume this role",
        ),
    ];
    for (from, to, expected) in cases {
        let text = project();
        assert!(text.contains(from), "{from}");
        assert_eq!(read(&text.replacen(from, to, 1), &[]).unwrap_err().message, expected);
    }
}
