//! `make trace ID=…`: the history of one item of a stack, what it waits for, and the log lines that name it.
//!
//! The stack is the one whose table `TABLE_NAME` names (`operate.py` sets it), or else the local stack of `DATA`.
//! docs/logs.md says what the tool prints and what it costs. It reads items as plain JSON, so that it also shows an item
//! that the functions can't read.

mod error;
mod find;
mod history;
mod log;
mod report;
mod settings;
mod table;
mod target;
mod walk;

use std::io::Write as _;
use std::process::ExitCode;

use error::TraceError;
use report::Report;
use settings::Settings;
use target::Target;

/// The most items that are shown of one request.
const OF_REQUEST_MAX: usize = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(text) => {
            // A reader that has ended (`make trace | head`) is no failure.
            let _ = writeln!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<String, TraceError> {
    let settings = Settings::read(&|name| std::env::var(name).ok())?;
    let reports = match &settings.target {
        Target::Request(id) => of_request(&settings, id).await?,
        target => vec![of_item(&settings, target, settings.merchant.as_ref()).await?],
    };
    if settings.json { report::json(&reports) } else { Ok(report::text(&reports)) }
}

/// The report of one item. With a `merchant`, the item is looked for only in that merchant's data.
async fn of_item(
    settings: &Settings, target: &Target, merchant: Option<&spillway_domain::id::MerchantId>,
) -> Result<Report, TraceError> {
    let found = find::find(&settings.table, target, merchant).await?;
    let history = walk::walk(&settings.table, target, &found).await?;
    let windows = log::windows(target, &history, settings.now, settings.since_ms);
    let lines = log::lines(&settings.logs, &history.names, &windows)?;
    Ok(Report::new(target, &found, history, settings.logs.are_read().then_some(lines)))
}

/// The reports of the items that the log lines of a request name.
async fn of_request(settings: &Settings, id: &str) -> Result<Vec<Report>, TraceError> {
    let windows = [(settings.now.plus_millis(-settings.request_since_ms()), settings.now)];
    let lines = log::lines(&settings.logs, &[id.to_owned()].into(), &windows)?;
    let items = log::items_of_request(&lines, id);
    if lines.is_empty() {
        return Err(TraceError::NoLine(id.to_owned()));
    }
    let mut reports = vec![Report::of_request(id, lines)];
    for (target, merchant) in items.into_iter().take(OF_REQUEST_MAX) {
        let merchant = merchant.as_ref().or(settings.merchant.as_ref());
        match of_item(settings, &target, merchant).await {
            Ok(report) => reports.push(report),
            // A request that was refused names an item that does not exist.
            Err(TraceError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(reports)
}
