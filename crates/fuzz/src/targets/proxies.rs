//! What proxies and browsers say of a request in its header fields.

use url::Url as BrowserUrl;
use vestibule_core::guard::cors;
use vestibule_core::guard::cross_origin::{RequestSource, TrustedOrigin};
use vestibule_core::guard::forward_auth::{self, ForwardAuthHeaders};
use vestibule_core::guard::headers::{EdgeFields, GuardedNames, Outgoing, SessionCookies, VERIFY_SECRET};
use vestibule_core::guard::hops;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::origin::Origin;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::texts::preferred;

use crate::input::{check_line, error_shape, first_line, shape, text};
use crate::{Shape, Target, obvious};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "forward_auth",
        about: "the request that a proxy asks about: what one complete set of its header fields says, once each",
        reads: &[
            "guard::forward_auth::original",
            "guard::forward_auth::path_below",
            "http::request::RequestUrl::parse",
        ],
        run: asked_about,
        slice: 1500,
    },
    Target {
        name: "forwarded_fields",
        about: "the header fields of a forwarded request: none of a client's that a proxy or this site writes",
        reads: &[
            "guard::headers::Outgoing::changes",
            "guard::headers::EdgeFields::client_address",
            "guard::hops::next",
        ],
        run: forwarded,
        slice: 1500,
    },
    Target {
        name: "request_source",
        about: "Origin and Sec-Fetch-Site, against a browser's URL parser and the exact list of trusted origins",
        reads: &[
            "guard::cross_origin::RequestSource::of",
            "guard::cross_origin::TrustedOrigin::parse",
            "guard::cors::reader",
            "http::origin::Origin::parse",
        ],
        run: source,
        slice: 1500,
    },
    Target {
        name: "languages",
        about: "Accept-Language and ui_locales, against an obvious parser",
        reads: &["texts::preferred::of_accept_language", "texts::preferred::of_ui_locales"],
        run: languages,
        slice: 1500,
    },
];

/// Lines `NAME: VALUE`, as a runtime would let them through.
fn fields(lines: &str) -> Vec<(String, String)> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let is_name = !name.is_empty() && name.bytes().all(is_token);
        let value = value.trim();
        (is_name && !value.contains(char::is_control)).then(|| (name.to_ascii_lowercase(), value.to_owned()))
    };
    lines.split('\n').filter_map(field).take(60).collect()
}

fn request(method: &str, url: &str, fields: &[(String, String)]) -> Option<Request> {
    Some(Request {
        method: Method::new(method),
        url: RequestUrl::parse(url)?,
        headers: fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
    })
}

/// The first line is the target of the request to `BASE_PATH/verify`, the others are its header fields.
fn asked_about(input: &[u8]) -> Shape {
    let text = text(input);
    let (target, lines) = first_line(&text);
    let fields = fields(lines);
    let Some(asking) = request("GET", &format!("https://app.example.com{target}"), &fields) else {
        return Shape::default();
    };
    let all =
        |name: &str| fields.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
    let only = |name: &str| match all(name).as_slice() {
        [one] => Some((*one).to_owned()),
        _ => None,
    };
    let mut shapes = Vec::new();
    for (kind, name) in [
        (ForwardAuthHeaders::XForwarded, "x-forwarded-"),
        (ForwardAuthHeaders::XOriginal, "x-original-"),
        (ForwardAuthHeaders::Envoy, "envoy"),
    ] {
        let original = match forward_auth::original(&asking, kind, "/auth") {
            Ok(original) => original,
            Err(error) => {
                check_line(&error.to_string());
                shapes.push(error_shape(error));
                continue;
            }
        };
        let from_proxy = kind != ForwardAuthHeaders::Envoy;
        if from_proxy {
            assert_eq!(Some(original.method.as_str().to_owned()), only(&format!("{name}method")));
        } else {
            assert_eq!(original.method, asking.method);
        }
        // What follows the host is what was written, byte for byte.
        let written = original.url.path_and_query();
        let scheme = |said: &str| match said {
            "wss" | "https" => "https",
            _ => "http",
        };
        let expected = match kind {
            ForwardAuthHeaders::XForwarded => only("x-forwarded-uri"),
            ForwardAuthHeaders::Envoy => {
                asking.url.path_and_query().strip_prefix("/auth/verify").map(str::to_owned)
            }
            ForwardAuthHeaders::XOriginal => match (only("x-original-url"), only("x-original-uri")) {
                (Some(url), None) => {
                    let behind = url
                        .split_once("://")
                        .expect("a URL")
                        .1
                        .split('#')
                        .next()
                        .unwrap_or_default()
                        .to_owned();
                    let at = behind.find(['/', '?']).unwrap_or(behind.len());
                    let rest = &behind[at..];
                    Some(if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") })
                }
                (None, Some(uri)) => Some(uri),
                other => panic!("{other:?}"),
            },
        };
        let expected = expected.expect("it is there once");
        let expected = expected.split('#').next().unwrap_or_default();
        assert_eq!(written, expected, "{kind:?}");
        if kind != ForwardAuthHeaders::XOriginal {
            let (proto, host) = (only("x-forwarded-proto"), only("x-forwarded-host"));
            let host = host.expect("once");
            assert_eq!(
                original.url.origin(),
                format!("{}://{}", scheme(&proto.expect("once")), host.to_ascii_lowercase())
            );
        }
        // A browser finds the same host there.
        if let Ok(browser) = BrowserUrl::parse(&format!("{}{}", original.url.origin(), original.url.path)) {
            assert!(browser.username().is_empty() && browser.password().is_none());
            let host = browser.host_str().unwrap_or_default();
            let is_number = host.starts_with('[') || host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            assert!(is_number || host == original.url.host(), "{host} and {}", original.url.host());
        }
        // What describes the request to us is not a part of it.
        assert!(!original.headers.contains(VERIFY_SECRET));
        for (name, _) in original.headers.iter() {
            let is_ours = from_proxy
                && matches!(
                    name.strip_prefix(name_of(kind)),
                    Some("method" | "proto" | "host" | "uri" | "url")
                );
            // No proxy sets these for this purpose.
            let is_of_none = match kind {
                ForwardAuthHeaders::XOriginal => matches!(name, "x-original-proto" | "x-original-host"),
                _ => name == "x-forwarded-url",
            };
            assert!(!is_ours || is_of_none, "{name} stays");
        }
        let kept = fields.iter().filter(|(name, _)| !name.starts_with("x-")).count();
        assert_eq!(original.headers.iter().filter(|(name, _)| !name.starts_with("x-")).count(), kept);
        shapes.push(shape((name, original.url.secure, original.url.query.is_some())));
    }
    shape(shapes)
}

fn name_of(kind: ForwardAuthHeaders) -> &'static str {
    if kind == ForwardAuthHeaders::XForwarded { "x-forwarded-" } else { "x-original-" }
}

const EDGE: EdgeFields = EdgeFields {
    prefix: Some("cf-"),
    headers: &["cf-connecting-ip", "cf-ray"],
    client_address: Some("cf-connecting-ip"),
    request_id: Some("cf-ray"),
};

/// Header fields of a client, and of the network in front.
fn forwarded(input: &[u8]) -> Shape {
    let text = text(input);
    let fields = fields(&text);
    let Some(client) = request("GET", "https://app.example.com/page", &fields) else {
        return Shape::default();
    };
    let guarded = GuardedNames::new(["x-user-email"], EDGE);
    let set = [("x-user-email".to_owned(), "bob@example.com".to_owned())];
    let outgoing = Outgoing {
        guarded: &guarded,
        sets_authorization: text.len().is_multiple_of(2),
        forward_session: false,
        methods_matter: true,
        session: SessionCookies::default(),
        set: &set,
        cookies: &[],
    };
    let arrived: Headers = outgoing.changes(&client).applied_to(&client.headers);
    // As a server sees it that turns names into variables.
    let variable = |name: &str| {
        name.chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect::<String>()
    };
    let only_address = match client.headers.get_all("cf-connecting-ip").collect::<Vec<_>>().as_slice() {
        [one] => one.parse::<std::net::IpAddr>().ok().map(|_| (*one).to_owned()),
        _ => None,
    };
    for (name, value) in arrived.iter() {
        let seen = variable(name);
        let ours = match seen.as_str() {
            "x-user-email" => Some("bob@example.com".to_owned()),
            "x-forwarded-host" => Some("app.example.com".to_owned()),
            "x-forwarded-proto" => Some("https".to_owned()),
            "x-forwarded-for" | "x-real-ip" => {
                Some(only_address.clone().unwrap_or_else(|| panic!("a client's {name}: {value}")))
            }
            _ => None,
        };
        if let Some(ours) = ours {
            assert_eq!((name, value), (seen.as_str(), ours.as_str()), "a client's field in place of ours");
            assert_eq!(arrived.get_all(name).count(), 1, "{name}");
            continue;
        }
        let is_told = ["x-forwarded-", "x-original-", "x-rewrite-", "x-envoy-"]
            .iter()
            .any(|begin| seen.starts_with(begin));
        let is_address = [
            "forwarded",
            "x-forwarded",
            "true-client-ip",
            "client-ip",
            "x-client-ip",
            "x-remote-addr",
            "x-http-method-override",
        ]
        .contains(&seen.as_str());
        assert!(!is_told && !is_address, "{name} of a client is forwarded");
        assert!(!seen.starts_with("cf-") || EDGE.headers.contains(&name), "{name} is not the network's");
        let is_hop = ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "proxy-connection"]
            .contains(&seen.as_str());
        assert!(!is_hop, "{name} is forwarded");
        assert!(seen != "authorization" || !outgoing.sets_authorization, "a client's Authorization");
    }
    // All else arrives as it was sent.
    let plain = |headers: &Headers| headers.get_all("accept").map(str::to_owned).collect::<Vec<_>>();
    let is_named = fields
        .iter()
        .any(|(name, value)| name == "connection" && value.to_ascii_lowercase().contains("accept"));
    assert!(is_named || plain(&arrived) == plain(&client.headers));
    let hops = hops::next(&client);
    if let Some(hops) = &hops {
        // With its own mark a request does not pass again.
        let again = [(hops::HEADER.to_owned(), hops.clone())];
        let again = request("GET", "https://app.example.com/page", &again).expect("a request");
        assert_eq!(hops::next(&again), None, "{hops}");
        assert!(hops.split(',').count() <= 16);
    }
    shape((arrived.iter().count().min(12), only_address.is_some(), hops.is_some()))
}

/// The first line is `Sec-Fetch-Site`, the second one `Origin`; each is left out where it is empty, and is twice where it
/// ends with `!`.
fn source(input: &[u8]) -> Shape {
    let text = text(input);
    let (site, rest) = first_line(&text);
    let (origin, _) = first_line(rest);
    let mut sent = Vec::new();
    for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
        let count = if value.is_empty() { 0 } else { 1 + usize::from(value.ends_with('!')) };
        let value = value.strip_suffix('!').unwrap_or(value);
        sent.extend((0..count).map(|_| (name.to_owned(), value.to_owned())));
    }
    let own = Origin::parse("https://app.example.com").expect("an origin");
    let trusted = ["https://partner.example", "https://*.trusted.example", "http://*.plain.example:8080"];
    let trusted: Vec<TrustedOrigin> =
        trusted.iter().map(|text| TrustedOrigin::parse(text).expect("an origin")).collect();
    let Some(request) = request("POST", "https://app.example.com/page", &sent) else {
        return Shape::default();
    };
    let values =
        |name: &str| sent.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
    let (sites, origins) = (values("sec-fetch-site"), values("origin"));
    let is_listed = |origin: &str| {
        // A browser writes an origin in ASCII, with nothing encoded.
        let Ok(url) = BrowserUrl::parse(if origin.is_ascii() && !origin.contains('%') { origin } else { "" })
        else {
            return false;
        };
        let origin_of_url = url.origin().ascii_serialization();
        // With a dot behind it, it is the same name for DNS.
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        // Hosts with an empty label have no address.
        let has_empty_label = host.starts_with('.') || host.contains("..");
        let is_bare = origin_of_url == origin && host.bytes().all(is_name) && !has_empty_label;
        is_bare
            && (origin == "https://app.example.com"
                || origin == "https://partner.example"
                || (url.scheme() == "https" && url.port().is_none() && host.ends_with(".trusted.example"))
                || (url.scheme() == "http" && url.port() == Some(8080) && host.ends_with(".plain.example")))
    };
    let found = RequestSource::of(&request, &own, &trusted);
    let says_own = matches!(sites.as_slice(), ["same-origin" | "none"]);
    let says_nothing = sites.is_empty() && origins.is_empty();
    let is_trusted = says_own || says_nothing || matches!(origins.as_slice(), [one] if is_listed(one));
    if found == RequestSource::Trusted {
        let is_spelled_otherwise =
            matches!(origins.as_slice(), [one] if Origin::parse(one).is_ok_and(|it| is_listed(it.as_str())));
        assert!(is_trusted || is_spelled_otherwise, "{sites:?} {origins:?}");
    } else {
        assert!(!is_trusted, "{sites:?} {origins:?}");
    }
    // Only a trusted page of another origin may read an answer.
    let reader = cors::reader(&request, &own, &trusted);
    if let Some(reader) = &reader {
        assert!(is_listed(reader.as_str()), "{} may read", reader.as_str());
    }
    if let RequestSource::CrossOrigin(Some(named)) = &found {
        assert!(named.bytes().all(|b| b.is_ascii_graphic()), "{named:?}");
    }
    let kind = match Origin::parse(origin) {
        Ok(_) => shape("an origin"),
        Err(error) => error_shape(error),
    };
    shape((found == RequestSource::Trusted, reader.is_some(), sites.len(), origins.len(), kind))
}

/// The first line is `Accept-Language`, the second one `ui_locales`.
fn languages(input: &[u8]) -> Shape {
    let text = text(input);
    let (accept, rest) = first_line(&text);
    let (locales, _) = first_line(rest);
    let found = preferred::of_accept_language(accept);
    for tag in &found {
        assert!(preferred::is_tag(tag) && tag.len() <= 35, "{tag:?}");
    }
    if accept.len() <= 500 && accept.split(',').count() <= 20 {
        assert_eq!(found, obvious::languages(accept), "{accept:?}");
    }
    let of_locales = preferred::of_ui_locales(locales);
    assert!(of_locales.iter().all(|tag| preferred::is_tag(tag)) && of_locales.len() <= 20);
    let written: Vec<&str> = locales.split(' ').filter(|tag| !tag.is_empty()).collect();
    assert!(of_locales.is_empty() || of_locales == written);
    shape((found.len().min(6), of_locales.len().min(6)))
}
