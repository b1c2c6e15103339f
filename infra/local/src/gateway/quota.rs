//! The headers that show a caller its rate limit (draft-ietf-httpapi-ratelimit-headers-10).

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::template::Throttle;

/// A caller's rate limit, after a request has taken a token of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    /// The name of the limit: `plan`, or `route` if the route has a limit of its own.
    pub name: &'static str,
    pub throttle: Throttle,
    /// The tokens that are left. `None` if there was none: the request is refused.
    pub left: Option<u64>,
}

impl Quota {
    /// Adds `RateLimit`, and `RateLimit-Policy` if the function has not answered with it. A bucket gets at least one
    /// token a second, so there are more requests after a second at the latest.
    pub fn show(&self, headers: &mut HeaderMap) {
        let Throttle { rate, burst } = self.throttle;
        let name = self.name;
        let policy = format!("\"{name}\";q={burst};w={}", burst.div_ceil(rate.max(1)).max(1));
        let limit = format!("\"{name}\";r={};t=1", self.left.unwrap_or(0));
        let header = |text: String| HeaderValue::from_str(&text).ok();
        if let (Some(policy), Some(limit)) = (header(policy), header(limit)) {
            headers.entry(HeaderName::from_static("ratelimit-policy")).or_insert(policy);
            headers.insert(HeaderName::from_static("ratelimit"), limit);
        }
    }
}
