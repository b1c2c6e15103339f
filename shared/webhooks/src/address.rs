//! Allowed addresses of webhooks. Merchants choose the addresses, and Spillway calls them from inside its network. So
//! an address must be public. This is checked when the endpoint is created or changed, and again after each name
//! resolution.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The most bytes of an endpoint's address.
pub const URL_LENGTH_MAX: usize = 2048;

/// Why an address is refused. The texts follow the field's name in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The address is not a valid URL, or is too long.
    #[error("must be an absolute URL of at most 2048 characters, in its encoded form")]
    Malformed,
    /// The address is plain http.
    #[error("must begin with https://")]
    NotHttps,
    /// The address contains `user:password@`.
    #[error("must not hold a user name or a password")]
    Credentials,
    /// The address is not on the public internet.
    #[error("must be a public address")]
    NotPublic,
}

/// Checks the address of an endpoint and returns it parsed. With `loopback`, addresses of this machine are allowed too,
/// also over plain http.
pub fn check_url(url: &str, loopback: bool) -> Result<Url, AddressError> {
    let parsed = Url::parse(url).map_err(|_| AddressError::Malformed)?;
    // Spillway stores and calls the encoded form. It has three characters for each byte of a letter outside of ASCII.
    if parsed.as_str().len() > URL_LENGTH_MAX {
        return Err(AddressError::Malformed);
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(AddressError::Credentials);
    }
    if parsed.port() == Some(0) {
        return Err(AddressError::Malformed);
    }
    let (is_loopback, literal) = match parsed.host().ok_or(AddressError::Malformed)? {
        Host::Domain(name) if !has_labels(name) => return Err(AddressError::Malformed),
        Host::Domain(name) => (is_localhost(name), None),
        Host::Ipv4(ip) => (ip.is_loopback(), Some(IpAddr::V4(ip))),
        Host::Ipv6(ip) => (ip.is_loopback(), Some(IpAddr::V6(ip))),
    };
    match parsed.scheme() {
        "https" => {}
        "http" if loopback && is_loopback => {}
        "http" => return Err(AddressError::NotHttps),
        _ => return Err(AddressError::Malformed),
    }
    let allowed = match literal {
        Some(ip) => is_allowed(ip, loopback),
        None => loopback || !is_loopback,
    };
    if allowed { Ok(parsed) } else { Err(AddressError::NotPublic) }
}

/// Whether no label of the name is empty. A final dot, which stands for the root, is allowed.
fn has_labels(name: &str) -> bool {
    name.strip_suffix('.').unwrap_or(name).split('.').all(|label| !label.is_empty())
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether a resolved address may be connected to.
pub(super) fn is_allowed(ip: IpAddr, loopback: bool) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip) || (loopback && ip.is_loopback()),
        IpAddr::V6(ip) => is_public_v6(ip) || (loopback && ip.is_loopback()),
    }
}

/// Whether an IPv4 address is public, by IANA's registry of special-purpose addresses (RFC 6890 and its updates).
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol = a == 192 && b == 0 && c == 0;
    let relay = a == 192 && b == 88 && c == 99;
    let benchmark = a == 198 && (b == 18 || b == 19);
    let reserved = a == 0 || a >= 224;
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || shared
        || protocol
        || relay
        || benchmark
        || reserved)
}

/// Whether an IPv6 address is public: global unicast (2000::/3), without ranges that contain an IPv4 address (mapped,
/// compatible, NAT64, 6to4, Teredo), and without documentation ranges.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    let six_to_four = segments[0] == 0x2002;
    let protocol_assignments = segments[0] == 0x2001 && segments[1] < 0x0200; // Teredo, ORCHID, benchmarking
    let documentation = (segments[0] == 0x2001 && segments[1] == 0x0db8) || segments[0] & 0xfff0 == 0x3ff0;
    global_unicast && !six_to_four && !protocol_assignments && !documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_https_addresses_are_allowed() {
        for url in ["https://example.com/hook?a=b", "https://93.184.216.34:8443/", "https://[2606:2800:220:1::1]/"] {
            assert!(check_url(url, false).is_ok(), "{url}");
        }
    }

    #[test]
    fn non_public_addresses_are_refused_in_every_notation() {
        for url in [
            "https://127.0.0.1/",
            "https://localhost/",
            "https://a.localhost./",
            "https://10.0.0.1/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://192.0.0.1/",
            "https://198.18.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[fc00::1]/",
            "https://[fe80::1]/",
            "https://[ff02::1]/",
            "https://[2001:db8::1]/",
            "https://[::127.0.0.1]/",
        ] {
            assert_eq!(check_url(url, false), Err(AddressError::NotPublic), "{url}");
        }
    }

    #[test]
    fn malformed_and_plain_http_addresses_are_refused() {
        for (url, error) in [
            ("http://example.com/", AddressError::NotHttps),
            ("ftp://example.com/", AddressError::Malformed),
            ("/hook", AddressError::Malformed),
            ("https://", AddressError::Malformed),
            ("https://./", AddressError::Malformed),
            ("https://a..b/", AddressError::Malformed),
            ("https://example.com:0/", AddressError::Malformed),
            ("https://user:secret@example.com/", AddressError::Credentials),
        ] {
            assert_eq!(check_url(url, false), Err(error), "{url}");
        }
    }

    #[test]
    fn the_loopback_setting_allows_only_loopback() {
        for url in ["http://127.0.0.1:9999/hook", "http://localhost:9/", "https://[::1]/"] {
            assert!(check_url(url, true).is_ok(), "{url}");
        }
        for url in ["http://10.0.0.1/", "https://169.254.169.254/", "http://example.com/"] {
            assert!(check_url(url, true).is_err(), "{url}");
        }
    }
}
