//! Figures in readable units, from whole microseconds and bytes.

use std::time::Duration;

use serde_json::Value;

use crate::percentiles::Percentiles;
use crate::tool::grouped;

/// Whole microseconds.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Percentiles of durations as `p50_us` and `p99_us`.
pub fn percentiles(of: &Percentiles) -> Value {
    serde_json::json!({"count": of.count(), "p50_us": micros(of.at(50)), "p99_us": micros(of.at(99))})
}

/// Of microseconds, `1.23 ms`.
pub fn ms(value: &Value) -> String {
    value.as_u64().map_or_else(none, |us| format!("{}.{:02} ms", us / 1000, us % 1000 / 10))
}

/// Of bytes, `5.43 MB`.
pub fn mb(value: &Value) -> String {
    value.as_u64().map_or_else(none, |bytes| format!("{} MB", ratio(bytes, 1_000_000)))
}

/// A count, `1,234,567`.
pub fn count(value: &Value) -> String {
    value.as_i64().map_or_else(none, grouped)
}

/// `part` over `whole` with two digits, `1.53`.
pub fn ratio(part: u64, whole: u64) -> String {
    match (part * 100).checked_div(whole) {
        Some(hundredths) => format!("{}.{:02}", hundredths / 100, hundredths % 100),
        None => none(),
    }
}

/// Placeholder for a figure that was not measured.
pub fn none() -> String {
    "–".to_owned()
}

/// A Markdown table with aligned columns.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut lines: Vec<Vec<String>> = vec![head.iter().map(ToString::to_string).collect()];
    lines.extend(rows.iter().cloned());
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    lines.insert(1, widths.iter().map(|width| "-".repeat(*width)).collect());
    let padded = |(cell, width): (&String, &usize)| format!("{cell}{}", " ".repeat(width - cell.chars().count()));
    let line = |cells: &Vec<String>| {
        let cells: Vec<String> = cells.iter().zip(&widths).map(padded).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    lines.iter().map(line).collect()
}

/// Marks the end of a page's figures.
const END: &str = "<!-- end of figures -->";

/// The page with these tables between `begin` and [`END`]; `None` if a marker is missing.
pub fn between(page: &str, begin: &str, tables: &str) -> Option<String> {
    let (before, rest) = page.split_once(begin)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{begin}\n\n{tables}\n{END}{after}"))
}
