//! Reading lists page by page.

use serde_json::Value;

use crate::client::{Answer, Client};

/// More pages than any test's list has.
const PAGES_MAX: usize = 10_000;

/// All pages of the list at `path` (`/payments`). The filters (`&status=failed`) are sent with the first request only;
/// the cursor keeps them.
pub async fn walk(client: &Client, path: &str, limit: usize, filters: &str) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut next = format!("{path}?limit={limit}{filters}");
    while pages.len() < PAGES_MAX {
        let answer = client.get(&next).await.expect(200);
        pages.push(data(&answer).to_vec());
        match cursor(&answer) {
            Some(cursor) => next = format!("{path}?limit={limit}&cursor={cursor}"),
            None => return pages,
        }
    }
    panic!("{path} does not end");
}

/// The items of a page.
#[track_caller]
pub fn data(answer: &Answer) -> &[Value] {
    answer.body["data"].as_array().unwrap_or_else(|| panic!("no list: {}", answer.text))
}

/// The cursor of the next page; `None` exactly if the list has no more.
#[track_caller]
pub fn cursor(answer: &Answer) -> Option<&str> {
    let cursor = answer.body["next_cursor"].as_str();
    assert_eq!(answer.body["has_more"], cursor.is_some(), "{}", answer.text);
    assert_eq!(answer.body.as_object().unwrap().len(), 3, "{}", answer.text);
    cursor
}

/// The ids of items, in order.
pub fn ids<'items>(items: impl IntoIterator<Item = &'items Value>) -> Vec<String> {
    items.into_iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}
