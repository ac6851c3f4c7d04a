//! Addresses: where a browser is sent, and what a request asks for.

use serde_json::json;
use url::Url as BrowserUrl;
use vestibule_core::config::Config;
use vestibule_core::guard::path::CanonicalPath;
use vestibule_core::guard::readings::PathReadings;
use vestibule_core::http::origin::{CookieDomain, HostPattern, Origin};
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::http::return_to::{MAX_LENGTH, ReturnPolicy};
use vestibule_testing::{RUNTIME, environment};

use crate::input::{error_shape, first_line, shape, text};
use crate::obvious::paths;
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "return_address",
        about: "return addresses: a browser that follows one stays on a trusted origin",
        reads: &["http::return_to::ReturnPolicy::resolve"],
        run: return_address,
        slice: 3000,
    },
    Target {
        name: "request_path",
        about: "the path of a request: what servers make of it is among its readings",
        reads: &["guard::path::CanonicalPath::new"],
        run: request_path,
        slice: 3000,
    },
    Target {
        name: "server_readings",
        about: "a guarded page under every name that servers have for it: never public",
        reads: &["guard::rules::RuleSet::decide"],
        run: server_readings,
        slice: 1500,
    },
];

/// A return address.
fn return_address(input: &[u8]) -> Shape {
    let candidate = text(input);
    let trusted =
        ["*.trusted.example", "partner.example:8443"].map(|host| HostPattern::parse(host).expect("a host"));
    let domain = CookieDomain::parse("example.com").expect("a domain");
    let mut shapes = Vec::new();
    for (own, cookie_domain) in [
        ("https://app.example.com", Some(&domain)),
        ("https://app.example.com", None),
        ("http://localhost:3000", None),
    ] {
        let own_origin = Origin::parse(own).expect("an origin");
        let policy = ReturnPolicy { own_origin: &own_origin, trusted_hosts: &trusted, cookie_domain };
        let Some(url) = policy.resolve(&candidate) else {
            shapes.push((false, candidate.len().min(3)));
            continue;
        };
        let emitted = url.as_str();
        assert!(emitted.len() <= own.len().max(MAX_LENGTH) + 300, "{} bytes", emitted.len());
        assert!(
            emitted.bytes().all(|b| (0x21..0x7f).contains(&b)),
            "{emitted:?} does not fit into a header field"
        );
        // A browser reads it alike, whatever page it is on.
        let browser = BrowserUrl::parse(emitted).expect("a browser reads it");
        for base in ["https://evil.example/a/b", "http://localhost:3000/x"] {
            let base = BrowserUrl::parse(base).expect("a URL");
            assert_eq!(base.join(emitted).as_ref(), Ok(&browser), "{emitted}");
        }
        assert!(browser.username().is_empty() && browser.password().is_none(), "{emitted}");
        let host = browser.host_str().expect("a host");
        let is_own = browser.origin().ascii_serialization() == own;
        let is_of_domain =
            cookie_domain.is_some() && (host == "example.com" || host.ends_with(".example.com"));
        let is_trusted =
            host.ends_with(".trusted.example") || (host == "partner.example" && browser.port() == Some(8443));
        assert!(is_own || is_of_domain || is_trusted, "{candidate:?} leads to {emitted}");
        assert!(
            is_own || browser.scheme() == "https" || own.starts_with("http:"),
            "{candidate:?} leads to {emitted}"
        );
        assert!(!(candidate.starts_with('/') && browser.path().starts_with("//")), "{emitted}");
        // The browser would have gone to the same place by itself.
        let here = BrowserUrl::parse(own).expect("a URL");
        let followed = here.join(&candidate).expect("a browser follows it");
        // The crate `url` keeps `p|` and `p:` before `/..`, as if they were drives of Windows; browsers do not.
        let has_drive = candidate.replace(['\t', '\n', '\r'], "").split(['/', '\\']).any(
            |segment| matches!(segment.as_bytes(), [letter, b':' | b'|'] if letter.is_ascii_alphabetic()),
        );
        assert!(followed == browser || has_drive, "{candidate:?} is {followed}, and we say {browser}");
        assert_eq!(followed.origin(), browser.origin(), "{candidate:?}");
        assert_eq!(policy.resolve(emitted).as_ref(), Some(&url), "{emitted} is not accepted again");
        shapes.push((true, emitted.len().min(40)));
    }
    shape(shapes)
}

/// The path of a request.
fn request_path(input: &[u8]) -> Shape {
    let raw = text(input);
    let path = match CanonicalPath::new(&raw) {
        Ok(path) => path,
        Err(error) => return error_shape(error),
    };
    // A URL parser changes nothing of it.
    let url = BrowserUrl::parse(&format!("https://app.example.com{raw}")).expect("a browser reads it");
    assert_eq!(url.path(), raw);
    let written = paths::segments(&raw).expect("it decodes");
    assert_eq!(path.segments(), written);
    let readings: Vec<&[String]> = path.readings().collect();
    for segment in readings.iter().copied().flatten() {
        let is_ambiguous = |c: char| matches!(c, '/' | '\\') || c.is_control();
        assert!(
            !matches!(segment.as_str(), "" | "." | "..") && !segment.contains(is_ambiguous),
            "{segment:?}"
        );
    }
    assert!(readings.len() <= 32);
    // Every combination of habits, in the order in which proxies and servers apply them.
    let habits = [paths::decoded_again, paths::without_parameters, paths::cut];
    for combination in 0..8 {
        let mut read = written.clone();
        for (number, habit) in habits.iter().enumerate() {
            if combination & (1 << number) != 0 {
                read = habit(&read);
            }
        }
        assert!(readings.contains(&read.as_slice()), "{raw} is {read:?} to some server: {readings:?}");
    }
    shape((readings.len(), written.len().min(4)))
}

thread_local! {
    static GUARDED: Config = Config::load(
        json!({
            "default_access": "public",
            "providers": [{ "id": "acme", "type": "oidc", "issuer": "https://idp.example" }],
            "rules": [{ "match": ["/admin/:path*", "/((?!open).*)/secret"], "require": { "roles": ["admin"] } }],
            "claims": { "roles": "profile.roles" },
        }),
        &environment,
        &RUNTIME,
    )
    .unwrap_or_else(|errors| panic!("{errors}"));
}

/// The first line is a number that selects habits, the second one a path.
fn server_readings(input: &[u8]) -> Shape {
    let text = text(input);
    let (number, rest) = first_line(&text);
    let (raw, _) = first_line(rest);
    let (Ok(number), Some(url)) =
        (number.trim().parse::<u16>(), RequestUrl::parse(&format!("https://app.example.com{raw}")))
    else {
        return Shape::default();
    };
    let path = match CanonicalPath::new(&url.path) {
        Ok(path) => path,
        Err(error) => return error_shape(error),
    };
    let habits = [
        paths::decoded_again,
        paths::without_parameters,
        paths::cut,
        paths::file_names,
        paths::behind_script,
        paths::script,
        paths::data_file,
        paths::suffix,
        paths::index,
        paths::lower_case,
    ];
    let mut read = path.segments().to_vec();
    for (at, habit) in habits.iter().enumerate() {
        if number & (1 << at) != 0 {
            read = habit(&read);
        }
    }
    let is_admin = read.first().is_some_and(|first| first == "admin");
    let is_secret = read.len() >= 2
        && read.last().is_some_and(|last| last == "secret")
        && !read.iter().any(|segment| segment.starts_with("open"));
    GUARDED.with(|config| {
        let request =
            Request { method: Method::Get, url, headers: vestibule_core::http::headers::Headers::new() };
        let is_public = match config.rules.decide(&request, &path, &PathReadings::default()) {
            Ok(decisions) => decisions.is_public(),
            Err(_) => return shape("too much work"),
        };
        assert!(
            !is_public || !(is_admin || is_secret),
            "{raw} is public, and some server answers with /{}",
            read.join("/")
        );
        shape((is_public, is_admin, is_secret, number.count_ones()))
    })
}
