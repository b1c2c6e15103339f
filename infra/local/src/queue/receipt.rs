//! The receipt handle: identifies a copy of a message and one receive of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// One receipt of one copy of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Receipt {
    /// The copy's row.
    pub row: i64,
    /// Random for each receive, so that only the newest handle is valid.
    pub nonce: i64,
}

impl Receipt {
    /// The handle on the wire, valid in `queue` only.
    pub fn handle(self, queue: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {} {queue}", self.row, self.nonce))
    }

    /// The receipt of `handle`. `None` if it is no handle of `queue`.
    pub fn parse(handle: &str, queue: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(handle).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let mut parts = text.splitn(3, ' ');
        let row = parts.next()?.parse().ok()?;
        let nonce = parts.next()?.parse().ok()?;
        (parts.next()? == queue).then_some(Self { row, nonce })
    }
}

#[cfg(test)]
mod tests {
    use super::Receipt;

    #[test]
    fn a_handle_is_valid_in_its_own_queue_only() {
        let receipt = Receipt { row: 7, nonce: -3 };
        let handle = receipt.handle("a");
        assert_eq!(Receipt::parse(&handle, "a"), Some(receipt));
        assert_eq!(Receipt::parse(&handle, "b"), None);
        assert_eq!(Receipt::parse("nonsense!", "a"), None);
    }
}
