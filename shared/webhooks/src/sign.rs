//! Signatures of Standard Webhooks 1.0.0, computed by the scheme's own library.

use spillway_domain::time::Timestamp;
use standardwebhooks::Webhook;

/// The values of the headers that a receiver verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The time of the attempt in seconds since 1970.
    pub timestamp: i64,
    /// The signatures `v1,…`, one for each secret, separated by spaces.
    pub signature: String,
}

/// Signs a body with each of the secrets. A receiver accepts the body if it can verify one signature. None if a secret
/// is malformed, or if `secrets` is empty.
pub fn sign(secrets: &[impl AsRef<str>], webhook_id: &str, body: &[u8], now: Timestamp) -> Option<Signed> {
    let timestamp = now.seconds();
    let signatures = secrets.iter().map(|secret| {
        let webhook = Webhook::new(secret.as_ref()).ok()?;
        webhook.sign(webhook_id, timestamp, body).ok()
    });
    let signatures: Vec<String> = signatures.collect::<Option<_>>()?;
    (!signatures.is_empty()).then(|| Signed { timestamp, signature: signatures.join(" ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_matches_the_published_example() {
        // The example of the Standard Webhooks specification.
        let signed = sign(
            &["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            br#"{"test": 2432232314}"#,
            Timestamp::from_millis(1_614_265_330_999),
        );
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned();
        assert_eq!(signed, Some(Signed { timestamp: 1_614_265_330, signature }));
    }

    #[test]
    fn each_secret_adds_a_signature() {
        let sign = |secrets: &[&str]| sign(secrets, "evt_1", b"{}", Timestamp::from_millis(0));
        let (one, other) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_un2Oe1kr1KqWNxiTKecIF9vNDuDbo/H3");
        let [first, second] = [one, other].map(|secret| sign(&[secret]).unwrap().signature);
        assert_eq!(sign(&[one, other]).unwrap().signature, format!("{first} {second}"));
        assert_eq!((sign(&[]), sign(&[one, "!"])), (None, None));
    }
}
