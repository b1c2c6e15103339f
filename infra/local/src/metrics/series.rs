//! The values of a metric with one set of labels, and their text.

/// How values of a metric are kept.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// The sum of the values.
    Counter,
    /// The newest value.
    Gauge,
    /// Durations in milliseconds, shown in seconds.
    Histogram,
}

impl Kind {
    /// The kind's name in the text format.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// Upper bounds of a histogram's buckets, in milliseconds.
const BOUNDS_MS: [u64; 12] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

pub(super) enum Series {
    Counter(u64),
    Gauge(u64),
    Histogram {
        /// Values up to each bound.
        buckets: [u64; BOUNDS_MS.len()],
        sum_ms: u64,
        count: u64,
    },
}

impl Series {
    pub fn new(kind: Kind) -> Series {
        match kind {
            Kind::Counter => Series::Counter(0),
            Kind::Gauge => Series::Gauge(0),
            Kind::Histogram => Series::Histogram { buckets: Default::default(), sum_ms: 0, count: 0 },
        }
    }

    pub fn record(&mut self, value: u64) {
        match self {
            Series::Counter(sum) => *sum = sum.saturating_add(value),
            Series::Gauge(newest) => *newest = value,
            Series::Histogram { buckets, sum_ms, count } => {
                let within = buckets.iter_mut().zip(BOUNDS_MS).filter(|(_, bound)| value <= *bound);
                within.for_each(|(bucket, _)| *bucket += 1);
                *sum_ms = sum_ms.saturating_add(value);
                *count += 1;
            }
        }
    }

    /// The series' lines.
    pub fn text(&self, name: &str, labels: &str) -> String {
        match self {
            Series::Counter(value) | Series::Gauge(value) => format!("{name}{{{labels}}} {value}\n"),
            Series::Histogram { buckets, sum_ms, count } => {
                let bucket = |bound: &str, count: u64| format!("{name}_bucket{{{labels},le=\"{bound}\"}} {count}\n");
                let bounded = BOUNDS_MS.iter().zip(buckets).map(|(bound, count)| bucket(&seconds(*bound), *count));
                let sum = format!("{name}_sum{{{labels}}} {}\n", seconds(*sum_ms));
                bounded.collect::<String>()
                    + &bucket("+Inf", *count)
                    + &sum
                    + &format!("{name}_count{{{labels}}} {count}\n")
            }
        }
    }
}

/// Milliseconds as seconds: `0.005`, `30`.
fn seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The labels as they stand between the braces.
pub(super) fn labels(labels: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', "\\n");
    let each = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    each.collect::<Vec<_>>().join(",")
}
