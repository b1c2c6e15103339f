//! A function's line in columns. README.md describes the JSON lines that have columns.

use serde_json::Value;

use super::Tone;

/// Longer names of functions are cut.
const FUNCTION_WIDTH: usize = 25;
/// A longer outcome moves the rest of its row to the right.
const OUTCOME_WIDTH: usize = 34;
/// Subjects without an outcome of their own share a row.
const IDS_MAX: usize = 4;
/// Ids beside the subject's own; further ones are counted.
const WITH_MAX: usize = 2;
/// `12:00:00.123 create-order                   5 ms  202                                 POST /v1/orders  ord_…`
#[derive(Clone, Default)]
pub(super) struct Row<'a> {
    pub time: &'a str,
    pub function: &'a str,
    pub ms: Option<u64>,
    pub outcome: &'a str,
    pub details: Vec<String>,
}

impl Row<'_> {
    pub fn text(&self) -> String {
        let Self { time, outcome, .. } = self;
        let ms = self.ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
        let details = self.details.join("  ");
        let function = cut(self.function);
        let text = format!("{time} {function:<FUNCTION_WIDTH$} {ms:>8}  {outcome:<OUTCOME_WIDTH$}  {details}");
        text.trim_end().to_owned()
    }
}

/// A row without an invocation's columns.
pub(super) fn plain(time: &str, from: &str, text: &str) -> String {
    format!("{time} {:<FUNCTION_WIDTH$} {text}", cut(from))
}

fn cut(name: &str) -> String {
    if name.chars().count() <= FUNCTION_WIDTH {
        return name.to_owned();
    }
    name.chars().take(FUNCTION_WIDTH - 1).chain(['…']).collect()
}

/// The rows of a function's JSON line: one for each subject with an outcome of its own. Outcomes that contain a text of
/// `highlight` are warnings.
pub(super) fn rows(time: &str, function: &str, fields: &Value, highlight: &[String]) -> Vec<(Tone, String)> {
    let text = |name: &str| fields[name].as_str().unwrap_or_default();
    let level = match text("level") {
        "ERROR" => Tone::Error,
        "WARN" => Tone::Warning,
        _ => Tone::Plain,
    };
    let first = match text("message") {
        "invocation" => true,
        // Further subjects of the invocation in the line before.
        "subjects" => false,
        _ => return vec![(level, plain(time, function, &other(fields)))],
    };
    let row = Row { time, function, ..Row::default() };
    let mut all: Vec<Row<'_>> = Vec::new();
    let mut alike = 0;
    for subject in fields["subjects"].as_array().into_iter().flatten() {
        let outcome = subject["outcome"].as_str();
        if outcome.is_none() && (1..IDS_MAX).contains(&alike) {
            if let Some(row) = all.last_mut() {
                row.details.extend(ids(subject));
            }
            alike += 1;
            continue;
        }
        alike = usize::from(outcome.is_none());
        let outcome = outcome.unwrap_or_else(|| text("outcome"));
        all.push(Row { outcome, details: ids(subject), ..row.clone() });
    }
    if all.is_empty() {
        all.push(Row { outcome: text("outcome"), ..row });
    }
    let is_request = text("source").contains('/');
    if let Some(row) = all.first_mut().filter(|_| first) {
        row.ms = fields["total_ms"].as_u64();
        if is_request {
            row.details.insert(0, text("source").to_owned());
        }
        row.details.extend(measured(fields));
    }
    let toned = |row: Row<'_>| {
        let refused = is_request && row.outcome.starts_with(['4', '5']);
        let notable = refused || highlight.iter().any(|text| row.outcome.contains(text));
        (if level == Tone::Plain && notable { Tone::Warning } else { level }, row.text())
    };
    all.into_iter().map(toned).collect()
}

/// The ids of a subject and of the objects beside it.
fn ids(subject: &Value) -> Vec<String> {
    let with: Vec<&Value> = subject["with"].as_array().into_iter().flatten().collect();
    let ids = [&subject["id"]].into_iter().chain(with.iter().take(WITH_MAX).copied());
    let mut ids: Vec<String> = ids.filter_map(|id| id.as_str().map(str::to_owned)).collect();
    if with.len() > WITH_MAX {
        ids.push(format!("and {} more", with.len() - WITH_MAX));
    }
    ids
}

/// The times of parts (`store_ms`), retries, and whether it was the process's first invocation.
fn measured(fields: &Value) -> Vec<String> {
    let parts = fields.as_object().into_iter().flatten().filter(|(name, _)| *name != "total_ms");
    let parts = parts.filter_map(|(name, ms)| Some((name.strip_suffix("_ms")?, ms.as_u64().filter(|ms| *ms > 0)?)));
    let mut measured: Vec<String> = parts.map(|(part, ms)| format!("{part} {ms} ms")).collect();
    if let Some(retries) = fields["retries"].as_u64().filter(|count| *count > 0) {
        measured.push(format!("retries {retries}"));
    }
    if fields["cold"] == true {
        measured.push("cold".to_owned());
    }
    measured
}

/// Any other JSON line: its message, its fields and those of its span.
fn other(fields: &Value) -> String {
    let mut line = fields["message"].as_str().unwrap_or_default().to_owned();
    let hidden = ["timestamp", "level", "message", "function", "target", "_aws", "span"];
    let own = fields.as_object().into_iter().flatten().filter(|(name, _)| !hidden.contains(&name.as_str()));
    let of_span = fields["span"].as_object().into_iter().flatten().filter(|(name, _)| *name != "name");
    for (name, value) in own.chain(of_span).filter(|(_, value)| !value.is_null()) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        line.push_str(&format!("  {name}={value}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(function: &str, fields: Value) -> Vec<(Tone, String)> {
        rows("12:00:00.123", function, &fields, &["again in".to_owned()])
    }

    #[test]
    fn an_invocation_is_one_row_in_columns() {
        let refused = shown(
            "create-invoice",
            json!({"level": "INFO", "message": "invocation", "source": "POST /v1/invoices",
                "outcome": "422 invalid_request /currency", "total_ms": 0, "store_ms": 0}),
        );
        let slow = shown(
            "create-invoice",
            json!({"level": "ERROR", "message": "invocation", "source": "POST /v1/invoices",
                "outcome": "503 unavailable: the store can't answer: no answer in time", "total_ms": 13005,
                "store_ms": 13001, "cold": true, "retries": 2, "subjects": [{"id": "inv_1"}]}),
        );
        let listed = shown(
            "list-invoice-transactions",
            json!({"level": "INFO", "message": "invocation", "source": "GET /v1/invoice/transactions",
                "outcome": "200", "total_ms": 7, "store_ms": 5}),
        );
        let expected = [
            (
                Tone::Warning,
                "12:00:00.123 create-invoice                0 ms  422 invalid_request /currency       \
                 POST /v1/invoices",
            ),
            (
                Tone::Error,
                "12:00:00.123 create-invoice            13005 ms  503 unavailable: the store can't answer: \
                 no answer in time  POST /v1/invoices  inv_1  store 13001 ms  retries 2  cold",
            ),
            (
                Tone::Plain,
                "12:00:00.123 list-invoice-transactions     7 ms  200                                 \
                 GET /v1/invoice/transactions  store 5 ms",
            ),
        ];
        assert_eq!([refused, slow, listed].concat(), expected.map(|(tone, text)| (tone, text.to_owned())));
    }

    #[test]
    fn each_outcome_of_a_batch_has_a_row() {
        let shown = shown(
            "deliver-message",
            json!({"level": "INFO", "message": "invocation", "source": "stack-MessagesQueue", "outcome": "ok 2",
            "total_ms": 40, "store_ms": 20, "subjects": [
                {"id": "evt_1", "outcome": "200", "with": ["we_1", "inv_1"], "request_id": "r-1"},
                {"id": "evt_2", "outcome": "500, attempt 1, again in 5 s", "with": ["we_1", "inv_2"]}]}),
        );
        let expected = [
            (
                Tone::Plain,
                "12:00:00.123 deliver-message              40 ms  200                                 \
                 evt_1  we_1  inv_1  store 20 ms",
            ),
            (
                Tone::Warning,
                "12:00:00.123 deliver-message                     500, attempt 1, again in 5 s        \
                 evt_2  we_1  inv_2",
            ),
        ];
        assert_eq!(shown, expected.map(|(tone, text)| (tone, text.to_owned())));
    }

    #[test]
    fn subjects_without_an_outcome_share_rows() {
        let subjects: Vec<Value> = (1..=6).map(|number| json!({"id": format!("inv_{number}")})).collect();
        let shown = shown(
            "dispatch-changes",
            json!({"level": "INFO", "message": "invocation", "source": "stream", "outcome": "ok 6", "total_ms": 4,
                "subjects": subjects}),
        );
        let expected = [
            "12:00:00.123 dispatch-changes              4 ms  ok 6                                \
             inv_1  inv_2  inv_3  inv_4",
            "12:00:00.123 dispatch-changes                    ok 6                                inv_5  inv_6",
        ];
        assert_eq!(shown, expected.map(|text| (Tone::Plain, text.to_owned())));
    }

    #[test]
    fn ids_beyond_the_first_are_counted() {
        let fold = json!({"id": "test USD", "outcome": "4 movements", "with": ["txn_1", "txn_2", "txn_3", "txn_4"]});
        let shown = shown("fold-figures", json!({"level": "INFO", "message": "subjects", "subjects": [fold]}));
        let expected = "12:00:00.123 fold-figures                        4 movements                         \
                        test USD  txn_1  txn_2  and 2 more";
        assert_eq!(shown, [(Tone::Plain, expected.to_owned())]);
    }

    #[test]
    fn another_line_shows_its_fields_and_those_of_its_span() {
        let fields = json!({"level": "WARN", "message": "message failed", "subject": "inv_1",
            "span": {"name": "during", "request_id": "r-1"}});
        let expected = "12:00:00.123 call-delegate             message failed  subject=inv_1  request_id=r-1";
        assert_eq!(shown("call-delegate", fields), [(Tone::Warning, expected.to_owned())]);
    }

    #[test]
    fn a_long_name_is_cut() {
        let text = plain("12:00:00.123", "a-function-with-a-very-long-name", "built");
        assert_eq!(text, "12:00:00.123 a-function-with-a-very-l… built");
    }
}
