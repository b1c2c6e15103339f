//! The view of lists.

use schemars::JsonSchema;
use serde::Serialize;

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct ListView<T> {
    /// The entries, newest first. A page with a filter may have fewer entries than `limit`, or none, although `has_more`
    /// is true: it searches at least ten entries more than `limit`, or fewer if the store is slow. Continue with
    /// `next_cursor`. For a rare filter, ask for a `limit` of 100.
    data: Vec<T>,
    /// Whether another page follows.
    has_more: bool,
    /// The value of `cursor` for the next page. `null` on the last page.
    next_cursor: Option<String>,
}

/// The view of a page, newest first. `has_more` is true if there is a `next_cursor`.
pub fn list<T>(data: impl IntoIterator<Item = T>, next_cursor: Option<String>) -> ListView<T> {
    ListView { data: data.into_iter().collect(), has_more: next_cursor.is_some(), next_cursor }
}
