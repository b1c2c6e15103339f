//! The runner's terminal: one short line per invocation, refusal and trouble.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

use serde_json::Value;

use crate::clock;

/// Writes lines to the runner's standard output. Cheap to clone.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    colour: bool,
    write: Box<dyn Fn(&str) + Send + Sync>,
}

/// How much a line should stand out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tone {
    Plain,
    Dim,
    Warning,
    Error,
}

/// Lines that wait for a terminal that does not read; what comes beyond is dropped and counted.
const WAITING_MAX: usize = 10_000;

/// What the writing thread does next.
enum Order {
    Write(String),
    /// Tells that all before it is written.
    Flush(SyncSender<()>),
}

/// The end of the lines: waits until the last ones are written.
pub struct Flush(SyncSender<Order>);

impl Flush {
    /// Waits until all lines so far are written, or `patience` has passed.
    pub fn wait(&self, patience: Duration) {
        let (done, written) = mpsc::sync_channel(1);
        if self.0.try_send(Order::Flush(done)).is_ok() {
            let _ = written.recv_timeout(patience);
        }
    }
}

impl Log {
    /// Lines on the terminal, in colour when it is one.
    pub fn terminal() -> (Self, Flush) {
        Self::through(std::io::stdout().is_terminal(), std::io::stdout(), WAITING_MAX)
    }

    /// Lines written to `out` by a thread of their own: a terminal that has stopped reading (`make dev | less`) must
    /// not stop the stack.
    fn through(colour: bool, mut out: impl Write + Send + 'static, waiting_max: usize) -> (Self, Flush) {
        let (sender, orders) = mpsc::sync_channel(waiting_max);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = dropped.clone();
        std::thread::spawn(move || {
            for order in orders {
                match order {
                    // A reader that has gone away (`make dev | head`) must not end the stack.
                    Order::Write(line) => drop(writeln!(out, "{line}")),
                    Order::Flush(done) => drop((out.flush(), done.send(()))),
                }
                match counted.swap(0, Ordering::Relaxed) {
                    0 => {}
                    lines => drop(writeln!(out, "{lines} lines were dropped: the terminal did not read them")),
                }
            }
        });
        let flush = Flush(sender.clone());
        let write = move |line: &str| {
            if sender.try_send(Order::Write(line.to_owned())).is_err() {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        };
        (Self::to(colour, write), flush)
    }

    /// Lines given to `write`, which must not block.
    pub fn to(colour: bool, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let write = Box::new(write);
        Self(Arc::new(Inner { colour, write }))
    }

    /// Something worth knowing.
    pub fn note(&self, from: &str, text: &str) {
        self.line(Tone::Dim, &format!("{} {from:<23} {text}", now()));
    }

    /// Something that somebody should look at.
    pub fn warning(&self, from: &str, text: &str) {
        self.line(Tone::Warning, &format!("{} {from:<23} {text}", now()));
    }

    /// Text as it is.
    pub fn plain(&self, text: &str) {
        self.line(Tone::Plain, text);
    }

    /// One line that a function wrote: its invocation's summary is made short, all else is shown
    /// with the function's name before it.
    pub fn function(&self, function: &str, line: &str) {
        match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(fields)) => {
                let fields = Value::Object(fields);
                let (tone, text) = summary(function, &fields);
                self.line(tone, &text);
            }
            _ => self.line(Tone::Plain, &format!("{} {function:<23} {line}", now())),
        }
    }

    fn line(&self, tone: Tone, text: &str) {
        let code = match tone {
            Tone::Plain => "",
            Tone::Dim => "2",
            Tone::Warning => "33",
            Tone::Error => "1;31",
        };
        if self.0.colour && !code.is_empty() {
            (self.0.write)(&format!("\u{1b}[{code}m{text}\u{1b}[0m"));
        } else {
            (self.0.write)(text);
        }
    }
}

/// `12:00:00.123 create-payment  5 ms  202  POST /v1/payments  pay_…` of an invocation's line.
fn summary(function: &str, fields: &Value) -> (Tone, String) {
    let text = |name: &str| fields[name].as_str().unwrap_or_default();
    let tone = match text("level") {
        "ERROR" => Tone::Error,
        "WARN" => Tone::Warning,
        _ => Tone::Plain,
    };
    let time = text("timestamp").get(11..23).map_or_else(now, str::to_owned);
    if text("message") != "invocation" {
        return (tone, format!("{time} {function:<23} {}", other(fields)));
    }
    let mut line = format!("{time} {function:<23} {:>5} ms  {:<11}", fields["total_ms"], text("outcome"));
    let mut add = |part: String| {
        line.push_str("  ");
        line.push_str(&part);
    };
    for name in ["source", "subject"] {
        if !text(name).is_empty() {
            add(text(name).to_owned());
        }
    }
    for (name, label) in [("store_ms", "store"), ("processor_ms", "processor")] {
        if fields[name].as_u64().is_some_and(|ms| ms > 0) {
            add(format!("{label} {} ms", fields[name]));
        }
    }
    if fields["retries"].as_u64().is_some_and(|count| count > 0) {
        add(format!("retries {}", fields["retries"]));
    }
    if fields["cold"] == true {
        add("cold".to_owned());
    }
    if tone != Tone::Plain && !text("error").is_empty() {
        add(text("error").to_owned());
    }
    (tone, line)
}

/// Any other JSON line: its message, then its fields.
fn other(fields: &Value) -> String {
    let mut line = fields["message"].as_str().unwrap_or_default().to_owned();
    let hidden = ["timestamp", "level", "message", "function", "target", "_aws"];
    for (name, value) in fields.as_object().into_iter().flatten() {
        if hidden.contains(&name.as_str()) || value.is_null() {
            continue;
        }
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        line.push_str(&format!("  {name}={value}"));
    }
    line
}

/// The time of day, UTC, as in the functions' own lines.
fn now() -> String {
    clock::of_day(clock::system()())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn an_invocation_is_one_short_line() {
        let fields = serde_json::json!({
            "timestamp": "2026-01-31T12:00:00.123Z", "level": "WARN", "message": "invocation",
            "source": "POST /v1/payments", "outcome": "503", "total_ms": 3005, "store_ms": 3001,
            "processor_ms": 0, "cold": true, "retries": 2, "subject": "pay_1",
        });
        let (tone, line) = summary("create-payment", &fields);
        assert_eq!(tone, Tone::Warning);
        let expected = "12:00:00.123 create-payment          3005 ms  503          \
                        POST /v1/payments  pay_1  store 3001 ms  retries 2  cold";
        assert_eq!(line, expected);
    }

    #[test]
    fn another_line_shows_its_fields() {
        let fields = serde_json::json!({"level": "ERROR", "message": "panic", "at": "a.rs:1"});
        let (tone, line) = summary("get-health", &fields);
        assert_eq!(tone, Tone::Error);
        assert!(line.ends_with("get-health              panic  at=a.rs:1"), "{line}");
    }

    /// A terminal that reads only while `open` can be locked.
    struct Terminal {
        open: Arc<Mutex<()>>,
        shown: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Terminal {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _open = self.open.lock().unwrap();
            self.shown.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_terminal_that_does_not_read_stops_nobody_and_learns_what_it_missed() {
        let (open, shown) = <(Arc<Mutex<()>>, Arc<Mutex<Vec<u8>>>)>::default();
        let terminal = Terminal { open: open.clone(), shown: shown.clone() };
        let (log, flush) = Log::through(false, terminal, 2);
        let closed = open.lock().unwrap();
        for number in 0..10 {
            log.plain(&number.to_string());
        }
        drop(closed);
        let told = || String::from_utf8(shown.lock().unwrap().clone()).unwrap();
        while !told().contains("lines were dropped") {
            std::thread::yield_now();
        }
        log.plain("more");
        flush.wait(Duration::from_secs(60));
        assert!(told().starts_with("0\n") && told().ends_with("more\n"), "{}", told());
    }
}
