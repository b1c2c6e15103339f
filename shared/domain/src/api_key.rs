//! API keys: `sk_test_…` or `sk_live_…`, 160 random bits, and a checksum, so that a typo is told from a revoked key
//! and secret scanners can be sure. Only the SHA-256 is stored.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{ApiKeyId, base32, hash, hex};
use crate::tenant::{Mode, Tenant};
use crate::time::Timestamp;

const SECRET_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;

/// A key's secret text. It has no `Display` and its `Debug` hides it: it must not reach a log.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret(String);

/// The text is no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key")]
pub struct InvalidApiKey;

impl ApiKeySecret {
    /// A new key from 160 random bits.
    pub fn new(mode: Mode, random: [u8; 20]) -> ApiKeySecret {
        let body = format!("sk_{}_{}", mode.as_str(), base32(&random, SECRET_LENGTH));
        let checksum = checksum(&body);
        ApiKeySecret(body + &checksum)
    }

    /// Reads a key and checks its checksum.
    pub fn parse(text: &str) -> Result<ApiKeySecret, InvalidApiKey> {
        let tail = text.strip_prefix("sk_test_").or_else(|| text.strip_prefix("sk_live_")).ok_or(InvalidApiKey)?;
        if !text.is_ascii() || tail.len() != SECRET_LENGTH + CHECKSUM_LENGTH {
            return Err(InvalidApiKey);
        }
        let (body, sum) = text.split_at(text.len() - CHECKSUM_LENGTH);
        if checksum(body) == sum { Ok(ApiKeySecret(text.to_owned())) } else { Err(InvalidApiKey) }
    }

    /// SHA-256 of the key in hexadecimal digits: what is stored.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }

    /// The key itself, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeySecret(…)")
    }
}

fn checksum(body: &str) -> String {
    base32(&hash(&[body]), CHECKSUM_LENGTH)
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Create payments.
    #[serde(rename = "payments:write")]
    PaymentsWrite,
    /// See payments.
    #[serde(rename = "payments:read")]
    PaymentsRead,
    /// See balances.
    #[serde(rename = "balance:read")]
    BalanceRead,
    /// Create webhook endpoints.
    #[serde(rename = "webhooks:write")]
    WebhooksWrite,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 4] = [Scope::PaymentsWrite, Scope::PaymentsRead, Scope::BalanceRead, Scope::WebhooksWrite];

    /// As written in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::PaymentsWrite => "payments:write",
            Scope::PaymentsRead => "payments:read",
            Scope::BalanceRead => "balance:read",
            Scope::WebhooksWrite => "webhooks:write",
        }
    }

    /// Reads a scope.
    pub fn parse(text: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A key as stored, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Derived from the merchant, the mode and the reference under which it was issued.
    pub id: ApiKeyId,
    /// Whose key.
    pub tenant: Tenant,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// From when on it is refused, if ever. (Stored under another name than `expires_at`: by that attribute the table
    /// deletes items, and a key that was refused stays.)
    #[serde(rename = "valid_until")]
    pub expires_at: Option<Timestamp>,
    /// The invocation that issued it.
    pub request_id: String,
    /// When it was issued.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_a_typo_does_not() {
        let key = ApiKeySecret::new(Mode::Test, [7; 20]);
        assert_eq!(ApiKeySecret::parse(key.reveal()), Ok(key.clone()));
        assert!(key.reveal().starts_with("sk_test_"));
        let mut typo = key.reveal().to_owned();
        typo.replace_range(10..11, if typo.as_bytes()[10] == b'a' { "b" } else { "a" });
        for wrong in [typo.as_str(), "", "sk_test_", "sk_prod_x", &key.reveal().replace("test", "live"), "sk_test_ключ"]
        {
            assert_eq!(ApiKeySecret::parse(wrong), Err(InvalidApiKey), "{wrong}");
        }
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let key = ApiKeySecret::new(Mode::Live, [9; 20]);
        assert_eq!(format!("{key:?}"), "ApiKeySecret(…)");
    }
}
