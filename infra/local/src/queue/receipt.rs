//! The receipt handle: which copy of which message was received, and which time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// One receipt of one copy of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Receipt {
    /// The copy's row.
    pub row: i64,
    /// Drawn anew with each receive, so that an older handle is told from the newest.
    pub nonce: i64,
}

impl Receipt {
    /// The handle that stands for it on the wire, good in `queue` only.
    pub fn handle(self, queue: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {} {queue}", self.row, self.nonce))
    }

    /// What `handle` stands for; `None`: nothing in `queue`.
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
    fn a_handle_is_good_in_its_own_queue_only() {
        let receipt = Receipt { row: 7, nonce: -3 };
        let handle = receipt.handle("a");
        assert_eq!(Receipt::parse(&handle, "a"), Some(receipt));
        assert_eq!(Receipt::parse(&handle, "b"), None);
        assert_eq!(Receipt::parse("nonsense!", "a"), None);
    }
}
