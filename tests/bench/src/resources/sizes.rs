//! How many bytes DynamoDB counts for an item.
//!
//! Source: DynamoDB Developer Guide, "Item sizes and formats" and "Provisioned capacity … storage": names and texts in
//! UTF-8, about a byte for two digits and one more, a byte for true, false and null, 3 bytes for a list or map and one
//! for each element; where it is stored, 100 bytes more for the item and for each entry of an index.

use serde_json::Value;
use spillway_tests::table::Item;

const OVERHEAD: usize = 100;
const KEYS: [&str; 2] = ["pk", "sk"];
/// The keys of each index, which hold nothing but keys.
const INDEXES: [[&str; 2]; 2] = [["listing", "listing_at"], ["due", "due_at"]];

/// What the item takes in the table and in the indexes that it is in.
pub fn stored(item: &Item) -> usize {
    let whole: usize = item.iter().map(|(name, value)| name.len() + size(value)).sum();
    let part =
        |names: &[&str]| -> usize { names.iter().map(|name| name.len() + item.get(*name).map_or(0, size)).sum() };
    let entries = INDEXES.iter().filter(|keys| item.contains_key(keys[0]));
    let indexed: usize = entries.map(|keys| OVERHEAD + part(keys) + part(&KEYS)).sum();
    OVERHEAD + whole + indexed
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Number(number) => number.to_string().len().div_ceil(2) + 1,
        Value::Bool(_) | Value::Null => 1,
        Value::Array(elements) => 3 + elements.iter().map(|element| 1 + size(element)).sum::<usize>(),
        Value::Object(map) => 3 + map.iter().map(|(name, value)| 1 + name.len() + size(value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn item_sizes_follow_dynamodbs_rules() {
        let item = |value: Value| value.as_object().unwrap().clone();
        // pk and a: 3; sk and bb: 4; n and 1250: 1 + 2 + 1; ok and true: 3; list: 4 + 3 + 1 + 2. And 100.
        let plain = item(json!({"pk": "a", "sk": "bb", "n": 1250, "ok": true, "list": ["xy"]}));
        assert_eq!(stored(&plain), 100 + 3 + 4 + 4 + 3 + 10);
        // An entry of an index: the keys again, 7, and listing and x: 8, listing_at and yy: 12. And 100.
        let listed = item(json!({"pk": "a", "sk": "bb", "listing": "x", "listing_at": "yy"}));
        assert_eq!(stored(&listed), 100 + 27 + 100 + 27);
    }
}
