//! The functions' log lines that name an item, from a file (local stack) or from a command (deployed stack). Both have
//! one line of a function on each line, behind the function's name.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write as _};
use std::process::{Command, Stdio};

use serde::Serialize;
use serde_json::{Value, json};
use spillway_domain::id::MerchantId;
use spillway_domain::time::Timestamp;

use crate::error::TraceError;
use crate::history::History;
use crate::target::Target;

const MINUTE_MS: i64 = 60_000;
/// Lines are looked for from this time before a step to the other time after it. A message may wait for 15 minutes.
const BEFORE_MS: i64 = MINUTE_MS;
const AFTER_MS: i64 = 20 * MINUTE_MS;
/// The present that is searched for an item that waits, an endpoint or a key, if `SINCE` is not set.
const PRESENT_MS: i64 = 60 * MINUTE_MS;

/// Where log lines are.
pub enum Logs {
    /// They are not read.
    None,
    /// The file of the local stack. It may be missing.
    File(String),
    /// A shell command that gets the search as JSON on its standard input.
    Command(String),
}

/// A time from which and until which lines are looked for.
pub type Window = (Timestamp, Timestamp);

/// A log line that names one of the searched ids.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogLine {
    pub at: String,
    pub function: String,
    /// What happened, in words.
    pub outcome: String,
    /// The subject of the outcome, and the ids beside it.
    pub ids: Vec<String>,
    /// The merchant of the subject. Empty if the line names none.
    #[serde(skip)]
    merchant: String,
    /// The ids of the invocation, and of the request that began the work.
    requests: BTreeSet<String>,
}

impl Logs {
    /// Whether lines are looked for at all.
    pub fn are_read(&self) -> bool {
        !matches!(self, Logs::None)
    }
}

/// The times to search for an item: around each step, and the present if the item waits. Overlapping times are merged.
pub fn windows(target: &Target, history: &History, now: Timestamp, since_ms: Option<i64>) -> Vec<Window> {
    let mut windows = Vec::new();
    // Many lines name an endpoint or a key, so only the present is searched.
    let is_busy = matches!(target, Target::Endpoint(_) | Target::Key(_));
    if !is_busy {
        let times = history.steps.iter().filter_map(|step| Timestamp::parse(&step.at).ok());
        windows.extend(times.map(|at| (at.plus_millis(-BEFORE_MS), at.plus_millis(AFTER_MS).min(now))));
    }
    if is_busy || !history.waits.is_empty() || since_ms.is_some() {
        windows.push((now.plus_millis(-since_ms.unwrap_or(PRESENT_MS)), now));
    }
    windows.retain(|(from, until)| from < until);
    windows.sort();
    let mut merged: Vec<Window> = Vec::new();
    for (from, until) in windows {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => merged.push((from, until)),
        }
    }
    merged
}

/// The lines in these times that name one of the ids, in order of time. A line about many items gives one entry for each
/// subject that is named. Errors if the logs can't be read.
pub fn lines(logs: &Logs, names: &BTreeSet<String>, windows: &[Window]) -> Result<Vec<LogLine>, TraceError> {
    let printed = match logs {
        Logs::None => String::new(),
        Logs::File(path) => match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(TraceError::Logs(format!("{path}: {error}"))),
        },
        Logs::Command(_) if windows.is_empty() || names.is_empty() => String::new(),
        Logs::Command(command) => searched(command, names, windows)?,
    };
    let mut lines = Vec::new();
    for printed in printed.lines() {
        let Some((function, line)) = printed.split_once(' ') else { continue };
        if !names.iter().any(|name| line.contains(name)) {
            continue;
        }
        let Ok(whole) = serde_json::from_str::<Value>(line) else { continue };
        let at = Timestamp::parse(whole["timestamp"].as_str().unwrap_or_default());
        let in_time = |at: Timestamp| windows.iter().any(|(from, until)| (*from..=*until).contains(&at));
        if at.is_ok_and(in_time) {
            lines.extend(of_line(function, &whole, names));
        }
    }
    lines.sort_by(|one, other| (&one.at, &one.function).cmp(&(&other.at, &other.function)));
    Ok(lines)
}

/// The output of the command.
fn searched(command: &str, names: &BTreeSet<String>, windows: &[Window]) -> Result<String, TraceError> {
    let windows: Vec<_> = windows.iter().map(|(from, until)| [from.millis(), until.millis()]).collect();
    let search = json!({"texts": names, "windows": windows}).to_string();
    let run = || {
        let mut child =
            Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(search.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = run().map_err(|error| TraceError::Logs(error.to_string()))?;
    // The command has said why on the same standard error.
    if !output.status.success() {
        return Err(TraceError::Logs("see above".to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The entries of one line.
fn of_line(function: &str, whole: &Value, names: &BTreeSet<String>) -> Vec<LogLine> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_line = text(&whole["request_id"]);
    let entry = |outcome: String, ids: Vec<String>, merchant: String, request: String| LogLine {
        at: text(&whole["timestamp"]),
        function: function.to_owned(),
        outcome,
        ids,
        merchant,
        requests: [of_line.clone(), request].into_iter().filter(|request| !request.is_empty()).collect(),
    };
    let subjects = whole["subjects"].as_array().into_iter().flatten();
    let named = subjects.filter_map(|subject| {
        let with = subject["with"].as_array().into_iter().flatten().map(text);
        let with: Vec<String> = with.collect();
        let (id, request) = (text(&subject["id"]), text(&subject["request_id"]));
        let is_named = [&id, &request, &of_line].into_iter().chain(&with).any(|id| names.contains(id));
        // Of hundreds of ids beside the subject, only those that are looked for are shown.
        let shown = with.into_iter().filter(|other| names.contains(other) || other.starts_with("we_"));
        is_named.then(|| {
            let merchant = Some(text(&subject["merchant"])).filter(|own| !own.is_empty());
            let outcome = Some(text(&subject["outcome"])).filter(|own| !own.is_empty());
            entry(
                outcome.unwrap_or_else(|| text(&whole["outcome"])),
                [id].into_iter().chain(shown).collect(),
                merchant.unwrap_or_else(|| text(&whole["merchant"])),
                request,
            )
        })
    });
    let named: Vec<LogLine> = named.collect();
    if !named.is_empty() {
        return named;
    }
    if whole["message"] == "invocation" {
        return vec![entry(text(&whole["outcome"]), Vec::new(), text(&whole["merchant"]), String::new())];
    }
    // A line of its own, such as `message failed`: its members in words.
    let hidden = ["timestamp", "level", "message", "span", "target"];
    let members = whole.as_object().into_iter().flatten().filter(|(name, _)| !hidden.contains(&name.as_str()));
    let members =
        members.map(|(name, value)| format!("{name}={}", value.as_str().map_or(value.to_string(), str::to_owned)));
    let outcome = [text(&whole["message"])].into_iter().chain(members).collect::<Vec<_>>().join("  ");
    vec![entry(outcome, Vec::new(), String::new(), text(&whole["span"]["request_id"]))]
}

/// The items that belong to a request, with their merchants, in the order of the lines. If there is a payment, a refund,
/// a webhook endpoint or a key, the entries and events that follow from it are not returned.
pub fn items_of_request(lines: &[LogLine], request: &str) -> Vec<(Target, Option<MerchantId>)> {
    let mut found: BTreeMap<String, (usize, Target, Option<MerchantId>)> = BTreeMap::new();
    for (place, line) in lines.iter().enumerate().filter(|(_, line)| line.requests.contains(request)) {
        let subject = line.ids.first().and_then(|id| Some((id, Target::parse(id).ok()?.0)));
        if let Some((id, target)) = subject {
            found.entry(id.clone()).or_insert((place, target, MerchantId::parse(&line.merchant).ok()));
        }
    }
    let is_root = |target: &Target| {
        matches!(target, Target::Payment(_) | Target::Refund(_) | Target::Endpoint(_) | Target::Key(_))
    };
    let has_root = found.values().any(|(_, target, _)| is_root(target));
    let mut items: Vec<_> = found.into_values().filter(|(_, target, _)| !has_root || is_root(target)).collect();
    items.sort_by_key(|(place, ..)| *place);
    items.into_iter().map(|(_, target, merchant)| (target, merchant)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Wait;
    use crate::table::Item;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * MINUTE_MS)
    }

    #[test]
    fn times_around_the_steps_are_merged() {
        let target = Target::parse("pay_7ccpzn4gffpza71gj3mr6qsffj").unwrap().0;
        let mut history = History::default();
        for minute in [1000, 1010, 5000] {
            history.step(&at(minute).to_string(), "step", "");
        }
        let steps = vec![(at(999), at(1030)), (at(4999), at(5020))];
        assert_eq!(windows(&target, &history, at(9000), None), steps);
        // An item that waits is looked for in the last hour too.
        history.waits.push(Wait::of(&Item::new(), "", "", ""));
        let waiting = [steps.clone(), vec![(at(8940), at(9000))]].concat();
        assert_eq!(windows(&target, &history, at(9000), None), waiting);
        assert_eq!(
            windows(&target, &history, at(5005), Some(120 * MINUTE_MS)),
            [(at(999), at(1030)), (at(4885), at(5005))]
        );
        let endpoint = Target::parse("we_7ccpzn4gffpza71gj3mr6qsffj").unwrap().0;
        assert_eq!(windows(&endpoint, &history, at(9000), None), [(at(8940), at(9000))]);
    }

    #[test]
    fn a_line_gives_an_entry_for_each_named_subject() {
        let line = json!({"timestamp": "2026-01-31T12:00:00.123Z", "message": "invocation", "outcome": "ok 3",
            "request_id": "b", "merchant": "mer_1", "subjects": [
                {"id": "pay_1", "outcome": "succeeded", "with": ["txn_1", "evt_9", "we_1"], "request_id": "a"},
                {"id": "pay_2", "outcome": "declined"}, {"id": "test USD", "with": ["txn_1"]}]});
        let names = BTreeSet::from(["pay_1".to_owned(), "txn_1".to_owned()]);
        let found = of_line("call-processor", &line, &names);
        let shown: Vec<_> = found.iter().map(|line| (line.outcome.as_str(), line.ids.join(" "))).collect();
        assert_eq!(shown, [("succeeded", "pay_1 txn_1 we_1".to_owned()), ("ok 3", "test USD txn_1".to_owned())]);
        assert_eq!(found[0].requests, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn a_line_of_its_own_shows_its_members() {
        let line = json!({"timestamp": "2026-01-31T12:00:00.123Z", "level": "WARN", "message": "message failed",
            "subject": "pay_1", "error": "panic", "span": {"request_id": "b"}});
        let found = of_line("call-processor", &line, &["pay_1".to_owned()].into());
        assert_eq!(found[0].outcome, "message failed  error=panic  subject=pay_1");
    }
}
