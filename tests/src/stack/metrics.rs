//! The metrics in the functions' code: the variants of an enum.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Namespace of Spillway's metrics, and the one dimension of each.
pub const OWN: (&str, &str) = ("Spillway", "Stack");

/// Their names.
pub fn emitted() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let code = fs::read_to_string(root.join("shared/runtime/src/metric.rs")).unwrap();
    assert!(code.contains(&format!("\"{}\"", OWN.0)) && code.contains(&format!("\"{}\"", OWN.1)));
    let (_, variants) = code.split_once("pub enum Metric {").unwrap();
    let (variants, _) = variants.split_once("\n}").unwrap();
    let variants = variants.lines().map(str::trim).filter(|line| !line.starts_with("///"));
    variants.filter_map(|line| line.strip_suffix(',')).map(str::to_owned).collect()
}
