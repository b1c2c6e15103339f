//! Lists as merchants see them.

use serde::Serialize;

/// The wire shape of a page of a list.
#[derive(Debug, Serialize)]
pub struct ListView<T> {
    data: Vec<T>,
    has_more: bool,
    next_cursor: Option<String>,
}

/// The wire shape of a page, newest first. The list has more where there is a cursor by which it goes on.
pub fn list<T>(data: impl IntoIterator<Item = T>, next_cursor: Option<String>) -> ListView<T> {
    ListView { data: data.into_iter().collect(), has_more: next_cursor.is_some(), next_cursor }
}
