//! The proxy before the table: it passes calls on, refuses calls and closes connections.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::guard::{roles, signed_by, template};
use super::{TABLE, statement};
use crate::roles::{Front, Store, serve};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// The bytes that a table has received on all connections.
type Received = Arc<Mutex<Vec<u8>>>;

/// The address of the proxy before a table, and the bytes that the table receives. The table answers each read with
/// [`ANSWER`], or closes the connection after `close`.
async fn table() -> (TcpStream, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let kept = received.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let kept = kept.clone();
            tokio::spawn(async move {
                let mut read = vec![0; 1 << 20];
                while let Ok(length @ 1..) = stream.read(&mut read).await {
                    kept.lock().unwrap().extend(&read[..length]);
                    if read[..length].windows(5).any(|part| part == b"close") {
                        return;
                    }
                    stream.write_all(ANSWER.as_bytes()).await.unwrap();
                }
            });
        }
    });
    let (roles, _) = roles(vec![statement(&["dynamodb:GetItem"], &[TABLE], Some(&["mer_*"]))]);
    let store = Store::new("us-east-1", &template(Vec::new()).table);
    let front = Front::new(roles, store, &url).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, front));
    (TcpStream::connect(address).await.unwrap(), received)
}

/// A GetItem as `caller` sends it.
fn get(caller: &str, pk: &str) -> String {
    let body = json!({"TableName": "books", "Key": {"pk": {"S": pk}, "sk": {"S": "a"}}}).to_string();
    format!(
        "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\nAuthorization: {}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        signed_by(caller),
        body.len()
    )
}

/// The head and the body of the next answer.
async fn answer(client: &mut TcpStream) -> (String, Value) {
    let mut read = Vec::new();
    loop {
        assert!(client.read_buf(&mut read).await.unwrap() > 0, "closed after {}", String::from_utf8_lossy(&read));
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            return (head.to_owned(), body);
        }
    }
}

#[tokio::test]
async fn allowed_calls_pass_unchanged_and_others_are_refused() {
    let (mut client, received) = table().await;
    let mut passed = String::new();
    for (caller, pk, allowed) in
        [("clerk", "mer_1", true), ("clerk", "key#1", false), ("tool", "key#1", true), ("clerk", "mer_2", true)]
    {
        let call = get(caller, pk);
        client.write_all(call.as_bytes()).await.unwrap();
        let (head, body) = answer(&mut client).await;
        if allowed {
            passed.push_str(&call);
            assert_eq!((head.lines().next(), body), (Some("HTTP/1.1 200 OK"), json!({})));
        } else {
            assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0"), "{head}");
            assert_eq!(body["__type"], "com.amazon.coral.service#AccessDeniedException");
            let told = format!("is not authorized to perform: dynamodb:GetItem on resource: {TABLE} because");
            assert!(body["Message"].as_str().unwrap().contains(&told), "{body}");
        }
        assert_eq!(String::from_utf8_lossy(&received.lock().unwrap()), passed);
    }
}

#[tokio::test]
async fn a_call_in_several_parts_is_checked_as_a_whole() {
    let (mut client, received) = table().await;
    client.set_nodelay(true).unwrap();
    for part in get("clerk", "key#1").as_bytes().chunks(7) {
        client.write_all(part).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(answer(&mut client).await.1["__type"], "com.amazon.coral.service#AccessDeniedException");
    let long = format!("mer_{}", "x".repeat(100_000));
    client.write_all(get("clerk", &long).as_bytes()).await.unwrap();
    assert_eq!(answer(&mut client).await.1, json!({}));
    assert!(received.lock().unwrap().starts_with(b"POST / HTTP/1.1"));
}

#[tokio::test]
async fn closed_tables_and_unreadable_calls_close_the_connection() {
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned();
    let huge = "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned();
    let long = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", usize::MAX);
    for call in [get("tool", "close"), chunked, huge, long, "no http\r\n\r\n".to_owned()] {
        let (mut client, received) = table().await;
        client.write_all(call.as_bytes()).await.unwrap();
        let read = client.read(&mut [0; 100]).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{call}: {read:?}");
        assert_eq!(received.lock().unwrap().is_empty(), !call.contains("close"), "{call}");
    }
}

#[test]
fn only_plain_http_urls_are_accepted() {
    let front = |url: &str| {
        let (roles, _) = roles(Vec::new());
        Front::new(roles, Store::new("us-east-1", &template(Vec::new()).table), url).map(|_| ())
    };
    assert!(front("http://127.0.0.1:8000").is_ok() && front("http://localhost:8000/").is_ok());
    for url in ["https://127.0.0.1:8000", "http://localhost", "http://localhost:1/path", "localhost:1"] {
        let told = front(url).unwrap_err().to_string();
        assert!(told.contains(url) && told.contains("ROLES=off"), "{told}");
    }
}
