//! Figures in tables and pages are readable.

use serde_json::Value;
use spillway_tests::show::{between, count, mb, ms, ratio, table};

#[test]
fn figures_have_readable_units() {
    assert_eq!(ms(&1_234.into()), "1.23 ms");
    assert_eq!(ms(&Value::Null), "–");
    assert_eq!(mb(&5_432_100.into()), "5.43 MB");
    assert_eq!(count(&1_234_567.into()), "1,234,567");
    assert_eq!(count(&12.into()), "12");
    assert_eq!((ratio(3, 2), ratio(1, 0)), ("1.50".to_owned(), "–".to_owned()));
}

#[test]
fn only_text_between_the_markers_is_replaced() {
    let page = "Why.\n<!-- begin -->\nold\n<!-- end of figures -->\nBecause.\n";
    let replaced = "Why.\n<!-- begin -->\n\nnew\n\n<!-- end of figures -->\nBecause.\n";
    assert_eq!(between(page, "<!-- begin -->", "new\n").as_deref(), Some(replaced));
    assert_eq!(between("no markers", "<!-- begin -->", "new"), None);
}

#[test]
fn table_columns_fit_their_widest_cell() {
    let rows = [vec!["ä".to_owned(), "1".to_owned()]];
    assert_eq!(table(&["what", "n"], &rows), "| what | n |\n| ---- | - |\n| ä    | 1 |\n");
}
