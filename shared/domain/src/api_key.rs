//! API keys: `sk_test_…` or `sk_live_…`, 160 random bits, and a checksum, so that a typo is told from a revoked key
//! and secret scanners can be sure. Only the SHA-256 is stored.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{ApiKeyId, base32, hash, hex};
use crate::tenant::{Mode, Tenant};
use crate::text::as_text;
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
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::EnumMessage,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
pub enum Scope {
    /// Create payments.
    #[strum(serialize = "payments:write")]
    PaymentsWrite,
    /// See payments.
    #[strum(serialize = "payments:read")]
    PaymentsRead,
    /// Refund payments.
    #[strum(serialize = "refunds:write")]
    RefundsWrite,
    /// See balances.
    #[strum(serialize = "balance:read")]
    BalanceRead,
    /// Create and see webhook endpoints.
    #[strum(serialize = "webhooks:write")]
    WebhooksWrite,
}

as_text!(Scope);

impl Scope {
    /// Whether it is for starting something, which a suspended merchant may not.
    pub fn writes(self) -> bool {
        self.as_str().ends_with(":write")
    }
}

/// That a key was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// From when on whoever knows of it refuses the key. It may lie ahead.
    pub revoked_at: Timestamp,
    /// From when on no request that arrives at the gateway with the key is accepted.
    pub effective_at: Timestamp,
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
    /// deletes items. It would do so by a number only, and this is a text; but a key that was refused must stay, and
    /// not because of how its time is written.)
    #[serde(rename = "valid_until")]
    pub expires_at: Option<Timestamp>,
    /// That it was revoked, if it was.
    pub revocation: Option<Revocation>,
    /// The invocation that issued it.
    pub request_id: String,
    /// When it was issued.
    pub created_at: Timestamp,
}

impl ApiKey {
    /// From when on it is refused, for whatever reason. None: never.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let revoked_at = self.revocation.map(|revocation| revocation.revoked_at);
        self.expires_at.into_iter().chain(revoked_at).min()
    }

    /// The revocation that holds when this key is to be revoked at `at`, or now if that has passed. What is written now
    /// every request goes by that arrives from `everywhere_at` on. A revocation only ever moves earlier: one that is as
    /// early stays.
    pub fn revoked(&self, at: Timestamp, now: Timestamp, everywhere_at: Timestamp) -> Revocation {
        let revoked_at = at.max(now);
        let effective_at = revoked_at.max(everywhere_at);
        match self.revocation {
            Some(earlier) if earlier.revoked_at <= revoked_at => earlier,
            // What was promised of the later one still holds.
            Some(later) => Revocation { revoked_at, effective_at: later.effective_at.min(effective_at) },
            None => Revocation { revoked_at, effective_at },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::MerchantId;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn key(expires_at: Option<Timestamp>, revocation: Option<Revocation>) -> ApiKey {
        ApiKey {
            id: ApiKeyId::derive(&["k"]),
            tenant: Tenant { merchant: MerchantId::derive(&["m"]), mode: Mode::Test },
            scopes: Scope::ALL.to_vec(),
            expires_at,
            revocation,
            request_id: "r".to_owned(),
            created_at: at(0),
        }
    }

    fn revocation(revoked_at: i64, effective_at: i64) -> Revocation {
        Revocation { revoked_at: at(revoked_at), effective_at: at(effective_at) }
    }

    #[test]
    fn a_key_ends_when_it_expires_or_when_it_is_revoked_whichever_is_earlier() {
        assert_eq!(key(None, None).ends_at(), None);
        assert_eq!(key(Some(at(50)), None).ends_at(), Some(at(50)));
        for (expires_at, ends_at) in [(None, 40), (Some(50), 40), (Some(30), 30)] {
            let revoked = key(expires_at.map(at), Some(revocation(40, 90)));
            assert_eq!(revoked.ends_at(), Some(at(ends_at)), "{expires_at:?}");
        }
    }

    #[test]
    fn a_revoked_key_is_refused_everywhere_when_all_know_of_it_and_its_time_has_come() {
        for (asked, expected) in [
            (100, revocation(100, 160)),
            (150, revocation(150, 160)),
            (200, revocation(200, 200)),
            // A time that has passed is now.
            (1, revocation(100, 160)),
        ] {
            assert_eq!(key(None, None).revoked(at(asked), at(100), at(160)), expected, "{asked}");
        }
    }

    #[test]
    fn a_revocation_only_ever_moves_earlier() {
        let revoked = key(None, Some(revocation(300, 300)));
        for asked in [300, 301] {
            assert_eq!(revoked.revoked(at(asked), at(110), at(170)), revocation(300, 300), "{asked}");
        }
        assert_eq!(revoked.revoked(at(200), at(110), at(170)), revocation(200, 200));
        // Asked for again when its time has passed, it is the same.
        assert_eq!(revoked.revoked(at(300), at(350), at(410)), revocation(300, 300));
    }

    #[test]
    fn what_was_promised_of_a_revocation_holds_when_it_moves_earlier() {
        let revoked = key(None, Some(revocation(150, 160)));
        assert_eq!(revoked.revoked(at(110), at(110), at(170)), revocation(110, 160));
    }

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
    fn a_key_has_32_characters_of_ascii_and_then_its_checksum() {
        // 31 characters, and the checksum of these. Then as many bytes as a key has; the checksum would begin within the ü.
        for wrong in ["sk_test_0000000000000000000000000000000yy3ahm", "sk_test_0000000000000000000000000000000ü00000"]
        {
            assert_eq!(ApiKeySecret::parse(wrong), Err(InvalidApiKey), "{wrong}");
        }
    }

    #[test]
    fn what_is_stored_of_a_key_is_the_sha_256_of_its_text() {
        let key = ApiKeySecret::new(Mode::Test, [7; 20]);
        assert_eq!(key.reveal(), "sk_test_0w3ge1r70w3ge1r70w3ge1r70w3ge1r7kdak4f");
        // printf of that text | sha256sum
        assert_eq!(key.sha256(), "a4a767d56f0f96689715d5d3ca5d867549000c143895d06528c54695a8090428");
    }

    #[test]
    fn the_scopes_that_write_are_those_that_say_so() {
        for scope in Scope::ALL.iter().copied() {
            assert_eq!(scope.writes(), scope.as_str().ends_with(":write"), "{scope:?}");
        }
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let key = ApiKeySecret::new(Mode::Live, [9; 20]);
        assert_eq!(format!("{key:?}"), "ApiKeySecret(…)");
    }
}
