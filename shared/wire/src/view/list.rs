//! Lists as merchants see them.

use schemars::JsonSchema;
use serde::Serialize;

/// The wire shape of a page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct ListView<T> {
    /// The entries, newest first. A page may be empty and still have more: it ends after 1,000 searched entries, or when
    /// the store is slow, and the filters may have matched none of them.
    data: Vec<T>,
    /// Whether the list goes on behind this page.
    has_more: bool,
    /// Send it as `cursor` for the next page. `null` on the last page.
    next_cursor: Option<String>,
}

/// The wire shape of a page, newest first. The list has more where there is a cursor by which it goes on.
pub fn list<T>(data: impl IntoIterator<Item = T>, next_cursor: Option<String>) -> ListView<T> {
    ListView { data: data.into_iter().collect(), has_more: next_cursor.is_some(), next_cursor }
}
