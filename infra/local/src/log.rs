//! The runner's terminal: one short line per invocation, refusal and trouble.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

use serde_json::Value;

use crate::clock;

mod row;

use row::Row;

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
    /// Lines on the terminal, in colour when it is one that shall have it.
    pub fn terminal() -> (Self, Flush) {
        let colour = coloured(std::io::stdout().is_terminal(), std::env::var_os("NO_COLOR"));
        Self::through(colour, std::io::stdout(), WAITING_MAX)
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
        self.line(Tone::Dim, &row::plain(&now(), from, text));
    }

    /// Something that somebody should look at.
    pub fn warning(&self, from: &str, text: &str) {
        self.line(Tone::Warning, &row::plain(&now(), from, text));
    }

    /// A request that no function answered.
    pub fn refused(&self, status: u16, request: String, why: &str) {
        let tone = if status < 500 { Tone::Warning } else { Tone::Error };
        let details = vec![request, why.to_owned()];
        let row = Row { time: &now(), function: "gateway", outcome: &status.to_string(), details, ms: None };
        self.line(tone, &row.text());
    }

    /// Text as it is.
    pub fn plain(&self, text: &str) {
        self.line(Tone::Plain, text);
    }

    /// One line that a function wrote: its invocation's summary is laid out, all else is shown with the function's
    /// name before it.
    pub fn function(&self, function: &str, line: &str) {
        match serde_json::from_str::<Value>(line) {
            Ok(fields) if fields.is_object() => {
                let time =
                    fields["timestamp"].as_str().and_then(|time| time.get(11..23)).map_or_else(now, str::to_owned);
                for (tone, text) in row::rows(&time, function, &fields) {
                    self.line(tone, &text);
                }
            }
            _ => self.line(Tone::Plain, &row::plain(&now(), function, line)),
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

/// Whether lines have colours: <https://no-color.org>.
fn coloured(terminal: bool, no_color: Option<OsString>) -> bool {
    terminal && no_color.is_none_or(|value| value.is_empty())
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
    fn colour_is_for_terminals_whose_user_did_not_say_no() {
        assert!(coloured(true, None) && coloured(true, Some("".into())));
        assert!(!coloured(true, Some("1".into())) && !coloured(false, None));
    }

    #[test]
    fn what_should_be_seen_is_coloured() {
        let shown = |colour: bool| {
            let lines = Arc::new(Mutex::new(Vec::new()));
            let kept = lines.clone();
            let log = Log::to(colour, move |line| kept.lock().unwrap().push(line.to_owned()));
            log.refused(404, "GET /v1/nothing".to_owned(), "there is no such route");
            let lines = lines.lock().unwrap();
            assert_eq!(lines.len(), 1);
            lines[0].clone()
        };
        let plain = shown(false);
        let text = "gateway                             404                                 \
                    GET /v1/nothing  there is no such route";
        assert!(plain.ends_with(text), "{plain}");
        assert!(shown(true).starts_with("\u{1b}[33m") && shown(true).ends_with(&format!("{text}\u{1b}[0m")));
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
