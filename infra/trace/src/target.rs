//! What an id names.

use spillway_domain::id::{ApiKeyId, EndpointId, EntryId, EventId, MerchantId, PaymentId, RefundId};

use crate::error::TraceError;

/// The item, or the request, that the operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Payment(PaymentId),
    Refund(RefundId),
    Entry(EntryId),
    Event(EventId),
    Delivery(EventId, EndpointId),
    Endpoint(EndpointId),
    Key(ApiKeyId),
    /// The id of a request. It is only in the logs.
    Request(String),
}

impl Target {
    /// Parses the ids of a text. The text may be the key of an item, as an error line names it: it is split at spaces,
    /// `#`, `/` and commas. Also returns the merchant if the text names one. Errors if no part is an id.
    pub fn parse(text: &str) -> Result<(Target, Option<MerchantId>), TraceError> {
        let parts: Vec<&str> = text.split([' ', '#', '/', ',']).filter(|part| !part.is_empty()).collect();
        let merchant = parts.iter().find_map(|part| MerchantId::parse(part).ok());
        let event = parts.iter().find_map(|part| EventId::parse(part).ok());
        let endpoint = parts.iter().find_map(|part| EndpointId::parse(part).ok());
        let target = match (event, endpoint) {
            (Some(event), Some(endpoint)) => Some(Target::Delivery(event, endpoint)),
            (Some(event), None) => Some(Target::Event(event)),
            (None, Some(endpoint)) => Some(Target::Endpoint(endpoint)),
            (None, None) => parts.iter().find_map(|part| Target::of_one(part)),
        };
        Ok((target.ok_or(TraceError::Usage)?, merchant))
    }

    fn of_one(id: &str) -> Option<Target> {
        let payment = PaymentId::parse(id).map(Target::Payment);
        let other = payment
            .or_else(|_| RefundId::parse(id).map(Target::Refund))
            .or_else(|_| EntryId::parse(id).map(Target::Entry))
            .or_else(|_| ApiKeyId::parse(id).map(Target::Key));
        other.ok().or_else(|| is_request_id(id).then(|| Target::Request(id.to_owned())))
    }

    /// The kind in words.
    pub fn what(&self) -> &'static str {
        match self {
            Target::Payment(_) => "payment",
            Target::Refund(_) => "refund",
            Target::Entry(_) => "journal entry",
            Target::Event(_) => "event",
            Target::Delivery(..) => "delivery",
            Target::Endpoint(_) => "webhook endpoint",
            Target::Key(_) => "API key",
            Target::Request(_) => "request",
        }
    }

    /// The id. A delivery has the ids of its event and its endpoint.
    pub fn id(&self) -> String {
        match self {
            Target::Payment(id) => id.to_string(),
            Target::Refund(id) => id.to_string(),
            Target::Entry(id) => id.to_string(),
            Target::Event(id) => id.to_string(),
            Target::Delivery(event, endpoint) => format!("{event} {endpoint}"),
            Target::Endpoint(id) => id.to_string(),
            Target::Key(id) => id.to_string(),
            Target::Request(id) => id.clone(),
        }
    }
}

/// Whether the text has the form of a request id, which API Gateway and Lambda make: a UUID.
fn is_request_id(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_id_is_recognized() {
        let tail = "7ccpzn4gffpza71gj3mr6qsffj";
        let (evt, we) = (format!("evt_{tail}"), format!("we_{tail}"));
        let delivery = Target::Delivery(EventId::parse(&evt).unwrap(), EndpointId::parse(&we).unwrap());
        for (text, what) in [
            (format!("pay_{tail}"), "payment"),
            (format!("re_{tail}"), "refund"),
            (format!("txn_{tail}"), "journal entry"),
            (evt.clone(), "event"),
            (we.clone(), "webhook endpoint"),
            (format!("key_{tail}"), "API key"),
            ("b2a9d0b5-8f3f-4a5e-9d5f-0f3a4b6c7d8e".to_owned(), "request"),
            // Keys of items, as error lines name them.
            (format!("mer_{tail}#test#pay_{tail} payment"), "payment"),
            (format!("mer_{tail}#live#movements#0 move#USD#2026-02-02#txn_{tail}"), "journal entry"),
        ] {
            let (target, merchant) = Target::parse(&text).unwrap();
            assert_eq!((target.what(), merchant.is_some()), (what, text.contains("mer_")), "{text}");
        }
        for text in [format!("{evt} {we}"), format!("{evt}/{we}"), format!("mer_{tail}#test#{evt} {we}")] {
            assert_eq!(Target::parse(&text).unwrap().0, delivery, "{text}");
        }
    }

    #[test]
    fn other_texts_name_nothing() {
        for text in ["", "pay_x", "mer_7ccpzn4gffpza71gj3mr6qsffj", "b2a9d0b5-8f3f-4a5e-9d5f", "sk_test_x"] {
            assert!(matches!(Target::parse(text), Err(TraceError::Usage)), "{text}");
        }
    }
}
