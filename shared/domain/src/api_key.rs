//! API keys: `sk_test_…` or `sk_live_…`, 160 random bits, and a checksum. The checksum distinguishes a typo from a
//! revoked key, and lets secret scanners recognize a key with certainty. Only the SHA-256 of a key is stored.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use strum::{EnumMessage, EnumString, IntoStaticStr, VariantArray};

use crate::id::{ApiKeyId, base32, hash, hex};
use crate::operator::Operator;
use crate::tenant::{Mode, Tenant};
use crate::text::as_text;
use crate::time::Timestamp;

const SECRET_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;

/// The secret text of an API key. It must not reach a log: it has no `Display`, and its `Debug` hides the text.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret(String);

impl ApiKeySecret {
    /// A new key from 160 random bits.
    pub fn new(mode: Mode, random: [u8; 20]) -> ApiKeySecret {
        let body = format!("sk_{}_{}", mode.as_str(), base32(&random, SECRET_LENGTH));
        let checksum = checksum(&body);
        ApiKeySecret(body + &checksum)
    }

    /// Parses a key. None if the form or the checksum is wrong.
    pub fn parse(text: &str) -> Option<ApiKeySecret> {
        let tail = text.strip_prefix("sk_test_").or_else(|| text.strip_prefix("sk_live_"))?;
        if !text.is_ascii() || tail.len() != SECRET_LENGTH + CHECKSUM_LENGTH {
            return None;
        }
        let (body, sum) = text.split_at(text.len() - CHECKSUM_LENGTH);
        (checksum(body) == sum).then(|| ApiKeySecret(text.to_owned()))
    }

    /// SHA-256 of the key in hexadecimal digits. This is the stored form.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }

    /// The text of the key. It is shown once, in the answer that issues the key.
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

/// A permission of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumMessage, EnumString, IntoStaticStr, VariantArray)]
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
    /// Whether requests with this scope start something. A suspended merchant may not send them.
    pub fn writes(self) -> bool {
        self.as_str().ends_with(":write")
    }
}

/// The revocation of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// From this time the key is refused wherever the revocation is known. It may be in the future.
    pub revoked_at: Timestamp,
    /// From this time every request with the key that arrives at the gateway is refused.
    pub effective_at: Timestamp,
}

/// An API key as stored, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Derived from the merchant, the mode and the reference under which it was issued.
    pub id: ApiKeyId,
    /// Merchant and mode that own the key.
    pub tenant: Tenant,
    /// The operator's own identifier of the key. None if version 0.1.0 issued it.
    pub reference: Option<String>,
    /// Endpoints that the key may call.
    pub scopes: Vec<Scope>,
    /// From this time the key is refused. None if it does not expire. The stored attribute is not called `expires_at`,
    /// because the table deletes items by that attribute, and the item of an expired key must stay.
    #[serde(rename = "valid_until")]
    pub expires_at: Option<Timestamp>,
    /// None if the key was not revoked.
    pub revocation: Option<Revocation>,
    /// The operator who issued the key. None if version 0.1.0 issued it.
    pub issued_by: Option<Operator>,
    /// The operator who revoked the key. None if it was not revoked, or by version 0.1.0.
    pub revoked_by: Option<Operator>,
    /// Id of the invocation that issued the key.
    pub request_id: String,
    /// Time of issue.
    pub created_at: Timestamp,
}

/// Whether an API key is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeyState {
    /// It is accepted.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked, and the time of the revocation has come.
    Revoked,
}

impl ApiKey {
    /// The state at this time. A key whose revocation or expiry is in the future is active.
    pub fn state(&self, now: Timestamp) -> ApiKeyState {
        if self.revocation.is_some_and(|revocation| revocation.revoked_at <= now) {
            ApiKeyState::Revoked
        } else if self.expires_at.is_some_and(|expiry| expiry <= now) {
            ApiKeyState::Expired
        } else {
            ApiKeyState::Active
        }
    }

    /// The position in a list of a merchant's keys, which is sorted by time of issue.
    pub fn position(&self) -> String {
        format!("{}#{}", self.created_at, self.id)
    }

    /// The time from which the key is refused: its expiry or its revocation, whichever is earlier. None if it has
    /// neither.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let revoked_at = self.revocation.map(|revocation| revocation.revoked_at);
        self.expires_at.into_iter().chain(revoked_at).min()
    }

    /// The revocation to store when the key shall be revoked at `at`, or now if `at` has passed. A revocation only
    /// moves earlier: a stored one that is not later is returned unchanged. `everywhere_at` is the time from which
    /// every request sees a change that is written now.
    pub fn revoked(&self, at: Timestamp, now: Timestamp, everywhere_at: Timestamp) -> Revocation {
        let revoked_at = at.max(now);
        let effective_at = revoked_at.max(everywhere_at);
        match self.revocation {
            Some(earlier) if earlier.revoked_at <= revoked_at => earlier,
            // The earlier promise holds: the key is refused everywhere no later than `later.effective_at`.
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
            reference: None,
            scopes: Scope::ALL.to_vec(),
            expires_at,
            revocation,
            issued_by: None,
            revoked_by: None,
            request_id: "r".to_owned(),
            created_at: at(0),
        }
    }

    #[test]
    fn keys_are_listed_by_their_time_of_issue() {
        let id = ApiKeyId::derive(&["k"]);
        assert_eq!(key(None, None).position(), format!("1970-01-01T00:00:00.000Z#{id}"));
    }

    fn revocation(revoked_at: i64, effective_at: i64) -> Revocation {
        Revocation { revoked_at: at(revoked_at), effective_at: at(effective_at) }
    }

    #[test]
    fn a_key_ends_at_the_earlier_of_expiry_and_revocation() {
        assert_eq!(key(None, None).ends_at(), None);
        assert_eq!(key(Some(at(50)), None).ends_at(), Some(at(50)));
        for (expires_at, ends_at) in [(None, 40), (Some(50), 40), (Some(30), 30)] {
            let revoked = key(expires_at.map(at), Some(revocation(40, 90)));
            assert_eq!(revoked.ends_at(), Some(at(ends_at)), "{expires_at:?}");
        }
    }

    #[test]
    fn a_key_is_active_until_it_expires_or_is_revoked() {
        let active = ApiKeyState::Active;
        let (expires, revoked) = (key(Some(at(50)), None), key(Some(at(50)), Some(revocation(40, 90))));
        for (key, now, state) in [
            (&expires, 49, active),
            (&expires, 50, ApiKeyState::Expired),
            (&revoked, 39, active),
            (&revoked, 40, ApiKeyState::Revoked),
            // A revoked key does not become an expired one.
            (&revoked, 50, ApiKeyState::Revoked),
        ] {
            assert_eq!(key.state(at(now)), state, "{now}");
        }
    }

    #[test]
    fn a_revocation_is_effective_when_due_and_known_everywhere() {
        for (requested, expected) in [
            (100, revocation(100, 160)),
            (150, revocation(150, 160)),
            (200, revocation(200, 200)),
            // A time in the past counts as now.
            (1, revocation(100, 160)),
        ] {
            assert_eq!(key(None, None).revoked(at(requested), at(100), at(160)), expected, "{requested}");
        }
    }

    #[test]
    fn a_revocation_only_moves_earlier() {
        let revoked = key(None, Some(revocation(300, 300)));
        for requested in [300, 301] {
            assert_eq!(revoked.revoked(at(requested), at(110), at(170)), revocation(300, 300), "{requested}");
        }
        assert_eq!(revoked.revoked(at(200), at(110), at(170)), revocation(200, 200));
        // The same request after the time of the revocation changes nothing.
        assert_eq!(revoked.revoked(at(300), at(350), at(410)), revocation(300, 300));
    }

    #[test]
    fn effective_at_never_moves_later() {
        let revoked = key(None, Some(revocation(150, 160)));
        assert_eq!(revoked.revoked(at(110), at(110), at(170)), revocation(110, 160));
    }

    #[test]
    fn parse_accepts_a_key_and_refuses_a_typo() {
        let key = ApiKeySecret::new(Mode::Test, [7; 20]);
        assert_eq!(ApiKeySecret::parse(key.reveal()), Some(key.clone()));
        assert!(key.reveal().starts_with("sk_test_"));
        let mut typo = key.reveal().to_owned();
        typo.replace_range(10..11, if typo.as_bytes()[10] == b'a' { "b" } else { "a" });
        for wrong in [typo.as_str(), "", "sk_test_", "sk_prod_x", &key.reveal().replace("test", "live"), "sk_test_ключ"]
        {
            assert_eq!(ApiKeySecret::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn parse_refuses_a_wrong_length_and_other_than_ascii() {
        // First: 31 characters and their checksum. Second: the right number of bytes, but the checksum would begin
        // inside the ü.
        for wrong in ["sk_test_0000000000000000000000000000000yy3ahm", "sk_test_0000000000000000000000000000000ü00000"]
        {
            assert_eq!(ApiKeySecret::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_stored_form_is_the_sha_256_of_the_text() {
        let key = ApiKeySecret::new(Mode::Test, [7; 20]);
        assert_eq!(key.reveal(), "sk_test_0w3ge1r70w3ge1r70w3ge1r70w3ge1r7kdak4f");
        // printf of that text | sha256sum
        assert_eq!(key.sha256(), "a4a767d56f0f96689715d5d3ca5d867549000c143895d06528c54695a8090428");
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let key = ApiKeySecret::new(Mode::Live, [9; 20]);
        assert_eq!(format!("{key:?}"), "ApiKeySecret(…)");
    }
}
