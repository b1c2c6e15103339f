//! Stands in for a table and queues without limits: it shows overdue deliveries, takes each claim once and accepts all
//! messages, each call after a fixed time. The embedded table stores too few writes a second to show what the sweep can
//! do. It uses threads and no other crate, so that it leaves the cores to the function.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Partitions of each due group in the index `due`.
const PARTITIONS: usize = 64;
/// Merchants that share the deliveries.
const MERCHANTS: usize = 100;

/// A running stand-in. It ends with the process.
pub struct StandIn {
    /// Its address, for the table and for the queues.
    pub url: String,
    state: Arc<State>,
}

struct State {
    claimed: Vec<AtomicBool>,
    messages: AtomicUsize,
    calls: AtomicUsize,
    store: Duration,
    queue: Duration,
}

impl StandIn {
    /// Starts it with this many overdue deliveries, and these times of a call of the table and of a queue.
    pub fn start(deliveries: usize, store: Duration, queue: Duration) -> StandIn {
        let claimed = (0..deliveries).map(|_| AtomicBool::new(false)).collect();
        let state =
            Arc::new(State { claimed, messages: AtomicUsize::new(0), calls: AtomicUsize::new(0), store, queue });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || state.serve(connection));
            }
        });
        StandIn { url, state }
    }

    /// Messages that were sent.
    pub fn messages(&self) -> usize {
        self.state.messages.load(Ordering::Relaxed)
    }

    /// Calls of the table and of the queues.
    pub fn calls(&self) -> usize {
        self.state.calls.load(Ordering::Relaxed)
    }
}

impl State {
    /// Answers the requests of a connection until it is closed.
    fn serve(&self, connection: TcpStream) -> Option<()> {
        connection.set_nodelay(true).ok()?;
        let (mut reader, mut writer) = (BufReader::new(connection.try_clone().ok()?), connection);
        loop {
            let (mut target, mut length, mut line) = (String::new(), 0, String::new());
            loop {
                line.clear();
                if reader.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                match line.trim_end().split_once(": ") {
                    Some((name, value)) if name.eq_ignore_ascii_case("x-amz-target") => target = value.to_owned(),
                    Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                        length = value.parse().ok()?
                    }
                    Some(_) => {}
                    None if line == "\r\n" => break,
                    None => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            self.calls.fetch_add(1, Ordering::Relaxed);
            thread::sleep(if target.starts_with("AmazonSQS") { self.queue } else { self.store });
            let (status, answer) = self.answer(&target, &String::from_utf8_lossy(&body));
            let head = "content-type: application/x-amz-json-1.0\r\ncontent-length";
            write!(writer, "HTTP/1.1 {status}\r\n{head}: {}\r\n\r\n{answer}", answer.len()).ok()?;
        }
    }

    fn answer(&self, target: &str, body: &str) -> (&'static str, String) {
        match target.rsplit('.').next().unwrap_or_default() {
            "Query" => ("200 OK", self.page(body)),
            "UpdateItem" => {
                let number: usize = number(body, "evt_").unwrap_or_default();
                if self.claimed[number].swap(true, Ordering::Relaxed) {
                    ("400 Bad Request", r#"{"__type":"com.amazonaws#ConditionalCheckFailedException"}"#.to_owned())
                } else {
                    ("200 OK", "{}".to_owned())
                }
            }
            "SendMessageBatch" => {
                let sent = body.matches("\"MessageBody\"").count();
                self.messages.fetch_add(sent, Ordering::Relaxed);
                let ids = body.split("\"Id\":\"").skip(1).filter_map(|rest| rest.split('"').next());
                let entry = |id: &str| format!(r#"{{"Id":"{id}","MessageId":"m","MD5OfMessageBody":""}}"#);
                let entries: Vec<String> = ids.map(entry).collect();
                ("200 OK", format!(r#"{{"Successful":[{}],"Failed":[]}}"#, entries.join(",")))
            }
            _ => ("400 Bad Request", r#"{"__type":"com.amazonaws#ValidationException"}"#.to_owned()),
        }
    }

    /// The first deliveries of a partition that are not claimed.
    fn page(&self, body: &str) -> String {
        let limit = number(body, "\"Limit\":").unwrap_or(PARTITIONS);
        let partition = number(body, "due#deliveries#");
        let all = partition.into_iter().flat_map(|partition| (partition..self.claimed.len()).step_by(PARTITIONS));
        let due = all.filter(|number| !self.claimed[*number].load(Ordering::Relaxed)).take(limit);
        let row = |number: usize| {
            let merchant = number % MERCHANTS;
            format!(
                r#"{{"pk":{{"S":"mer_{merchant:0>26}#test#evt_{number:0>26}"}},"sk":{{"S":"we_{:0>26}"}},"due_at":{{"S":"2026-01-01T00:00:00.{:0>3}Z"}},"due_claims":{{"N":"0"}}}}"#,
                0,
                number / PARTITIONS % 1000
            )
        };
        let rows: Vec<String> = due.map(row).collect();
        format!(r#"{{"Count":{},"Items":[{}]}}"#, rows.len(), rows.join(","))
    }
}

/// The number behind the first `before` in a text.
fn number(text: &str, before: &str) -> Option<usize> {
    let digits = text.split_once(before)?.1;
    digits[..digits.find(|letter: char| !letter.is_ascii_digit())?].parse().ok()
}
