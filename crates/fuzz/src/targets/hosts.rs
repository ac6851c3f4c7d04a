//! Hosts, domains and resources, as a configuration writes them.

use std::net::Ipv6Addr;

use url::Url as BrowserUrl;
use vestibule_core::guard::resource::ResourceIdentifier;
use vestibule_core::http::origin::{CookieDomain, HostPattern, Origin};

use crate::input::{error_shape, first_line, shape, text};
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[Target {
    name: "host_names",
    about: "patterns of hosts, cookie domains and resources: only hosts that end as they are written",
    reads: &[
        "http::origin::HostPattern::parse",
        "http::origin::CookieDomain::parse",
        "guard::resource::ResourceIdentifier::parse",
        "http::url::Url::parse",
    ],
    run: hosts,
    slice: 1500,
}];

/// A host, of which an IPv6 address has the spelling of RFC 5952.
fn one_spelling(host: &str) -> String {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match address.and_then(|address| address.parse::<Ipv6Addr>().ok()) {
        Some(address) => format!("[{address}]"),
        None => host.to_owned(),
    }
}

/// A pattern, a domain or a resource in the first line, a host or a URL in the second one.
fn hosts(input: &[u8]) -> Shape {
    let text = text(input);
    let (written, rest) = first_line(&text);
    let (host, _) = first_line(rest);
    let mut shapes = Vec::new();
    if let Ok(pattern) = HostPattern::parse(written)
        && let Ok(origin) = Origin::parse(&format!("https://{host}"))
    {
        let matched = pattern.matches(origin.authority());
        let (pattern_host, pattern_port) = match written.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
                (host, Some(port))
            }
            _ => (written, None),
        };
        let (own_host, own_port) = match origin.authority().strip_prefix(origin.host()) {
            Some(port) if !port.is_empty() => (origin.host(), Some(&port[1..])),
            _ => (origin.host(), None),
        };
        // To DNS, a dot at the end changes nothing.
        let own_host = own_host.strip_suffix('.').unwrap_or(own_host);
        let pattern_host = one_spelling(&pattern_host.to_ascii_lowercase());
        if matched {
            let is_host = match pattern_host.strip_prefix("*.") {
                Some(domain) => own_host.strip_suffix(domain).is_some_and(|before| before.ends_with('.')),
                None => own_host == pattern_host,
            };
            assert!(is_host, "{written:?} covers {}", origin.authority());
            let number = |port: &str| port.parse::<u16>().ok();
            let is_port = match (pattern_port.and_then(number), own_port.and_then(number)) {
                (None, _) => pattern_port.is_none(),
                (Some(wanted), Some(own)) => wanted == own,
                // Which of the two the scheme has is not known here.
                (Some(wanted), None) => matches!(wanted, 80 | 443),
            };
            assert!(is_port, "{written:?} covers {}", origin.authority());
        }
        shapes.push(shape(("pattern", matched)));
    }
    match CookieDomain::parse(written) {
        Ok(domain) => {
            let covered =
                Origin::parse(&format!("https://{host}")).ok().filter(|origin| domain.covers(origin.host()));
            if let Some(origin) = &covered {
                let name = written.trim_start_matches('.').to_ascii_lowercase();
                let is_below = origin.host() == name || origin.host().ends_with(&format!(".{name}"));
                assert!(is_below, "{written:?} covers {}", origin.host());
            }
            // No one shares cookies with everybody below a public suffix.
            for suffix in ["com", "co.uk", "github.io", "workers.dev", "pages.dev", "vercel.app"] {
                assert!(
                    !written.trim_matches('.').eq_ignore_ascii_case(suffix),
                    "{written:?} is a public suffix"
                );
            }
            shapes.push(shape(("domain", covered.is_some())));
        }
        Err(error) => shapes.push(error_shape(error)),
    }
    match ResourceIdentifier::parse(written) {
        Ok(resource) => {
            let browser = BrowserUrl::parse(written).expect("a browser reads it");
            assert_eq!(resource.as_str(), written);
            let exact = browser.as_str();
            assert!(
                exact == written || exact.strip_suffix('/') == Some(written),
                "{written:?} is {exact} to a browser"
            );
            assert!(
                browser.query().is_none() && browser.fragment().is_none() && browser.username().is_empty()
            );
            let segments: Vec<&str> =
                browser.path_segments().into_iter().flatten().filter(|it| !it.is_empty()).collect();
            assert_eq!(resource.segments(), segments);
            assert!(resource.audiences().contains(&written.to_owned()));
            shapes.push(shape(("resource", segments.len().min(4))));
        }
        Err(error) => shapes.push(error_shape(error)),
    }
    shape(shapes)
}
