//! How far a tool has come: a bar for people who look, a line now and then for a file, nothing for machines.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::tool;

/// Between two lines where nobody looks.
const LINE_EVERY: Duration = Duration::from_secs(5);
const STYLE: &str = "  {bar:24.green} {msg}";

/// Shows how far a tool has come, on the standard error.
pub struct Bar {
    bar: ProgressBar,
    /// When the next line is due; none where there are no lines.
    next_line: Option<Instant>,
}

impl Bar {
    /// Of so much work; `silent` shows nothing.
    pub fn of(work: u64, silent: bool) -> Bar {
        let target =
            if tool::is_watched() && !silent { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(work), target);
        bar.set_style(ProgressStyle::with_template(STYLE).unwrap().progress_chars("━╸ "));
        let next_line = (!tool::is_watched() && !silent).then(|| Instant::now() + LINE_EVERY);
        Bar { bar, next_line }
    }

    /// So much of it is done, which is told as `message`.
    pub fn set(&mut self, done: u64, message: &str) {
        self.bar.set_position(done);
        self.bar.set_message(message.to_owned());
        if self.next_line.is_some_and(|at| at <= Instant::now()) {
            eprintln!("  {message}");
            self.next_line = Some(Instant::now() + LINE_EVERY);
        }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
