//! The runner's log: a short line for each invocation, refusal and problem.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

use serde_json::Value;

use crate::clock;
use crate::metrics::Metrics;

mod kept;
mod row;

use kept::Kept;
use row::Row;

/// Writes lines to the runner's standard output. Cheap to clone.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    colour: bool,
    /// Outcomes with one of these texts are shown as warnings.
    highlight: Vec<String>,
    write: Box<dyn Fn(&str) + Send + Sync>,
    /// Keeps the functions' lines as they are.
    kept: Option<Kept>,
    /// Counts what the functions' lines measure.
    metrics: Metrics,
}

/// A line's colour.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tone {
    Plain,
    Dim,
    Warning,
    Error,
}

/// Lines that wait for a terminal that has stopped reading. Further lines are dropped.
const WAITING_MAX: usize = 10_000;

/// A task of the writing thread.
enum Task {
    Write(String),
    /// Reports that all lines before it are written.
    Flush(SyncSender<()>),
}

/// Waits until the last lines are written.
pub struct Flush(SyncSender<Task>);

impl Flush {
    /// Waits until all lines so far are written, or `limit` has passed.
    pub fn wait(&self, limit: Duration) {
        let (done, written) = mpsc::sync_channel(1);
        if self.0.try_send(Task::Flush(done)).is_ok() {
            let _ = written.recv_timeout(limit);
        }
    }
}

impl Log {
    /// Lines on the terminal, in colour unless the output is no terminal or `NO_COLOR` is set. `HIGHLIGHT` has texts,
    /// separated by commas; outcomes with one of them are shown as warnings. `FUNCTION_LOG` names a file for the
    /// functions' own lines. Errors if that file can't be opened.
    pub fn terminal() -> std::io::Result<(Self, Flush)> {
        let colour = coloured(std::io::stdout().is_terminal(), std::env::var_os("NO_COLOR"));
        let highlight = std::env::var("HIGHLIGHT").unwrap_or_default();
        let highlight = highlight.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect();
        let kept = std::env::var_os("FUNCTION_LOG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let kept = kept.map(|path| Kept::open(&path)).transpose()?;
        Ok(Self::through(colour, highlight, kept, std::io::stdout(), WAITING_MAX))
    }

    /// Lines that a thread of their own writes to `out`, so that a terminal that has stopped reading (`make dev |
    /// less`) does not stop the stack.
    fn through(
        colour: bool, highlight: Vec<String>, kept: Option<Kept>, mut out: impl Write + Send + 'static,
        waiting_max: usize,
    ) -> (Self, Flush) {
        let (sender, tasks) = mpsc::sync_channel(waiting_max);
        std::thread::spawn(move || {
            for task in tasks {
                match task {
                    // A reader that has ended (`make dev | head`) must not end the stack.
                    Task::Write(line) => drop(writeln!(out, "{line}")),
                    Task::Flush(done) => drop((out.flush(), done.send(()))),
                }
            }
        });
        let flush = Flush(sender.clone());
        let write = Box::new(move |line: &str| drop(sender.try_send(Task::Write(line.to_owned()))));
        (Self(Arc::new(Inner { colour, highlight, write, kept, metrics: Metrics::default() })), flush)
    }

    /// Lines given to `write`, which must not block.
    pub fn to(colour: bool, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let write = Box::new(write);
        Self(Arc::new(Inner { colour, highlight: Vec::new(), write, kept: None, metrics: Metrics::default() }))
    }

    /// The metrics of this run.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Logs an event of the runner.
    pub fn note(&self, from: &str, text: &str) {
        self.line(Tone::Dim, &row::plain(&now(), from, text));
    }

    /// Logs a problem.
    pub fn warning(&self, from: &str, text: &str) {
        self.line(Tone::Warning, &row::plain(&now(), from, text));
    }

    /// Logs a request that the gateway answered itself.
    pub fn refused(&self, status: u16, request: String, why: &str) {
        let tone = if status < 500 { Tone::Warning } else { Tone::Error };
        let details = vec![request, why.to_owned()];
        let row = Row { time: &now(), function: "gateway", outcome: &status.to_string(), details, ms: None };
        self.line(tone, &row.text());
    }

    /// Logs text without time and name.
    pub fn plain(&self, text: &str) {
        self.line(Tone::Plain, text);
    }

    /// Logs a line that a function wrote. The summary of an invocation is shown in columns, every other line after the
    /// function's name.
    pub fn function(&self, function: &str, line: &str) {
        if let Some(kept) = &self.0.kept {
            kept.line(function, line);
        }
        match serde_json::from_str::<Value>(line) {
            Ok(fields) if fields.is_object() => {
                self.0.metrics.line(&fields);
                let time =
                    fields["timestamp"].as_str().and_then(|time| time.get(11..23)).map_or_else(now, str::to_owned);
                for (tone, text) in row::rows(&time, function, &fields, &self.0.highlight) {
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
    fn only_terminals_without_no_color_have_colours() {
        assert!(coloured(true, None) && coloured(true, Some("".into())));
        assert!(!coloured(true, Some("1".into())) && !coloured(false, None));
    }

    #[test]
    fn a_refusal_is_coloured() {
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

    /// A terminal that reads only while `open` is free.
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
    fn a_terminal_that_does_not_read_blocks_no_caller() {
        let (open, shown) = <(Arc<Mutex<()>>, Arc<Mutex<Vec<u8>>>)>::default();
        let terminal = Terminal { open: open.clone(), shown: shown.clone() };
        let (log, flush) = Log::through(false, Vec::new(), None, terminal, 2);
        let closed = open.lock().unwrap();
        for number in 0..10 {
            log.plain(&number.to_string());
        }
        drop(closed);
        let text = || String::from_utf8(shown.lock().unwrap().clone()).unwrap();
        // The channel is full until the terminal has read again.
        while !text().ends_with("more\n") {
            log.plain("more");
            flush.wait(Duration::from_secs(60));
        }
        assert!(text().starts_with("0\n") && !text().contains("9\n"), "{}", text());
    }
}
