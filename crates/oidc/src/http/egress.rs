//! A gateway that all requests to other hosts pass, in networks where nothing else reaches the internet.

use std::net::IpAddr;

/// The field that tells the gateway which origin a request is for: `https://idp.example`. Only the runtime sets it.
pub const ORIGIN: &str = "vestibule-egress-origin";

/// Whether a gateway at `host`, without its port, may be asked in this way. Requests carry secrets and tokens, so plain http is
/// for a gateway on this machine only: `localhost` itself or a loopback address. A name below `localhost` is none here, because
/// a resolver may look it up elsewhere.
pub fn may_be_asked(is_secure: bool, host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    is_secure
        || host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(may_be_asked(false, host), "{host}");
        }
        for host in ["egress.internal", "10.0.0.1", "localhost.evil.example", "a.localhost", "[::2]", ""] {
            assert!(!may_be_asked(false, host), "{host}");
            assert!(may_be_asked(true, host), "{host}");
        }
    }
}
