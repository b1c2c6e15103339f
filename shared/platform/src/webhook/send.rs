//! One attempt: a signed POST, no redirects, to allowed addresses only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use spillway_domain::webhook::Attempt;

use super::address::{check_url, is_allowed};
use super::sign::Signed;
use crate::runtime::Settings;

/// Posts webhooks.
#[derive(Debug)]
pub struct Sender {
    /// None if the system's certificates can't be read: every attempt then fails, and is tried again.
    client: Option<reqwest::Client>,
    loopback: bool,
}

impl Sender {
    /// A sender that lets an endpoint take [`Settings::webhook_deadline_ms`] at most.
    pub fn new(settings: &Settings) -> Sender {
        let loopback = settings.webhook_loopback;
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(Duration::from_millis(u64::from(settings.webhook_deadline_ms)))
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(20))
            .dns_resolver(Arc::new(PublicAddresses { loopback }))
            .user_agent(concat!("Spillway/", env!("CARGO_PKG_VERSION")))
            .build();
        Sender { client: client.ok(), loopback }
    }

    /// Posts `body` once. Only the answer's status and Retry-After are read.
    pub async fn attempt(&self, url: &str, webhook_id: &str, signed: &Signed, body: String) -> Attempt {
        // Checked again: the setting may have changed, and an address written as numbers is not resolved.
        let Ok(url) = check_url(url, self.loopback) else { return Attempt::Unreachable("address not allowed") };
        let Some(client) = &self.client else { return Attempt::Unreachable("no certificates") };
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", webhook_id)
            .header("webhook-timestamp", signed.timestamp)
            .header("webhook-signature", &signed.signature)
            .body(body);
        match request.send().await {
            Ok(answer) => {
                let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
                Attempt::Answered {
                    status: answer.status().as_u16(),
                    retry_after_s: retry_after.and_then(|value| value.trim().parse().ok()),
                }
            }
            Err(error) if error.is_timeout() => Attempt::Unreachable("timed out"),
            Err(error) if error.is_connect() => Attempt::Unreachable("no connection"),
            Err(_) => Attempt::Unreachable("no answer"),
        }
    }
}

/// Resolves names, and drops the addresses that are not allowed: what is connected to is what was checked.
struct PublicAddresses {
    loopback: bool,
}

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| is_allowed(address.ip(), loopback)).collect();
            if allowed.is_empty() {
                return Err("no address that is allowed".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
