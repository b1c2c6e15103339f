//! Cursors: each leads to the next page of one list, with its filters.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use spillway_domain::id::hash;

/// The first byte of a cursor: the version of its format.
const VERSION: u8 = 1;
/// Bytes of the hash in a cursor.
const HASH_LENGTH: usize = 12;
/// The most characters of a position. Positions are sort keys of the table or of an index, and these are shorter.
pub(super) const POSITION_LENGTH_MAX: usize = 100;
/// The most characters of a cursor without filters: base64 of the longest position with version, hash and JSON.
pub(super) const LENGTH_MAX: usize = 200;

/// The values of the filters by name, in their canonical form.
pub(super) type Filters = BTreeMap<String, String>;

/// The list to which a cursor belongs: its tenant and its name.
#[derive(Debug)]
pub(super) struct CursorScope {
    pub(super) tenant: String,
    pub(super) list: String,
}

/// The content of a cursor: the filters, and the position after which the next page starts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CursorContent {
    pub(super) filters: Filters,
    pub(super) position: String,
}

/// The text is no cursor of this list.
#[derive(Debug)]
pub(super) struct Unreadable;

impl CursorScope {
    /// Encodes a cursor: base64url of the version, the head of a hash, and the content as JSON.
    ///
    /// The hash detects a cursor that was cut, changed, or taken from another list or tenant. It is not a signature. A
    /// forged cursor does no harm: it only moves within data that the API key may read anyway, because the tenant comes
    /// from the authorizer and is part of every table key that is read.
    pub(super) fn write(&self, content: &CursorContent) -> String {
        // Serialization to memory can't fail.
        let content = serde_json::to_string(content).unwrap_or_default();
        let mut bytes = vec![VERSION];
        bytes.extend(self.hash(&content));
        bytes.extend(content.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Decodes a cursor. Errors if it does not belong to this list, or is not as [`CursorScope::write`] makes it.
    pub(super) fn read(&self, cursor: &str) -> Result<CursorContent, Unreadable> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Unreadable)?;
        let bytes = bytes.strip_prefix(&[VERSION]).ok_or(Unreadable)?;
        let (found, content) = bytes.split_at_checked(HASH_LENGTH).ok_or(Unreadable)?;
        let content = std::str::from_utf8(content).map_err(|_| Unreadable)?;
        if found != self.hash(content) {
            return Err(Unreadable);
        }
        let read: CursorContent = serde_json::from_str(content).map_err(|_| Unreadable)?;
        // Accepts only what `write` can produce. For example, JSON with a repeated key is refused.
        let is_canonical = serde_json::to_string(&read).is_ok_and(|written| written == content);
        let fits = (1..=POSITION_LENGTH_MAX).contains(&read.position.len());
        if is_canonical && fits { Ok(read) } else { Err(Unreadable) }
    }

    fn hash(&self, content: &str) -> [u8; HASH_LENGTH] {
        let hash = hash(&[&VERSION.to_string(), &self.tenant, &self.list, content]);
        std::array::from_fn(|index| hash[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_of_a_cursor_is_accepted() {
        let own = CursorScope { tenant: "mer_m#test".to_owned(), list: "payments".to_owned() };
        let encoded = |content: &str| {
            URL_SAFE_NO_PAD.encode([&[VERSION][..], &own.hash(content)[..], content.as_bytes()].concat())
        };
        own.read(&encoded(r#"{"filters":{"status":"failed"},"position":"p"}"#)).unwrap();
        for content in [
            r#"{"filters":{"status":"succeeded","status":"failed"},"position":"p"}"#,
            r#"{"filters":{},"filters":{"status":"failed"},"position":"p"}"#,
            r#"{"filters":{"status":"failed"},"position":"p","more":1}"#,
            r#"{"position":"p","filters":{"status":"failed"}}"#,
            r#"{"filters":{"status":"failed"}, "position":"p"}"#,
        ] {
            assert!(own.read(&encoded(content)).is_err(), "{content}");
        }
    }
}
