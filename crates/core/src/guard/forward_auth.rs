//! The original request of a forward-auth request, which another proxy describes in headers.
//!
//! Only an authenticated proxy may use it: any client can write these headers, and a proxy passes on those that it
//! does not write itself. So every header must be present, once and complete: one that the proxy does not set could
//! come from a client.

use thiserror::Error;

use crate::guard::headers::VERIFY_SECRET;
use vestibule_oidc::http::request::{Method, Request, RequestUrl};

/// The headers in which a proxy describes the original request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardAuthHeaders {
    /// `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`, which Traefik and Caddy set by default. These proxies send a
    /// denial to the browser unchanged.
    XForwarded,
    /// `X-Original-Method`, and `X-Original-URL` or `X-Original-URI`, which are configured for nginx. It accepts only
    /// 401 and 403 as denials.
    XOriginal,
    /// The request itself: Envoy's `ext_authz` asks with the original method, and with the original path below
    /// `BASE_PATH/verify`. The scheme and the host are in `X-Forwarded-Proto` and `-Host`, which are configured. It takes
    /// only 200 for permission, and sends a denial to the browser unchanged.
    Envoy,
}

/// The maximum length of a URL in bytes: networks in front of a runtime do not accept URLs of more than 16 KiB.
const MAX_URL: usize = 16 * 1024;

/// The maximum length of a method in bytes. The longest registered one has 17.
const MAX_METHOD: usize = 32;

const FORWARDED: [&str; 4] =
    ["x-forwarded-method", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri"];
const ORIGINAL: [&str; 3] = ["x-original-method", "x-original-url", "x-original-uri"];
const ENVOY: [&str; 2] = ["x-forwarded-proto", "x-forwarded-host"];

/// The original request that a forward-auth request describes. It has the same headers, without those of `fields` and
/// [`VERIFY_SECRET`].
pub fn original(
    auth_request: &Request,
    fields: ForwardAuthHeaders,
    base_path: &str,
) -> Result<Request, ForwardAuthError> {
    let (method, url, fields) = match fields {
        ForwardAuthHeaders::XForwarded => {
            (method(auth_request, "x-forwarded-method")?, forwarded_url(auth_request)?, &FORWARDED[..])
        }
        ForwardAuthHeaders::XOriginal => {
            (method(auth_request, "x-original-method")?, original_url(auth_request)?, &ORIGINAL[..])
        }
        ForwardAuthHeaders::Envoy => {
            (auth_request.method.clone(), url_below(auth_request, base_path)?, &ENVOY[..])
        }
    };
    let mut headers = auth_request.headers.clone();
    headers.retain(|name, _| !fields.contains(&name) && name != VERIFY_SECRET);
    Ok(Request { method, url, headers })
}

/// The path that Envoy asks about, as it was written: what follows `BASE_PATH/verify` in the request's path. `None` if the
/// path does not begin so.
pub fn path_below<'a>(auth_request: &'a Request, base_path: &str) -> Option<&'a str> {
    let rest = auth_request.url.path.strip_prefix(base_path)?.strip_prefix("/verify")?;
    rest.starts_with('/').then_some(rest)
}

/// Why the original request is unknown. The cause is the proxy's configuration, or a client's header that the proxy
/// passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ForwardAuthError {
    /// The header is missing.
    #[error("the header {0} is missing: configure the proxy to set it to {form}", form = form(.0))]
    Missing(&'static str),
    /// The header is repeated.
    #[error("the header {0} is repeated: configure the proxy to replace the client's header")]
    Repeated(&'static str),
    /// The header's value is invalid.
    #[error(
        "the header {0} has another form than the original request's: configure the proxy to set it to {form}", form = form(.0)
    )]
    Malformed(&'static str),
    /// Both headers are present, and one of them may come from a client.
    #[error(
        "X-Original-URL and X-Original-URI are both present: configure the proxy to set one and remove the other"
    )]
    UrlAndUri,
    /// The path of the request is not one below `BASE_PATH/verify`.
    #[error(
        "the path does not begin with BASE_PATH/verify/: write it as path_prefix, and let Envoy normalize paths"
    )]
    NoPath,
}

/// What a header has to be.
fn form(name: &str) -> &'static str {
    match name {
        "x-forwarded-method" | "x-original-method" => "its method, such as GET",
        "x-forwarded-proto" => "its scheme, https or http",
        "x-forwarded-host" => {
            "its host, with the port if it has one, such as app.example.com or app.example.com:8443"
        }
        "x-original-url" => {
            "its whole URL as the client has sent it, such as https://app.example.com/orders?page=2, in ASCII and without #"
        }
        _ => "its path and query as the client has sent them, such as /orders?page=2, in ASCII and without #",
    }
}

fn method(auth_request: &Request, name: &'static str) -> Result<Method, ForwardAuthError> {
    let method = single(auth_request, name)?;
    // RFC 9110 section 9.1. All registered methods consist of these characters.
    let is_method =
        method.len() <= MAX_METHOD && method.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    is_method.then(|| Method::new(method)).ok_or(ForwardAuthError::Malformed(name))
}

fn forwarded_url(auth_request: &Request) -> Result<RequestUrl, ForwardAuthError> {
    let origin = forwarded_origin(auth_request)?;
    let target = target(auth_request, "x-forwarded-uri")?;
    RequestUrl::parse(&format!("{origin}{target}")).ok_or(ForwardAuthError::Malformed("x-forwarded-host"))
}

fn url_below(auth_request: &Request, base_path: &str) -> Result<RequestUrl, ForwardAuthError> {
    let path = path_below(auth_request, base_path).ok_or(ForwardAuthError::NoPath)?;
    let origin = forwarded_origin(auth_request)?;
    let query = auth_request.url.query.as_deref().map_or(String::new(), |query| format!("?{query}"));
    RequestUrl::parse(&format!("{origin}{path}{query}"))
        .ok_or(ForwardAuthError::Malformed("x-forwarded-host"))
}

/// The scheme and the host of `X-Forwarded-Proto` and `-Host`.
fn forwarded_origin(auth_request: &Request) -> Result<String, ForwardAuthError> {
    let scheme = match single(auth_request, "x-forwarded-proto")? {
        // Some proxies send `wss` or `ws` for a WebSocket.
        "https" | "wss" => "https",
        "http" | "ws" => "http",
        _ => return Err(ForwardAuthError::Malformed("x-forwarded-proto")),
    };
    let host = single(auth_request, "x-forwarded-host")?;
    if host.contains(['/', '?', '#']) {
        return Err(ForwardAuthError::Malformed("x-forwarded-host"));
    }
    Ok(format!("{scheme}://{host}"))
}

fn original_url(auth_request: &Request) -> Result<RequestUrl, ForwardAuthError> {
    const URL: &str = "x-original-url";
    const URI: &str = "x-original-uri";
    match (auth_request.headers.contains(URL), auth_request.headers.contains(URI)) {
        (true, true) => Err(ForwardAuthError::UrlAndUri),
        (true, false) => {
            RequestUrl::parse(single(auth_request, URL)?).ok_or(ForwardAuthError::Malformed(URL))
        }
        // The host is that of the forward-auth request.
        (false, _) => {
            let target = target(auth_request, URI)?;
            RequestUrl::parse(&format!("{}{target}", auth_request.url.origin()))
                .ok_or(ForwardAuthError::Malformed(URI))
        }
    }
}

/// A request's target in origin form (RFC 9112 section 3.2.1).
fn target<'a>(auth_request: &'a Request, name: &'static str) -> Result<&'a str, ForwardAuthError> {
    single(auth_request, name)?
        .strip_prefix('/')
        .map_or(Err(ForwardAuthError::Malformed(name)), |_| single(auth_request, name))
}

/// The value of a header that is present once and has only characters that a URL may have. So it has no space: some
/// platforms join repeated headers with a comma and a space.
fn single<'a>(auth_request: &'a Request, name: &'static str) -> Result<&'a str, ForwardAuthError> {
    let mut values = auth_request.headers.get_all(name);
    let value = values.next().filter(|value| !value.is_empty()).ok_or(ForwardAuthError::Missing(name))?;
    if values.next().is_some() {
        return Err(ForwardAuthError::Repeated(name));
    }
    // Clients do not send fragments. Ignoring one would mean to authorize another URL than the proxy forwards.
    let is_plain = value.len() <= MAX_URL && value.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    if is_plain { Ok(value) } else { Err(ForwardAuthError::Malformed(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth_request(fields: &[(&str, &str)]) -> Request {
        let url = RequestUrl::parse("https://auth.example.com/auth/verify").unwrap();
        Request { method: Method::Get, url, headers: fields.iter().copied().collect() }
    }

    fn forwarded<'a>(changes: &[(&'a str, Option<&'a str>)]) -> Vec<(&'a str, &'a str)> {
        let mut fields = vec![
            ("x-forwarded-method", "POST"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.example.com"),
            ("x-forwarded-uri", "/a%2Fb?x=1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("cookie", "a=1"),
            (VERIFY_SECRET, "secret"),
        ];
        for (name, value) in changes {
            fields.retain(|(this, _)| this != name);
            fields.extend(value.map(|value| (*name, value)));
        }
        fields
    }

    #[test]
    fn the_original_request_has_the_method_and_url_of_the_proxys_headers() {
        let original =
            original(&auth_request(&forwarded(&[])), ForwardAuthHeaders::XForwarded, "/auth").unwrap();
        assert_eq!(original.method, Method::Post);
        assert_eq!(original.url, RequestUrl::parse("https://app.example.com/a%2Fb?x=1").unwrap());
        let names: Vec<_> = original.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x-forwarded-for", "cookie"]);

        for (fields, url) in [
            (
                [("x-original-url", "http://app.example.com:81/x?y"), ("x-original-method", "GET")],
                "http://app.example.com:81/x?y",
            ),
            (
                [("x-original-uri", "/x?y=//z"), ("x-original-method", "GET")],
                "https://auth.example.com/x?y=//z",
            ),
            // The check of the path rejects this later.
            (
                [("x-original-uri", "//evil/x"), ("x-original-method", "GET")],
                "https://auth.example.com//evil/x",
            ),
        ] {
            let original =
                super::original(&auth_request(&fields), ForwardAuthHeaders::XOriginal, "/auth").unwrap();
            assert_eq!(original.url, RequestUrl::parse(url).unwrap());
            assert_eq!(original.headers.iter().count(), 0);
        }
    }

    fn envoy(path: &str, fields: &[(&str, &str)]) -> Request {
        let url = RequestUrl::parse(&format!("https://auth.example.com{path}")).unwrap();
        Request { method: Method::new("PUT"), url, headers: fields.iter().copied().collect() }
    }

    #[test]
    fn for_envoy_the_original_request_is_what_follows_the_prefix() {
        let fields = [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.example.com"),
            ("x-forwarded-uri", "/about"),
            (VERIFY_SECRET, "secret"),
        ];
        for (path, url) in [
            ("/auth/verify/", "/"),
            ("/auth/verify/a%2Fb?x=/y", "/a%2Fb?x=/y"),
            ("/auth/verify/?", "/?"),
            ("/auth/verify/verify", "/verify"),
            // The check of the path rejects these later.
            ("/auth/verify//evil/x", "//evil/x"),
            ("/auth/verify/../x", "/../x"),
        ] {
            let original = original(&envoy(path, &fields), ForwardAuthHeaders::Envoy, "/auth").unwrap();
            assert_eq!(original.method, Method::new("PUT"));
            assert_eq!(original.url, RequestUrl::parse(&format!("https://app.example.com{url}")).unwrap());
            let names: Vec<_> = original.headers.iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["x-forwarded-uri"], "it is the client's");
        }
        for path in [
            "/auth/verify",
            "/auth/verify?x",
            "/auth/verifyx/y",
            "/Auth/verify/x",
            "/auth//verify/x",
            "/x",
            "/",
        ] {
            let error = original(&envoy(path, &fields), ForwardAuthHeaders::Envoy, "/auth").unwrap_err();
            assert_eq!(error, ForwardAuthError::NoPath, "{path}");
        }
        for missing in ENVOY {
            let fields: Vec<_> = fields.into_iter().filter(|(name, _)| *name != missing).collect();
            let error =
                original(&envoy("/auth/verify/x", &fields), ForwardAuthHeaders::Envoy, "/auth").unwrap_err();
            assert_eq!(error, ForwardAuthError::Missing(missing));
        }
    }

    #[test]
    fn trusted_forwarding_headers_that_are_missing_repeated_or_invalid_are_rejected() {
        use ForwardAuthError::{Malformed, Missing};
        let long = format!("/{}", "a".repeat(MAX_URL));
        for (name, value, error) in [
            ("x-forwarded-method", None, Missing("x-forwarded-method")),
            ("x-forwarded-method", Some(""), Missing("x-forwarded-method")),
            ("x-forwarded-method", Some("GET, POST"), Malformed("x-forwarded-method")),
            ("x-forwarded-method", Some("GET,POST"), Malformed("x-forwarded-method")),
            ("x-forwarded-method", Some("GET /about HTTP/1.1"), Malformed("x-forwarded-method")),
            ("x-forwarded-proto", None, Missing("x-forwarded-proto")),
            ("x-forwarded-proto", Some("HTTPS"), Malformed("x-forwarded-proto")),
            ("x-forwarded-proto", Some("https,http"), Malformed("x-forwarded-proto")),
            ("x-forwarded-proto", Some("https://evil.example/about?"), Malformed("x-forwarded-proto")),
            ("x-forwarded-host", None, Missing("x-forwarded-host")),
            ("x-forwarded-host", Some("app.example.com, evil.example"), Malformed("x-forwarded-host")),
            ("x-forwarded-host", Some("app.example.com,evil.example"), Malformed("x-forwarded-host")),
            ("x-forwarded-host", Some("app.example.com/about?"), Malformed("x-forwarded-host")),
            ("x-forwarded-host", Some("app.example.com?"), Malformed("x-forwarded-host")),
            ("x-forwarded-host", Some("app.example.com#"), Malformed("x-forwarded-host")),
            ("x-forwarded-host", Some("user@app.example.com"), Malformed("x-forwarded-host")),
            ("x-forwarded-host", Some("app.ex\u{e4}mple.com"), Malformed("x-forwarded-host")),
            ("x-forwarded-uri", None, Missing("x-forwarded-uri")),
            ("x-forwarded-uri", Some("about"), Malformed("x-forwarded-uri")),
            ("x-forwarded-uri", Some("https://app.example.com/about"), Malformed("x-forwarded-uri")),
            ("x-forwarded-uri", Some(".evil.example/"), Malformed("x-forwarded-uri")),
            ("x-forwarded-uri", Some("/about, /admin"), Malformed("x-forwarded-uri")),
            ("x-forwarded-uri", Some("/about#/admin"), Malformed("x-forwarded-uri")),
            ("x-forwarded-uri", Some("/about?x=1#"), Malformed("x-forwarded-uri")),
            ("x-forwarded-uri", Some("/\u{e9}"), Malformed("x-forwarded-uri")),
            ("x-forwarded-uri", Some(&long), Malformed("x-forwarded-uri")),
        ] {
            let auth_request = auth_request(&forwarded(&[(name, value)]));
            assert_eq!(
                original(&auth_request, ForwardAuthHeaders::XForwarded, "/auth").unwrap_err(),
                error,
                "{name}: {value:?}"
            );
        }
        for name in FORWARDED {
            let fields = forwarded(&[]);
            let twice = fields.iter().copied().find(|(this, _)| *this == name);
            let auth_request = auth_request(&[fields.as_slice(), twice.as_slice()].concat());
            assert_eq!(
                original(&auth_request, ForwardAuthHeaders::XForwarded, "/auth").unwrap_err(),
                ForwardAuthError::Repeated(name)
            );
        }
    }

    #[test]
    fn the_error_for_a_header_shows_an_example_of_its_form_which_is_accepted() {
        let accepted = |fields: &[(&'static str, &str)], headers| {
            for error in [ForwardAuthError::Missing, ForwardAuthError::Malformed] {
                for &(name, value) in fields {
                    let message = error(name).to_string();
                    assert!(
                        message.contains(name) && message.contains(&format!(" {value}")),
                        "{name}: {message}"
                    );
                }
            }
            original(&auth_request(fields), headers, "/auth").unwrap();
        };
        accepted(
            &[
                ("x-forwarded-method", "GET"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "app.example.com:8443"),
                ("x-forwarded-uri", "/orders?page=2"),
            ],
            ForwardAuthHeaders::XForwarded,
        );
        for url in [
            ("x-original-url", "https://app.example.com/orders?page=2"),
            ("x-original-uri", "/orders?page=2"),
        ] {
            accepted(&[("x-original-method", "GET"), url], ForwardAuthHeaders::XOriginal);
        }
    }

    #[test]
    fn header_smuggling_a_client_cannot_set_the_headers_that_the_proxy_forgot() {
        let (method, url, uri) = (
            ("x-original-method", "GET"),
            ("x-original-url", "https://app.example.com/"),
            ("x-original-uri", "/about"),
        );
        for (fields, error) in [
            (&[url][..], ForwardAuthError::Missing("x-original-method")),
            (&[method], ForwardAuthError::Missing("x-original-uri")),
            (&[method, url, uri], ForwardAuthError::UrlAndUri),
            (&[method, url, url], ForwardAuthError::Repeated("x-original-url")),
            (&[method, ("x_original_uri", "/about")], ForwardAuthError::Missing("x-original-uri")),
            (&[method, ("x-original-url", "/about")], ForwardAuthError::Malformed("x-original-url")),
            (&[method, ("x-original-url", "javascript:1")], ForwardAuthError::Malformed("x-original-url")),
            (
                &[method, ("x-original-url", "https://a@app.example.com/")],
                ForwardAuthError::Malformed("x-original-url"),
            ),
            (&[method, ("x-original-url", "https:///about")], ForwardAuthError::Malformed("x-original-url")),
        ] {
            assert_eq!(
                original(&auth_request(fields), ForwardAuthHeaders::XOriginal, "/auth").unwrap_err(),
                error,
                "{fields:?}"
            );
        }
    }
}
