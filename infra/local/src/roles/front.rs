//! Stands before the table and lets pass what the caller's role allows. It has one connection to the table for each
//! that it is asked on and hands on every byte as it came, answers and closed connections too: what is behind it, a
//! faulty way to the table perhaps, behaves to the functions as if it were asked directly.

use axum::serve::Listener;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::{Refusal, Roles, Store};

/// What is before the name of the operation in `X-Amz-Target`.
const TARGET: &str = "DynamoDB_20120810.";

/// The most that is read at once, in bytes.
const CHUNK: usize = 16 * 1024;

/// No call of DynamoDB is longer than 16 MiB; this leaves room for its head.
const CALL_MAX: usize = 17 * 1024 * 1024;

const HEADERS_MAX: usize = 64;

/// Why there can be nothing before the table.
#[derive(Debug, thiserror::Error)]
#[error("STORE_URL is {0}: roles are checked before http://host:port only; with ROLES=off they are not")]
pub struct FrontError(String);

/// Between whom it stands.
#[derive(Clone)]
pub struct Front {
    roles: Roles,
    store: Store,
    /// Where the table answers, as `127.0.0.1:8000`.
    table: String,
}

/// Serves until the future is dropped.
pub async fn serve(mut listener: TcpListener, front: Front) {
    loop {
        // Unlike the listener's own, this waits where there are too many connections.
        let (client, _) = Listener::accept(&mut listener).await;
        let front = front.clone();
        tokio::spawn(async move {
            // Whatever fails, both connections are closed, which says it to both.
            let _ = front.pass(client).await;
        });
    }
}

impl Front {
    /// Before the table at this URL.
    pub fn new(roles: Roles, store: Store, url: &str) -> Result<Self, FrontError> {
        let address = url.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        let address = address.filter(|address| address.contains(':') && !address.contains('/'));
        let table = address.ok_or_else(|| FrontError(url.to_owned()))?.to_owned();
        Ok(Self { roles, store, table })
    }

    async fn pass(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut table = TcpStream::connect(&self.table).await?;
        // Without it a call could wait 40 ms for an acknowledgement.
        client.set_nodelay(true)?;
        table.set_nodelay(true)?;
        let (mut asked, mut answered) = (Vec::new(), vec![0; CHUNK]);
        loop {
            while let Some(length) = call_length(&asked)? {
                match self.check(&asked[..length]) {
                    Ok(()) => table.write_all(&asked[..length]).await?,
                    // Nobody asks before the answer to the last call is there, so this is the answer's place.
                    Err(refusal) => client.write_all(answer(&refusal).as_bytes()).await?,
                }
                asked.drain(..length);
            }
            asked.reserve(CHUNK);
            tokio::select! {
                read = client.read_buf(&mut asked) => if read? == 0 {
                    return Ok(());
                },
                read = table.read(&mut answered) => match read? {
                    0 => return Ok(()),
                    length => client.write_all(&answered[..length]).await?,
                },
            }
        }
    }

    fn check(&self, call: &[u8]) -> Result<(), Refusal> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let Ok(httparse::Status::Complete(head)) = request.parse(call) else {
            // It was complete when its length was found.
            return Ok(());
        };
        let Some(caller) = self.roles.caller(header(&request, "authorization")) else {
            return Ok(());
        };
        let operation = header(&request, "x-amz-target").and_then(|target| target.strip_prefix(TARGET));
        let body = serde_json::from_slice(&call[head..]).unwrap_or_default();
        caller.check(&self.store.needs(operation.unwrap_or_default(), &body))
    }
}

fn header<'a>(request: &httparse::Request<'_, 'a>, name: &str) -> Option<&'a str> {
    let header = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(header.value).ok()
}

/// How long the call is with which `bytes` begin; `None`: it has not yet come as a whole.
fn call_length(bytes: &[u8]) -> std::io::Result<Option<usize>> {
    let invalid = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes).map_err(|error| invalid(&error.to_string()))? {
        httparse::Status::Partial => None,
        httparse::Status::Complete(head) => {
            if header(&request, "transfer-encoding").is_some() {
                return Err(invalid("the SDK sends a call's length"));
            }
            let body = header(&request, "content-length").map_or(Ok(0), str::parse::<usize>);
            Some(head.saturating_add(body.map_err(|_| invalid("the length is no number"))?))
        }
    };
    match length {
        None if bytes.len() > CALL_MAX => Err(invalid("the head has no end")),
        Some(length) if length > CALL_MAX => Err(invalid("the call is too long")),
        length => Ok(length.filter(|length| *length <= bytes.len())),
    }
}

fn answer(refusal: &Refusal) -> String {
    let body = json!({
        "__type": "com.amazon.coral.service#AccessDeniedException",
        "Message": refusal.to_string(),
    })
    .to_string();
    format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: {}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        Uuid::new_v4(),
        body.len()
    )
}
