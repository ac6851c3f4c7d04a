//! The request that another proxy asks about, as it tells of it in header fields.
//!
//! Only for a proxy that has proven who it is: anybody can write these fields, and a proxy passes on those that it
//! does not write itself. So every field must be there, once, and whole: what is missing may be a client's to say.

use thiserror::Error;

use crate::guard::headers::VERIFY_SECRET;
use vestibule_oidc::http::request::{Method, Request, RequestUrl};

/// The header fields in which a proxy tells of the request that it asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardAuthHeaders {
    /// `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`, as Traefik and Caddy write them by themselves. They pass
    /// a refusal on to the browser as it is.
    XForwarded,
    /// `X-Original-Method`, and `X-Original-URL` or `X-Original-URI`, as one writes them for nginx, which knows 401
    /// and 403 alone as refusals.
    XOriginal,
}

/// Longer URLs are refused: no network in front takes URLs of more than 16 KiB.
const MAX_URL: usize = 16 * 1024;

/// The longest registered method has 17 characters.
const MAX_METHOD: usize = 32;

const FORWARDED: [&str; 4] =
    ["x-forwarded-method", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri"];
const ORIGINAL: [&str; 3] = ["x-original-method", "x-original-url", "x-original-uri"];

/// The request that `asked` asks about, with the header fields that came along but for those that tell of it.
pub fn original(asked: &Request, fields: ForwardAuthHeaders) -> Result<Request, ForwardAuthError> {
    let (method, url, fields) = match fields {
        ForwardAuthHeaders::XForwarded => {
            (method(asked, "x-forwarded-method")?, forwarded_url(asked)?, &FORWARDED[..])
        }
        ForwardAuthHeaders::XOriginal => {
            (method(asked, "x-original-method")?, original_url(asked)?, &ORIGINAL[..])
        }
    };
    let mut headers = asked.headers.clone();
    headers.retain(|name, _| !fields.contains(&name) && name != VERIFY_SECRET);
    Ok(Request { method, url, headers })
}

/// Why it cannot be told which request is asked about. The proxy's configuration is to blame, or a client whose own
/// field went through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ForwardAuthError {
    /// The field is not there.
    #[error("{0} is missing: have the proxy set it")]
    Missing(&'static str),
    /// It came several times.
    #[error("{0} came more than once: have the proxy replace it")]
    Twice(&'static str),
    /// It says nothing that a request has.
    #[error("{0} is not what a request has there")]
    Malformed(&'static str),
    /// Two fields say the same, and one of them may be a client's.
    #[error("X-Original-URL and X-Original-URI came together: have the proxy set one and clear the other")]
    Both,
}

fn method(asked: &Request, name: &'static str) -> Result<Method, ForwardAuthError> {
    let method = one(asked, name)?;
    // RFC 9110 section 9.1; all that are registered are of these letters.
    let is_method =
        method.len() <= MAX_METHOD && method.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    is_method.then(|| Method::new(method)).ok_or(ForwardAuthError::Malformed(name))
}

fn forwarded_url(asked: &Request) -> Result<RequestUrl, ForwardAuthError> {
    let scheme = match one(asked, "x-forwarded-proto")? {
        // Some proxies say so where a WebSocket is opened.
        "https" | "wss" => "https",
        "http" | "ws" => "http",
        _ => return Err(ForwardAuthError::Malformed("x-forwarded-proto")),
    };
    let host = one(asked, "x-forwarded-host")?;
    if host.contains(['/', '?', '#']) {
        return Err(ForwardAuthError::Malformed("x-forwarded-host"));
    }
    let target = target(asked, "x-forwarded-uri")?;
    RequestUrl::parse(&format!("{scheme}://{host}{target}"))
        .ok_or(ForwardAuthError::Malformed("x-forwarded-host"))
}

fn original_url(asked: &Request) -> Result<RequestUrl, ForwardAuthError> {
    const URL: &str = "x-original-url";
    const URI: &str = "x-original-uri";
    match (asked.headers.contains(URL), asked.headers.contains(URI)) {
        (true, true) => Err(ForwardAuthError::Both),
        (true, false) => RequestUrl::parse(one(asked, URL)?).ok_or(ForwardAuthError::Malformed(URL)),
        // The host is the one at which we are asked.
        (false, _) => {
            let target = target(asked, URI)?;
            RequestUrl::parse(&format!("{}{target}", asked.url.origin()))
                .ok_or(ForwardAuthError::Malformed(URI))
        }
    }
}

/// A request's target in origin form (RFC 9112 section 3.2.1).
fn target<'a>(asked: &'a Request, name: &'static str) -> Result<&'a str, ForwardAuthError> {
    one(asked, name)?.strip_prefix('/').map_or(Err(ForwardAuthError::Malformed(name)), |_| one(asked, name))
}

/// The field's value, where it came once and has nothing in it that no URL has: some platforms join fields of one
/// name with a comma and a space.
fn one<'a>(asked: &'a Request, name: &'static str) -> Result<&'a str, ForwardAuthError> {
    let mut values = asked.headers.get_all(name);
    let value = values.next().filter(|value| !value.is_empty()).ok_or(ForwardAuthError::Missing(name))?;
    if values.next().is_some() {
        return Err(ForwardAuthError::Twice(name));
    }
    // A fragment is not sent; who would drop it would decide about less than was asked for.
    let is_plain = value.len() <= MAX_URL && value.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    if is_plain { Ok(value) } else { Err(ForwardAuthError::Malformed(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(fields: &[(&str, &str)]) -> Request {
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
    fn the_request_is_the_one_that_the_proxy_tells_of() {
        let original = original(&asked(&forwarded(&[])), ForwardAuthHeaders::XForwarded).unwrap();
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
            // It is for the path's own check to refuse this.
            (
                [("x-original-uri", "//evil/x"), ("x-original-method", "GET")],
                "https://auth.example.com//evil/x",
            ),
        ] {
            let original = super::original(&asked(&fields), ForwardAuthHeaders::XOriginal).unwrap();
            assert_eq!(original.url, RequestUrl::parse(url).unwrap());
            assert_eq!(original.headers.iter().count(), 0);
        }
    }

    #[test]
    fn trusted_forwarding_headers_that_are_not_whole_tell_nothing() {
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
            let asked = asked(&forwarded(&[(name, value)]));
            assert_eq!(
                original(&asked, ForwardAuthHeaders::XForwarded).unwrap_err(),
                error,
                "{name}: {value:?}"
            );
        }
        for name in FORWARDED {
            let fields = forwarded(&[]);
            let twice = fields.iter().copied().find(|(this, _)| *this == name);
            let asked = asked(&[fields.as_slice(), twice.as_slice()].concat());
            assert_eq!(
                original(&asked, ForwardAuthHeaders::XForwarded).unwrap_err(),
                ForwardAuthError::Twice(name)
            );
        }
    }

    #[test]
    fn header_smuggling_what_the_proxy_forgot_to_set_a_client_does_not_say_beside_it() {
        let (method, url, uri) = (
            ("x-original-method", "GET"),
            ("x-original-url", "https://app.example.com/"),
            ("x-original-uri", "/about"),
        );
        for (fields, error) in [
            (&[url][..], ForwardAuthError::Missing("x-original-method")),
            (&[method], ForwardAuthError::Missing("x-original-uri")),
            (&[method, url, uri], ForwardAuthError::Both),
            (&[method, url, url], ForwardAuthError::Twice("x-original-url")),
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
                original(&asked(fields), ForwardAuthHeaders::XOriginal).unwrap_err(),
                error,
                "{fields:?}"
            );
        }
    }
}
