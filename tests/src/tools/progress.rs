//! Progress of a tool: a bar on a terminal, a line every few seconds in a file, nothing with `JSON=1`.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::tool;

/// Interval of lines in a file.
const LINE_EVERY: Duration = Duration::from_secs(5);
const STYLE: &str = "  {bar:24.green} {msg}";

/// Progress on the standard error.
pub struct Bar {
    bar: ProgressBar,
    /// Time of the next line; `None` if no lines are written.
    next_line: Option<Instant>,
}

impl Bar {
    /// A bar that is full when `work` is done; with `silent` nothing is shown.
    pub fn of(work: u64, silent: bool) -> Bar {
        let target =
            if tool::is_watched() && !silent { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(work), target);
        bar.set_style(ProgressStyle::with_template(STYLE).unwrap().progress_chars("━╸ "));
        let next_line = (!tool::is_watched() && !silent).then(|| Instant::now() + LINE_EVERY);
        Bar { bar, next_line }
    }

    /// Shows that `done` of the work is done, with `message` beside it.
    pub fn set(&mut self, done: u64, message: &str) {
        self.bar.set_position(done);
        self.bar.set_message(message.to_owned());
        if self.next_line.is_some_and(|at| at <= Instant::now()) {
            eprintln!("  {message}");
            self.next_line = Some(Instant::now() + LINE_EVERY);
        }
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
