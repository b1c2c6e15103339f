//! Capacity units of store calls, as the store reports them.

use serde_json::{Value, json};

use crate::store_proxy::Call;

/// A completed store call with its capacity units.
#[derive(Debug, Clone)]
pub struct Consumed {
    /// The call.
    pub call: Call,
    /// Half capacity units: of a read or of a write.
    pub halves: u64,
}

impl Consumed {
    /// Reads the units from the store's answer; `None` for an error, which has none.
    pub(crate) fn read(call: Call, answer: &[u8]) -> Option<Consumed> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let consumed = answer.get("ConsumedCapacity")?;
        let units = if consumed.is_array() { &consumed[0]["CapacityUnits"] } else { &consumed["CapacityUnits"] };
        let (whole, rest) =
            units.to_string().split_once('.').map(|(whole, rest)| (whole.to_owned(), rest.to_owned()))?;
        let whole: u64 = whole.parse().ok()?;
        Some(Consumed { call, halves: whole * 2 + u64::from(rest.starts_with('5')) })
    }

    /// Whether it reads.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.call.operation.as_str(), "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems")
    }

    /// Whether the call belongs to the sandbox processor, which keeps its own items.
    pub fn is_the_sandboxs(&self) -> bool {
        self.call.body.contains("\"sandbox#")
    }
}

/// The call's body, changed to ask for consumed capacity.
pub(crate) fn asking(call: &Call) -> String {
    match serde_json::from_str::<Value>(&call.body) {
        Ok(mut body) => {
            body["ReturnConsumedCapacity"] = json!("INDEXES");
            body.to_string()
        }
        Err(_) => call.body.clone(),
    }
}
