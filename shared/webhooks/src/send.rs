//! One attempt of a delivery: a signed POST to an allowed address, without redirects and without a proxy.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use spillway_domain::tenant::Mode;
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{Attempt, WebhookEndpoint};

use super::address::{check_url, is_allowed};
use super::sign::Signed;
use crate::settings::Settings;

/// Posts events to webhook endpoints.
#[derive(Debug)]
pub struct Sender {
    deadline: Duration,
    loopback_in_test: bool,
    public: OnceLock<Option<reqwest::Client>>,
    loopback: OnceLock<Option<reqwest::Client>>,
}

/// The HTTPS client can't be made. This is Spillway's own fault and must not count as an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's certificates can't be read")]
pub struct NoClient;

impl Sender {
    /// A sender whose attempts take at most [`Settings::deadline_ms`].
    pub fn new(settings: &Settings) -> Sender {
        Sender {
            deadline: Duration::from_millis(u64::from(settings.deadline_ms)),
            loopback_in_test: settings.loopback,
            public: OnceLock::new(),
            loopback: OnceLock::new(),
        }
    }

    /// Posts `body` once, with the header `traceparent` if there is one. Only the status and `Retry-After` of the answer are read. Errors if no HTTPS client can be
    /// made.
    pub async fn attempt(
        &self, endpoint: &WebhookEndpoint, webhook_id: &str, signed: &Signed, traceparent: Option<String>,
        body: String, now: Timestamp,
    ) -> Result<Attempt, NoClient> {
        let loopback = self.loopback_in_test && endpoint.meta.owner.mode == Mode::Test;
        // The address is checked again for two reasons: the setting may have changed, and a numeric address is not
        // resolved, so the check after resolution does not see it.
        let Ok(url) = check_url(&endpoint.url, loopback) else {
            return Ok(Attempt::Unreachable("address not allowed"));
        };
        let client = if loopback { &self.loopback } else { &self.public };
        let client = client.get_or_init(|| client_for(self.deadline, loopback)).as_ref().ok_or(NoClient)?;
        let mut request = client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", webhook_id)
            .header("webhook-timestamp", signed.timestamp)
            .header("webhook-signature", &signed.signature)
            .body(body);
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        Ok(match request.send().await {
            Ok(answer) => Attempt::Answered {
                status: answer.status().as_u16(),
                retry_after_s: answer
                    .headers()
                    .get("retry-after")
                    .and_then(|value| value.to_str().ok())
                    .and_then(|value| retry_after_s(value, now)),
            },
            Err(error) if error.is_timeout() => Attempt::Unreachable("timed out"),
            Err(error) if error.is_connect() => Attempt::Unreachable("no connection"),
            Err(_) => Attempt::Unreachable("no answer"),
        })
    }
}

/// Returns an HTTPS client without a proxy. A proxy would resolve names itself and so bypass the check of addresses.
fn client_for(deadline: Duration, loopback: bool) -> Option<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .timeout(deadline)
        .connect_timeout(Duration::from_secs(5))
        .pool_idle_timeout(Duration::from_secs(20))
        .dns_resolver(Arc::new(AllowedAddresses { loopback }))
        .user_agent(concat!("Spillway/", env!("CARGO_PKG_VERSION")))
        .build()
        .ok()
}

/// The seconds of a `Retry-After` header, which has seconds or a date. None if it is malformed or a past date.
fn retry_after_s(value: &str, now: Timestamp) -> Option<u32> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number of seconds that is too large becomes the largest number.
        return Some(value.parse().unwrap_or(u32::MAX));
    }
    let at_s = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let remaining_s = i64::try_from(at_s).ok()?.checked_sub(now.millis() / 1000)?;
    (remaining_s >= 0).then(|| u32::try_from(remaining_s).unwrap_or(u32::MAX))
}

/// Resolves names and removes addresses that are not allowed. The client connects only to the addresses that remain.
struct AllowedAddresses {
    loopback: bool,
}

impl Resolve for AllowedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| is_allowed(address.ip(), loopback)).collect();
            if allowed.is_empty() {
                return Err("the name resolves to no allowed address".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use spillway_domain::id::{EndpointId, MerchantId};
    use spillway_domain::idempotency::Fingerprint;
    use spillway_domain::resource::{Cause, Meta};
    use spillway_domain::tenant::Tenant;
    use spillway_domain::webhook::KeyFingerprint;

    use super::*;

    fn endpoint(mode: Mode, url: &str) -> WebhookEndpoint {
        let owner = Tenant { merchant: MerchantId::derive(&["m"]), mode };
        let at = Timestamp::from_millis(0);
        let cause = Cause { request_id: "req-1".to_owned(), trace: None, fingerprint: Fingerprint::of(b"{}"), at };
        let meta = Meta::new(EndpointId::derive(&["w"]), owner, 0, cause);
        WebhookEndpoint::new(meta, url.to_owned(), Vec::new(), KeyFingerprint::of(""))
    }

    #[tokio::test]
    async fn an_address_is_checked_again_before_each_attempt() {
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        inside.set_nonblocking(true).unwrap();
        let here = format!("http://{}/", inside.local_addr().unwrap());
        let signed = Signed { timestamp: 0, signature: "v1,".to_owned() };
        for (loopback, mode) in [(false, Mode::Test), (true, Mode::Live)] {
            let sender = Sender::new(&Settings { waits_s: Vec::new(), deadline_ms: 500, loopback });
            for url in [here.as_str(), "https://10.0.0.1/", "https://[::1]/"] {
                let (endpoint, now) = (endpoint(mode, url), Timestamp::from_millis(0));
                let attempt = sender.attempt(&endpoint, "evt_1", &signed, None, String::new(), now).await.unwrap();
                assert!(matches!(attempt, Attempt::Unreachable("address not allowed")), "{url}: {attempt:?}");
            }
        }
        assert!(inside.accept().is_err(), "a connection was made");
    }

    #[tokio::test]
    async fn a_name_with_a_private_address_is_not_connected_to() {
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        inside.set_nonblocking(true).unwrap();
        let url = format!("http://localhost:{}/", inside.local_addr().unwrap().port());
        let post = async |loopback| {
            let client = client_for(Duration::from_millis(500), loopback).unwrap();
            client.post(&url).send().await.unwrap_err()
        };
        assert!(post(false).await.is_connect());
        assert!(inside.accept().is_err(), "a connection was made");
        // If loopback is allowed, a connection is made. It times out because this test does not answer.
        assert!(post(true).await.is_timeout());
        assert!(inside.accept().is_ok(), "no connection was made");
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = Timestamp::parse("2015-10-21T07:27:00Z").unwrap();
        assert_eq!(retry_after_s("120", now), Some(120));
        assert_eq!(retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(60));
        assert_eq!(retry_after_s("Wed, 21 Oct 2015 07:26:00 GMT", now), None);
        assert_eq!(retry_after_s("99999999999", now), Some(u32::MAX));
        // A date that is more than a century away becomes the largest number.
        assert_eq!(retry_after_s("Fri, 31 Dec 9999 23:59:59 GMT", now), Some(u32::MAX));
        for wrong in ["soon", "", "-1", "1.5", "Sat, 01 Jan 0000 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert_eq!(retry_after_s(wrong, now), None, "{wrong}");
        }
    }
}
