//! A proxy before the table that refuses calls the caller's role does not allow. It opens one connection to the table
//! for each of its own and passes every byte on unchanged, also answers and closed connections, so that faults behind
//! it (a test's proxy) reach the functions.

use axum::serve::Listener;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::{Refusal, Roles, Store};

/// The prefix of the operation in `X-Amz-Target`.
const TARGET: &str = "DynamoDB_20120810.";

/// Bytes of one read at most.
const CHUNK: usize = 16 * 1024;

/// DynamoDB's limit of 16 MiB for a call, and room for its head.
const CALL_MAX: usize = 17 * 1024 * 1024;

const HEADERS_MAX: usize = 64;

/// A URL of the table that the proxy cannot connect to.
#[derive(Debug, thiserror::Error)]
#[error("STORE_URL is {0}: roles are checked before http://host:port only; with ROLES=off they are not")]
pub struct FrontError(String);

/// The proxy.
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
        // Unlike the listener's own method, this waits when the process has too many open files.
        let (client, _) = Listener::accept(&mut listener).await;
        let front = front.clone();
        tokio::spawn(async move {
            // An error closes both connections.
            let _ = front.pass(client).await;
        });
    }
}

impl Front {
    /// A proxy before the table at this URL.
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
                    // HTTP/1 clients wait for an answer before the next call, so no other answer can be on its way.
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
            // Unreachable: the head was parsed when its length was found.
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

/// The length of the first call in `bytes`. `None` if it is incomplete.
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
