//! Idempotency keys. The created resource is the record of its request, so no other record is needed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{Id, Kind, hex};
use crate::tenant::Tenant;

const KEY_LENGTH_MAX: usize = 255;

/// A client's idempotency key: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Parses the value of a header: bare, or as a quoted string of RFC 8941 (where `\"` and `\\` are escapes). Both
    /// forms give the same key. None if the key is empty, too long, or not visible ASCII.
    pub fn parse(header: &str) -> Option<IdempotencyKey> {
        let header = header.trim_matches([' ', '\t']);
        let key = match header.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => header.to_owned(),
        };
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && (1..=KEY_LENGTH_MAX).contains(&key.len())).then_some(IdempotencyKey(key))
    }

    /// The id of the object that `operation` creates with this key for this tenant. `parent`: the object under which it
    /// is created, or "".
    pub fn id_for<K: Kind>(&self, tenant: &Tenant, operation: &str, parent: &str) -> Id<K> {
        Id::derive(&[tenant.merchant.as_str(), tenant.mode.as_str(), operation, parent, &self.0])
    }

    /// The hash of this key. An operation that creates no object stores it in the object that it changes, to recognize
    /// a repeated request.
    pub fn hash(&self) -> KeyHash {
        KeyHash(hex(&Sha256::digest(self.0.as_bytes())))
    }
}

/// SHA-256 of an idempotency key, as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyHash(String);

impl KeyHash {
    /// The 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text between two quotes. The opening quote is already removed. None if the closing quote is not at the end, or
/// an escape is wrong.
fn unquote(quoted: &str) -> Option<String> {
    let mut key = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(key),
            '\\' => key.push(characters.next().filter(|escaped| ['"', '\\'].contains(escaped))?),
            other => key.push(other),
        }
    }
}

/// SHA-256 of a request's body in the canonical form of RFC 8785, as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a body in its canonical form.
    pub fn of(canonical: &[u8]) -> Fingerprint {
        Fingerprint(hex(&Sha256::digest(canonical)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{MerchantId, PaymentId, PaymentKind};
    use crate::tenant::Mode;

    fn key(header: &str) -> Option<String> {
        IdempotencyKey::parse(header).map(|key| key.0)
    }

    #[test]
    fn a_key_may_be_bare_or_quoted() {
        assert_eq!(key("order-1001"), Some("order-1001".into()));
        assert_eq!(key("\"order-1001\""), Some("order-1001".into()));
        assert_eq!(key(r#""a\"b\\""#), Some(r#"a"b\"#.into()));
        assert_eq!(key(&"k".repeat(255)).map(|key| key.len()), Some(255));
    }

    #[test]
    fn malformed_keys_are_refused() {
        for wrong in ["", "\"\"", " ", "a b", "ключ", "\"open", "\"a\"b", r#""a\n""#, "a\u{7f}", &"k".repeat(256)] {
            assert_eq!(key(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_id_depends_on_merchant_mode_operation_parent_and_key() {
        let tenant = |name: &str, mode| Tenant { merchant: MerchantId::derive(&[name]), mode };
        let id = |tenant: &Tenant, operation, parent, key: &str| -> PaymentId {
            IdempotencyKey::parse(key).unwrap().id_for::<PaymentKind>(tenant, operation, parent)
        };
        let a = tenant("a", Mode::Test);
        let all = [
            id(&a, "payment", "", "k"),
            id(&tenant("b", Mode::Test), "payment", "", "k"),
            id(&tenant("a", Mode::Live), "payment", "", "k"),
            id(&a, "refund", "", "k"),
            id(&a, "payment", "pay", "k"),
            id(&a, "payment", "", "l"),
        ];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(id(&a, "payment", "", "\"k\""), all[0]);
    }

    #[test]
    fn bare_and_quoted_keys_have_the_same_hash() {
        // printf k | sha256sum
        let hash = "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a";
        assert_eq!(["k", "\"k\""].map(|key| IdempotencyKey::parse(key).unwrap().hash().0), [hash; 2]);
    }

    #[test]
    fn a_fingerprint_is_the_sha_256_of_the_canonical_body() {
        // printf '{}' | sha256sum
        assert_eq!(Fingerprint::of(b"{}").0, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }
}
