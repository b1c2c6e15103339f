//! The address of the cache.

use spillway_runtime::SettingError;
use spillway_runtime::settings::{Environment, is_loopback};
use url::Host;

/// The address of a cache.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) encrypted: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// `CACHE_URL`. None if there is no cache. Errors if it is anything but an address, or one on another machine without
    /// TLS, because customers' data is sent there.
    pub(crate) fn read(environment: &Environment<'_>) -> Result<Option<Address>, SettingError> {
        let (name, expected) = ("CACHE_URL", "rediss://HOST:PORT, or redis://HOST:PORT on this machine");
        let Some(value) = environment.optional(name) else { return Ok(None) };
        Address::parse(&value).map(Some).ok_or(SettingError::Wrong { name, expected, value })
    }

    fn parse(value: &str) -> Option<Address> {
        let (scheme, place) = value.split_once("://")?;
        let (host, port) = place.rsplit_once(':')?;
        let (host, port) = (Host::parse(host).ok()?, port.parse().ok()?);
        let encrypted = scheme == "rediss";
        if !(encrypted || scheme == "redis" && is_loopback(&host)) {
            return None;
        }
        let host = match host {
            // Without brackets.
            Host::Ipv6(address) => address.to_string(),
            other => other.to_string(),
        };
        Some(Address { encrypted, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_with_tls_or_on_this_machine_is_read() {
        let address = |encrypted, host: &str, port| Some(Address { encrypted, host: host.to_owned(), port });
        let read = Address::parse;
        assert_eq!(
            read("rediss://a-b.serverless.euc1.cache.amazonaws.com:6379"),
            address(true, "a-b.serverless.euc1.cache.amazonaws.com", 6379)
        );
        assert_eq!(read("redis://127.0.0.1:22000"), address(false, "127.0.0.1", 22000));
        assert_eq!(read("redis://[::1]:1"), address(false, "::1", 1));
        for other in [
            "redis://cache.example:6379",
            "redis://10.0.0.1:6379",
            "rediss://cache.example",
            "rediss://user:password@cache.example:6379",
            "rediss://cache.example:6379/0",
            "http://127.0.0.1:6379",
            "127.0.0.1:6379",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
