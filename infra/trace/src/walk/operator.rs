//! Items that operators make: API keys.

use serde_json::Value;

use super::Walk;
use crate::history::{text, texts};
use crate::table::Item;

impl Walk<'_> {
    /// An API key. Its hash is not shown.
    pub(super) fn api_key(&mut self, item: &Item) {
        let id = text(item, "id");
        let what = format!("{id} with {}, request {}", texts(item, "scopes"), text(item, "request_id"));
        self.history.step(text(item, "created_at"), "issued", what);
        self.history.step(text(item, "valid_until"), "expires", "every request is refused from this time");
        if let Some(revocation) = item.get("revocation").and_then(Value::as_object) {
            let effective = format!("effective for every request at {}", text(revocation, "effective_at"));
            self.history.step(text(revocation, "revoked_at"), "revoked", effective);
        }
        self.history.name(id);
    }
}
