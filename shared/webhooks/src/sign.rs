//! Signatures of Standard Webhooks 1.0.0, by the scheme's own library.

use base64::Engine as _;
use spillway_domain::time::Timestamp;
use standardwebhooks::Webhook;

/// The headers that a receiver checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Seconds since 1970, of the attempt.
    pub timestamp: i64,
    /// `v1,…`, one for each secret.
    pub signature: String,
}

/// A new signing secret from 192 random bits.
pub fn new_secret(random: [u8; 24]) -> String {
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(random))
}

/// Signs a body with each of the secrets: a receiver accepts any of the signatures. None if one is not a secret, or none is
/// given.
pub fn sign<'a>(
    secrets: impl Iterator<Item = &'a str>, webhook_id: &str, body: &[u8], now: Timestamp,
) -> Option<Signed> {
    let timestamp = now.seconds();
    let signatures = secrets.map(|secret| Webhook::new(secret).ok()?.sign(webhook_id, timestamp, body).ok());
    let signatures: Vec<String> = signatures.collect::<Option<_>>()?;
    (!signatures.is_empty()).then(|| Signed { timestamp, signature: signatures.join(" ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        // The example of the Standard Webhooks specification.
        let signed = sign(
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"].into_iter(),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            br#"{"test": 2432232314}"#,
            Timestamp::from_millis(1_614_265_330_999),
        );
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned();
        assert_eq!(signed, Some(Signed { timestamp: 1_614_265_330, signature }));
    }

    #[test]
    fn each_secret_signs_and_none_is_no_signature() {
        let sign = |secrets: &[&str]| sign(secrets.iter().copied(), "evt_1", b"{}", Timestamp::from_millis(0));
        let (one, other) = (new_secret([1; 24]), new_secret([2; 24]));
        let [first, second] = [&one, &other].map(|secret| sign(&[secret]).unwrap().signature);
        assert_eq!(sign(&[&one, &other]).unwrap().signature, format!("{first} {second}"));
        assert_eq!((sign(&[]), sign(&[&one, "!"])), (None, None));
    }
}
