//! The servers that check roles themselves.

use serde_json::Value;
use tokio::net::TcpListener;

use super::guard::{roles, signed_by, template};
use super::{QUEUE, statement};
use crate::clock;
use crate::files::tests::Scratch;
use crate::plan_keys::PlanKeys;
use crate::queue::{self, Queues};

/// The status, the header of this name, and the body of the answer to a POST.
async fn post(url: &str, caller: &str, target: &str, body: &'static str, header: &str) -> (u16, String, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(url).header("authorization", signed_by(caller)).header("x-amz-target", target);
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    let header = answer.headers().get(header).map(|value| value.to_str().unwrap().to_owned());
    (status, header.unwrap_or_default(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn the_queues_refuse_as_sqs_does() {
    let (roles, _) = roles(vec![statement(&["sqs:SendMessage"], &[QUEUE], None)]);
    let scratch = Scratch::new();
    let settings = template(Vec::new()).queues;
    let queues = Queues::open(&scratch.file("file"), "us-east-1", &settings, clock::system(), false).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(queue::serve(listener, queues, roles));
    let body = r#"{"QueueUrl": "http://127.0.0.1:1/000000000000/work", "MessageBody": "a"}"#;
    let call = async |caller: &str, action: &str| {
        post(&url, caller, &format!("AmazonSQS.{action}"), body, "x-amzn-query-error").await
    };
    assert_eq!(call("clerk", "SendMessage").await.0, 200);
    let (status, older_name, body) = call("clerk", "ReceiveMessage").await;
    assert_eq!((status, older_name.as_str()), (400, "AccessDenied;Sender"));
    assert_eq!(body["__type"], "com.amazon.coral.service#AccessDeniedException");
    let told = format!("is not authorized to perform: sqs:receivemessage on resource: {QUEUE} because");
    assert!(body["message"].as_str().unwrap().contains(&told), "{body}");
    assert_eq!(call("tool", "ReceiveMessage").await.0, 200);
}

#[tokio::test]
async fn the_plan_keys_refuse_as_api_gateway_does() {
    let keys_arn = "arn:aws:apigateway:us-east-1::/apikeys";
    let (roles, _) = roles(vec![statement(&["apigateway:POST"], &[keys_arn], None)]);
    let scratch = Scratch::new();
    let keys = PlanKeys::open(&scratch.file("file"), &[]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = keys.routes(roles);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let call = async |caller: &str, path: &str, body: &'static str| {
        post(&format!("{url}{path}"), caller, "", body, "x-amzn-errortype").await
    };
    assert_eq!(call("clerk", "/apikeys", r#"{"enabled": true}"#).await.0, 201);
    let (status, kind, body) = call("clerk", "/usageplans/Plan/keys", r#"{"keyId": "a"}"#).await;
    assert_eq!((status, kind.as_str()), (403, "AccessDeniedException"));
    let told = "is not authorized to perform: apigateway:POST on resource: \
                arn:aws:apigateway:us-east-1::/usageplans/Plan/keys because";
    assert!(body["message"].as_str().unwrap().contains(told), "{body}");
    assert_eq!(call("guest", "/apikeys", "{}").await.0, 403);
    assert_eq!(call("tool", "/usageplans/Plan/keys", r#"{"keyId": "a"}"#).await.0, 404);
}
