//! Which callers are checked, and how refusals are reported.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{QUEUE, TABLE, statement};
use crate::log::Log;
use crate::policy::{Access, Role, Statement};
use crate::roles::Roles;
use crate::template::{Api, Function, Queue, QueueTrigger, Table, Template, Trigger};

/// A template with these statements as the role of the function `clerk`, and the function `guest` without a role.
pub(super) fn template(statements: Vec<Statement>) -> Template {
    let function = |name: &str, role: Option<Role>, triggers: Vec<Trigger>| Function {
        name: name.to_owned(),
        function_name: format!("stack-{name}"),
        role,
        triggers,
        ..Function::default()
    };
    let trigger = Trigger::Queue(QueueTrigger {
        function: "clerk".to_owned(),
        queue: "Work".to_owned(),
        ..QueueTrigger::default()
    });
    let role = Role { name: "stack-ClerkRole".to_owned(), statements };
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let properties = json!({"KeySchema": [key("pk", "HASH"), key("sk", "RANGE")]});
    Template {
        functions: vec![function("clerk", Some(role), vec![trigger]), function("guest", None, Vec::new())],
        queues: vec![Queue { logical_id: "Work".to_owned(), name: "work".to_owned(), ..Queue::default() }],
        table: Table { name: "books".to_owned(), properties },
        secrets: Vec::new(),
        usage_plans: Vec::new(),
        api: Api::default(),
    }
}

/// The roles of this template, and the lines of their log.
pub(super) fn roles(statements: Vec<Statement>) -> (Roles, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = lines.clone();
    let log = Log::to(false, move |line| kept.lock().unwrap().push(line.to_owned()));
    (Roles::new(&template(statements), "us-east-1", log), lines)
}

/// An `Authorization` that the SDK sends with this access key.
pub(super) fn signed_by(key: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential={key}/20260131/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
}

const WORK: &[u8] = br#"{"QueueUrl": "http://127.0.0.1:1/000000000000/work"}"#;

#[test]
fn only_functions_are_checked() {
    let (roles, _) = roles(Vec::new());
    let send = |authorization: Option<&str>| roles.check_queue_call(authorization, "SendMessage", WORK).is_ok();
    assert!(!send(Some(&signed_by("clerk"))) && !send(Some(&signed_by("guest"))));
    assert!(send(None) && send(Some("Bearer clerk")) && send(Some(&signed_by("local"))) && send(Some(&signed_by(""))));
    let nobody = Roles::off("us-east-1", Log::to(false, |_| ()));
    assert!(nobody.check_queue_call(Some(&signed_by("clerk")), "SendMessage", WORK).is_ok());
}

#[test]
fn a_refusal_has_the_text_of_aws_and_is_logged() {
    let (roles, lines) = roles(vec![statement(&["apigateway:GET"], &["arn:aws:apigateway:us-east-1::/apikeys"], None)]);
    let clerk = signed_by("clerk");
    let refusal = roles.check_queue_call(Some(&clerk), "SendMessageBatch", WORK).unwrap_err();
    let user = "User: arn:aws:sts::000000000000:assumed-role/stack-ClerkRole/stack-clerk";
    let expected = format!(
        "{user} is not authorized to perform: sqs:sendmessage on resource: {QUEUE} because no identity-based policy \
         allows the sqs:sendmessage action"
    );
    assert_eq!(refusal.to_string(), expected);
    assert!(roles.check_management_call(Some(&clerk), "GET", "/apikeys").is_ok());
    let refusal = roles.check_management_call(Some(&clerk), "POST", "/apikeys").unwrap_err();
    assert_eq!(refusal.action, "apigateway:POST");
    assert!(roles.check_management_call(Some(&clerk), "GET", "/apikeys/1").is_err());
    let lines = lines.lock().unwrap();
    let told = format!("clerk                     its role stack-ClerkRole does not allow sqs:SendMessage on {QUEUE}");
    assert!(lines[0].ends_with(&told), "{lines:?}");
    assert_eq!(lines.len(), 3);
}

/// The clerk's list of this name in the report, without the statements' numbers.
fn told(report: &Value, what: &str) -> Vec<String> {
    let sentences = report["clerk"][what].as_array().unwrap().iter();
    sentences.map(|sentence| sentence.as_str().unwrap().split(", ").next().unwrap().to_owned()).collect()
}

#[test]
fn the_report_lists_allowed_used_and_refused_accesses() {
    let (roles, _) = roles(vec![
        statement(&["sqs:ReceiveMessage", "sqs:SendMessage"], &[QUEUE], None),
        statement(&["logs:PutLogEvents", "xray:PutTraceSegments"], &["*"], None),
        statement(&["dynamodb:putitem", "dynamodb:GetItem"], &[TABLE], Some(&["a*", "b*"])),
    ]);
    let caller = roles.caller(Some(&signed_by("clerk"))).unwrap();
    let put = json!({"TableName": "books", "Item": {"pk": {"S": "b1"}}});
    let store = crate::roles::Store::new("us-east-1", &template(Vec::new()).table);
    caller.check(&store.needs("PutItem", &put)).unwrap();
    caller.check(&[Access::new("sqs:DeleteMessage", QUEUE)]).unwrap_err();
    let report = roles.report();
    let receive = format!("sqs:ReceiveMessage on {QUEUE}");
    let put = format!("dynamodb:putitem on {TABLE}");
    let allowed = [
        format!("dynamodb:GetItem on {TABLE}"),
        put.clone(),
        receive.clone(),
        format!("sqs:SendMessage on {QUEUE}"),
        "the key a*".to_owned(),
        "the key b*".to_owned(),
    ];
    assert_eq!(told(&report, "allowed"), allowed);
    // Its trigger needs to receive messages.
    assert_eq!(told(&report, "used"), [put, receive, "the key b*".to_owned()]);
    assert_eq!(told(&report, "refused"), [format!("sqs:DeleteMessage on {QUEUE}")]);
    assert_eq!(report["guest"], json!({"allowed": [], "used": [], "refused": []}));
}
