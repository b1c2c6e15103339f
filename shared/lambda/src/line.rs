//! The log line of an invocation, with its metrics. An invocation with very many subjects has further lines that only
//! name subjects.

use std::io::Write as _;
use std::time::Duration;

use serde::Serialize;
use spillway_domain::time::Timestamp;
use tracing_subscriber::filter::LevelFilter;

use spillway_runtime::{Context, Embedded};
use spillway_work::{Owner, Subject, in_lines};

/// The part of the log line that depends on the trigger and on the handler.
#[derive(Debug, Default)]
pub(super) struct InvocationSummary {
    pub(super) request_id: String,
    /// The trace that the client sent. Empty if it sent none.
    pub(super) trace_id: String,
    pub(super) owner: Owner,
    /// The operator who invoked the function. Empty in functions that operators do not invoke.
    pub(super) operator: String,
    pub(super) source: String,
    pub(super) outcome: String,
    pub(super) subjects: Vec<Subject>,
    pub(super) failed: bool,
}

impl InvocationSummary {
    pub(super) fn new(request_id: &str, source: &str) -> InvocationSummary {
        InvocationSummary { request_id: request_id.to_owned(), source: source.to_owned(), ..Default::default() }
    }
}

/// The members that identify the invocation of a line. Here and below, empty and zero members are left out, because log
/// bytes cost money.
#[derive(Clone, Copy, Serialize)]
struct Of<'a> {
    function: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_id: &'a str,
    #[serde(flatten)]
    owner: &'a Owner,
}

/// The members of the first line of every invocation.
#[derive(Serialize)]
struct Measures<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    operator: &'a str,
    source: &'a str,
    outcome: &'a str,
    store_ms: u64,
    #[serde(skip_serializing_if = "is_default")]
    processor_ms: u64,
    total_ms: u64,
    #[serde(skip_serializing_if = "is_default")]
    cold: bool,
    #[serde(skip_serializing_if = "is_default")]
    retries: u32,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    level: &'static str,
    message: &'static str,
    #[serde(flatten)]
    of: Option<Of<'a>>,
    #[serde(flatten)]
    measures: Option<Measures<'a>>,
    /// The subjects come last, because CloudWatch makes only the first 200 fields of a line searchable.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    subjects: &'a [Subject],
    #[serde(flatten)]
    metrics: Option<Embedded<'a>>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Writes the invocation's line to standard output. The metrics are members of this line, where they cost the fewest
/// bytes. If `level` hides the line, the metrics are written in a line of their own.
pub(super) fn write<P>(
    context: &Context<P>, mut summary: InvocationSummary, total: Duration, cold: bool, level: LevelFilter,
) {
    let now = context.now();
    let (owner, subjects) = in_lines(std::mem::take(&mut summary.subjects));
    if let Some(owner) = owner {
        summary.owner = owner;
    }
    let of = Of {
        function: &context.process.function,
        request_id: &summary.request_id,
        trace_id: &summary.trace_id,
        owner: &summary.owner,
    };
    let measures = Measures {
        operator: &summary.operator,
        source: &summary.source,
        outcome: &summary.outcome,
        store_ms: context.meter.store_ms(),
        processor_ms: context.meter.processor_ms(),
        total_ms: u64::try_from(total.as_millis()).unwrap_or(u64::MAX),
        cold,
        retries: context.meter.retries(),
    };
    let severity = if summary.failed { tracing::Level::ERROR } else { tracing::Level::INFO };
    let shown = (severity <= level).then_some((of, measures, subjects.as_slice()));
    let mut out = std::io::stdout().lock();
    for line in lines(severity, shown, context.metrics.take(&context.process.stack, now), now) {
        // A write error is ignored, because the work is done.
        let _ = out.write_all(line.as_bytes());
    }
}

/// The complete lines, each with a line break. `shown` is the content of the invocation's line, or None if the level
/// hides that line.
fn lines(
    severity: tracing::Level, shown: Option<(Of<'_>, Measures<'_>, &[Vec<Subject>])>, metrics: Vec<Embedded<'_>>,
    now: Timestamp,
) -> Vec<String> {
    let mut metrics = metrics.into_iter();
    let mut lines = Vec::new();
    if let Some((of, measures, pages)) = shown {
        let level = severity.as_str();
        let line = |message, measures, subjects, metrics| Line {
            timestamp: now,
            level,
            message,
            of: Some(of),
            measures,
            subjects,
            metrics,
        };
        let (first, further) = pages.split_first().map_or((&[][..], &[][..]), |(first, rest)| (first.as_slice(), rest));
        lines.push(line("invocation", Some(measures), first, metrics.next()));
        lines.extend(further.iter().map(|subjects| line("subjects", None, subjects.as_slice(), None)));
    }
    lines.extend(metrics.map(|metrics| {
        let (of, measures, metrics) = (None, None, Some(metrics));
        Line { timestamp: now, level: "INFO", message: "metrics", of, measures, subjects: &[], metrics }
    }));
    // Writing these values as JSON can't fail.
    lines.iter().filter_map(|line| serde_json::to_string(line).ok()).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use spillway_runtime::{Metric, Metrics};
    use spillway_work::Outcome;

    fn now() -> Timestamp {
        Timestamp::from_millis(1_769_860_800_123)
    }

    fn of_summary(summary: &InvocationSummary) -> (Of<'_>, Measures<'_>) {
        let of = Of { function: "spillway-fold-balance", request_id: "req-1", trace_id: "", owner: &summary.owner };
        let (operator, source, outcome) = (&*summary.operator, &*summary.source, &*summary.outcome);
        let (store_ms, processor_ms, total_ms) = (3, 0, 4);
        let measures = Measures { operator, source, outcome, store_ms, processor_ms, total_ms, cold: true, retries: 0 };
        (of, measures)
    }

    fn written(shown: bool, severity: tracing::Level, counted: u64) -> String {
        let summary = InvocationSummary { outcome: "ok 1".to_owned(), ..InvocationSummary::new("", "queue") };
        let metrics = Metrics::default();
        metrics.add(Metric::MovementsFolded, counted);
        let (of, measures) = of_summary(&summary);
        lines(severity, shown.then_some((of, measures, &[])), metrics.take("acme", now()), now()).concat()
    }

    const METRICS: &str = concat!(
        r#""_aws":{"Timestamp":1769860800123,"CloudWatchMetrics":[{"Namespace":"Spillway","Dimensions":[["Stack"]],"#,
        r#""Metrics":[{"Name":"MovementsFolded","Unit":"Count"}]}]},"Stack":"acme","MovementsFolded":7"#
    );

    fn expected(level: &str, metrics: &str) -> String {
        format!(
            concat!(
                r#"{{"timestamp":"2026-01-31T12:00:00.123Z","level":"{}","message":"invocation","#,
                r#""function":"spillway-fold-balance","request_id":"req-1","source":"queue","#,
                r#""outcome":"ok 1","store_ms":3,"total_ms":4,"cold":true{}}}"#,
                "\n"
            ),
            level, metrics
        )
    }

    #[test]
    fn metrics_are_in_the_invocations_own_line() {
        assert_eq!(written(true, tracing::Level::INFO, 0), expected("INFO", ""));
        assert_eq!(written(true, tracing::Level::INFO, 7), expected("INFO", &format!(",{METRICS}")));
    }

    #[test]
    fn metrics_are_written_even_if_the_line_is_hidden() {
        let alone =
            format!(r#"{{"timestamp":"2026-01-31T12:00:00.123Z","level":"INFO","message":"metrics",{METRICS}}}"#);
        assert_eq!(written(false, tracing::Level::INFO, 7), alone + "\n");
        assert_eq!(written(false, tracing::Level::INFO, 0), "");
        assert_eq!(written(true, tracing::Level::ERROR, 0), expected("ERROR", ""));
    }

    /// The parsed lines of an invocation with these subjects.
    fn lines_about(subjects: Vec<Subject>) -> Vec<serde_json::Value> {
        let (owner, pages) = in_lines(subjects);
        let summary = InvocationSummary { owner: owner.unwrap_or_default(), ..InvocationSummary::default() };
        let (of, measures) = of_summary(&summary);
        let lines = lines(tracing::Level::INFO, Some((of, measures, &pages)), Vec::new(), now());
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_common_merchant_is_named_once() {
        let merchant = |name| spillway_domain::id::MerchantId::derive(&[name]);
        let [acme, other] = [merchant("acme"), merchant("other")];
        let outcome = || Outcome::new("succeeded").with("txn_1").caused_by("req-0");
        let of_one =
            lines_about(vec![Subject::new("pay_1").of(&acme).outcome(outcome()), Subject::new("pay_2").of(&acme)]);
        assert_eq!(of_one[0]["merchant"], acme.as_str());
        let first =
            serde_json::json!({"id": "pay_1", "outcome": "succeeded", "with": ["txn_1"], "request_id": "req-0"});
        assert_eq!(of_one[0]["subjects"], serde_json::json!([first, {"id": "pay_2"}]));
        let test =
            spillway_domain::tenant::Tenant { merchant: acme.clone(), mode: spillway_domain::tenant::Mode::Test };
        let of_tenant = lines_about(vec![Subject::new("pay_1").of(&test), Subject::new("pay_2").of(&test)]);
        assert_eq!((&of_tenant[0]["merchant"], &of_tenant[0]["mode"]), (&acme.as_str().into(), &"test".into()));
        let of_two = lines_about(vec![Subject::new("pay_1").of(&acme), Subject::new("pay_2").of(&other)]);
        assert_eq!(of_two[0].get("merchant"), None);
        let named = |id: &str, merchant: &str| serde_json::json!({"id": id, "merchant": merchant});
        let both = [named("pay_1", acme.as_str()), named("pay_2", other.as_str())];
        assert_eq!(of_two[0]["subjects"], serde_json::json!(both));
    }

    #[test]
    fn many_ids_are_split_over_several_lines() {
        // 600 subjects without other ids, then one with 1,000 other ids, which is split into 499, 499 and 2.
        let mut subjects: Vec<Subject> = (0..600).map(|number| Subject::new(format!("pay_{number}"))).collect();
        let fold =
            (0..1000).fold(Outcome::new("1000 movements"), |outcome, number| outcome.with(format!("txn_{number}")));
        subjects.push(Subject::new("test USD").outcome(fold));
        let lines = lines_about(subjects);
        let count = |line: &serde_json::Value| line["subjects"].as_array().unwrap().len();
        assert_eq!(lines.iter().map(count).collect::<Vec<_>>(), [500, 100, 1, 1, 1]);
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["invocation", "subjects", "subjects", "subjects", "subjects"]);
        let with = |line: usize| lines[line]["subjects"][0]["with"].as_array().unwrap();
        assert_eq!([with(2).len(), with(3).len(), with(4).len()], [499, 499, 2]);
        assert_eq!((&with(3)[0], &with(4)[1]), (&serde_json::json!("txn_499"), &serde_json::json!("txn_999")));
        assert_eq!(lines[2]["subjects"][0]["outcome"], "1000 movements");
        assert!(lines.iter().all(|line| line["request_id"] == "req-1"));
    }
}
