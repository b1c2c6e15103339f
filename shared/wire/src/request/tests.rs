use serde_json::json;

use super::super::caller::Caller;
use super::super::faults::{Invalid, Place};
use super::super::parameters::Parameters;
use super::*;
use crate::tags::Condition;

/// An event with these members in addition to the usual ones.
fn event(members: Value) -> String {
    let mut event = json!({"httpMethod": "POST", "path": "/v1/payments", "resource": "/v1/payments",
        "requestContext": {"httpMethod": "POST", "requestId": "r", "path": "/api/v1/payments/"}});
    if let (Value::Object(event), Value::Object(members)) = (&mut event, members) {
        event.extend(members);
    }
    event.to_string()
}

fn read(members: Value) -> Request {
    read_request(&event(members)).unwrap()
}

fn body(text: &str, is_base64_encoded: bool) -> Result<Json, Problem> {
    let headers = json!({"Content-Type": "application/json"});
    let event = event(json!({"headers": headers, "body": text, "isBase64Encoded": is_base64_encoded}));
    match read_request(&event) {
        Ok(request) => request.json(),
        Err(Unreadable::Request { why, .. }) => Err(malformed(why)),
        Err(Unreadable::Event) => panic!("{event}"),
    }
}

fn encoded(bytes: &[u8]) -> Result<Json, Problem> {
    body(&STANDARD.encode(bytes), true)
}

fn malformed(why: &str) -> Problem {
    Problem::malformed_request(why)
}

#[test]
fn every_sample_event_is_read() {
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
    let mut read = 0;
    for folder in std::fs::read_dir(events).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let event: Value = serde_json::from_str(&text).unwrap();
            // The authorizer's event has no body.
            if event.get("httpMethod").is_none() || event.get("methodArn").is_some() {
                continue;
            }
            let request = read_request(&text).unwrap();
            assert_eq!(request.request_id(), event["requestContext"]["requestId"]);
            assert_eq!(request.route(), event["resource"]);
            assert_eq!(request.method().as_str(), event["httpMethod"]);
            read += 1;
        }
    }
    assert!(read >= 9, "{read} samples");
}

#[test]
fn all_values_of_a_repeated_header_are_read() {
    let values = |request: &Request| request.headers().get_all("idempotency-key").iter().count();
    // API Gateway sends both forms. The single form has only the last value.
    let both = |many: Value| {
        read(json!({"multiValueHeaders": many, "headers": {"Idempotency-Key": "b", "Host": "x", "Other": "1"}}))
    };
    let twice = both(json!({"Idempotency-Key": ["a", "b"]}));
    assert_eq!(twice.idempotency_key(), Err(Problem::idempotency_key_invalid()));
    // Upper and lower case name the same header.
    let spelled = both(json!({"Idempotency-Key": ["a"], "idempotency-key": ["a"]}));
    assert_eq!((values(&spelled), spelled.idempotency_key()), (2, Err(Problem::idempotency_key_invalid())));
    assert_eq!(values(&both(json!({"Idempotency-Key": ["b"]}))), 1);
    // The single form is used if the other is missing.
    for missing in [json!(null), json!({})] {
        let single = both(missing);
        assert_eq!((values(&single), single.idempotency_key().is_ok()), (1, true));
    }
}

#[test]
fn a_repeated_authorization_header_is_refused() {
    let now = spillway_domain::time::Timestamp::from_millis(0);
    let fields = json!({"merchant": "mer_00000000000000000000000000", "mode": "test", "scopes": "payments:read",
        "currencies": "USD", "shards": "[{\"count\":4,\"from\":\"2026-01-01T00:00:00.000Z\"}]"});
    let of = |values: Value| {
        let context = json!({"httpMethod": "GET", "requestId": "r", "authorizer": fields});
        let request = read(json!({"multiValueHeaders": {"Authorization": values}, "requestContext": context}));
        Caller::of(&request, now).map(|caller| caller.tenant.to_string())
    };
    assert_eq!(of(json!(["Bearer x"])), Ok("mer_00000000000000000000000000#test".to_owned()));
    assert_eq!(of(json!(["Bearer x", "Bearer x"])), Err(Problem::unauthorized()));
}

#[test]
fn a_header_with_other_than_ascii_is_read() {
    let odd = read(json!({"multiValueHeaders": {"X-Name": ["Schönberg"], "If-None-Match": ["\"ä\", \"2\""],
        "Idempotency-Key": ["ä"]}}));
    let known = Condition::of(&odd, "if-none-match").unwrap().unwrap();
    assert_eq!(["\"2\"", "\"ä\"", "\"3\""].map(|tag| known.names(tag)), [true, true, false]);
    assert_eq!(odd.idempotency_key(), Err(Problem::idempotency_key_invalid()));
}

#[test]
fn an_invalid_header_is_a_client_error() {
    let refused =
        Unreadable::Request { request_id: "r".to_owned(), why: "A header has a character that HTTP does not allow." };
    for headers in [json!({"X": ["a\u{1}b"]}), json!({"X": ["a\u{7f}"]}), json!({"X Y": ["a"]}), json!({"": ["a"]})] {
        let event = event(json!({"multiValueHeaders": headers}));
        assert_eq!(read_request(&event).unwrap_err(), refused, "{event}");
    }
    let single = event(json!({"headers": {"X": "a\nb"}}));
    assert_eq!(read_request(&single).unwrap_err(), refused);
}

#[test]
fn another_payload_is_not_an_event() {
    for payload in ["{}", "null", "[]", r#"{"Records":[]}"#, &event(json!({"multiValueHeaders": 1}))] {
        assert_eq!(read_request(payload).unwrap_err(), Unreadable::Event, "{payload}");
    }
}

#[test]
fn an_invalid_host_or_path_is_accepted() {
    let odd = read(json!({"multiValueHeaders": {"Host": ["a b:x"], "X-Forwarded-Proto": ["::"]}, "path": "{ä"}));
    assert_eq!((odd.raw_http_path(), odd.request_id()), ("{ä", "r"));
}

#[test]
fn location_is_the_path_that_the_client_sees() {
    assert_eq!(read(json!({})).location("pay_1"), "/api/v1/payments/pay_1");
}

#[test]
fn the_query_has_all_values_of_each_parameter() {
    let query = |many: Value| {
        let request = read(json!({"multiValueQueryStringParameters": many, "queryStringParameters": {"limit": "2"}}));
        let mut parameters = Parameters::of(&request);
        let read = parameters.read("limit", "must be text", |text| Some(text.to_owned()));
        (read, parameters.finish().is_ok())
    };
    assert_eq!(query(json!({"limit": ["%31 +"]})), (Some("%31 +".to_owned()), true), "nothing is decoded twice");
    assert_eq!(query(json!({"limit": ["1", "2"]})), (None, false));
    assert_eq!(query(json!(null)), (Some("2".to_owned()), true));
}

#[test]
fn a_body_is_read_as_text_or_in_base64() {
    let expected = Json::Object(vec![("a".to_owned(), Json::Text("é".to_owned()))]);
    assert_eq!(body("{\"a\":\"é\"}", false), Ok(expected.clone()));
    assert_eq!(encoded("{\"a\":\"é\"}".as_bytes()), Ok(expected));
    // A body in base64 is unchanged, so the client sent this character.
    assert_eq!(
        encoded("{\"a\":\"\u{fffd}\"}".as_bytes()),
        Ok(Json::Object(vec![("a".to_owned(), Json::Text("\u{fffd}".to_owned()))]))
    );
}

#[test]
fn each_unreadable_body_has_its_own_message() {
    assert_eq!(body("", false), Err(malformed("The body is empty; send a JSON object.")));
    let marked = malformed("The body begins with a byte order mark; send it without.");
    assert_eq!(body("\u{feff}{}", false), Err(marked.clone()));
    assert_eq!(encoded(b"\xef\xbb\xbf{}"), Err(marked));
    // The byte order mark of UTF-16, as text after the gateway's replacement, and in base64.
    let replaced = "The body is not valid UTF-8, or contains the character U+FFFD.";
    assert_eq!(body("\u{fffd}\u{fffd}{\0", false), Err(malformed(replaced)));
    assert_eq!(encoded(b"\xff\xfe{\0}\0"), Err(malformed("The body is not valid UTF-8.")));
    assert_eq!(body("e30", true), Err(malformed("The body can't be decoded.")));
    assert_eq!(body(&"é".repeat(32_769), false), Err(Problem::body_too_large()));
}

#[test]
fn a_missing_body_counts_as_empty() {
    let request = read(json!({"headers": {"content-type": "application/json"}, "body": null}));
    assert_eq!(request.json(), Err(malformed("The body is empty; send a JSON object.")));
}

#[test]
fn repeated_keys_are_refused_with_their_places() {
    let repeated = |pointer: &str| Invalid {
        place: Place::Pointer(pointer.to_owned()),
        detail: "is repeated".to_owned(),
        field: String::new(),
    };
    let expected = Problem::repeated_keys(vec![repeated("/amount"), repeated("/metadata/a")]);
    assert_eq!(body(r#"{"amount":1,"amount":100,"metadata":{"a":"1","a":"2"}}"#, false), Err(expected));
}

#[test]
fn no_json_accepts_a_missing_body_or_an_object() {
    let no_json = |body: Value| read(json!({"headers": {"Content-Type": "application/json"}, "body": body})).no_json();
    assert_eq!([Value::Null, json!(""), json!("{}")].map(no_json), [(); 3].map(|()| Ok(Json::Object(Vec::new()))));
    assert!(no_json(json!("[]")).is_err());
}
