//! Which pages of other origins may read Vestibule's own responses (Fetch Standard, "CORS protocol").
//!
//! It is never about a response of an upstream: that is for the upstream to say.

use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::response::Response;

use crate::guard::cross_origin::TrustedOrigin;

/// The origin of another page that sent `request`, if its scripts may read the response: it is in `trusted` itself, not
/// by a wildcard, and of the same site as the own origin. From another site the browser sends no session.
pub fn reader(request: &Request, own: &Origin, trusted: &[TrustedOrigin]) -> Option<Origin> {
    let mut sent = request.headers.get_all("origin");
    let (Some(text), None) = (sent.next(), sent.next()) else { return None };
    let origin = Origin::parse(text).ok().filter(|origin| origin.as_str() == text && origin != own)?;
    let is_exact =
        |trusted: &TrustedOrigin| matches!(trusted, TrustedOrigin::Exact(exact) if *exact == origin);
    (trusted.iter().any(is_exact) && origin.is_same_site(own)).then_some(origin)
}

/// The same response, which the scripts of `reader` may read. A response that can be read by some depends on `Origin`,
/// also where this request has none.
pub fn readable(mut response: Response, reader: Option<&Origin>) -> Response {
    response.headers.append("vary", "Origin");
    if let Some(origin) = reader {
        response.headers.set("access-control-allow-origin", origin.as_str());
        response.headers.set("access-control-allow-credentials", "true");
        if response.headers.contains("retry-after") {
            response.headers.set("access-control-expose-headers", "Retry-After");
        }
    }
    response
}

/// The answer to a preflight: the page may send GET with these header fields.
pub fn preflight(reader: &Origin, headers: &str) -> Response {
    readable(Response::empty(204), Some(reader))
        .with("access-control-allow-methods", "GET")
        .with("access-control-allow-headers", headers)
        .with("access-control-max-age", "600")
        .with("cache-control", "private, no-store")
}

#[cfg(test)]
mod tests {
    use vestibule_oidc::http::request::{Method, RequestUrl};

    use super::*;

    fn reader_of(own: &str, origins: &[&str]) -> Option<String> {
        let trusted: Vec<TrustedOrigin> = [
            "https://app.example.com",
            "https://app.example.com:8443",
            "https://*.apps.example.com",
            "https://partner.example.org",
            "https://one.pages.dev",
            "http://localhost:3000",
        ]
        .map(|text| TrustedOrigin::parse(text).unwrap())
        .into();
        let request = Request {
            method: Method::Get,
            url: RequestUrl::parse(own).unwrap(),
            headers: origins.iter().map(|origin| ("origin", *origin)).collect(),
        };
        reader(&request, &Origin::parse(own).unwrap(), &trusted).map(|origin| origin.as_str().to_owned())
    }

    #[test]
    fn cross_origin_reads_an_exact_trusted_origin_of_the_same_site_may_read() {
        for (own, origin) in [
            ("https://api.example.com", "https://app.example.com"),
            ("https://api.example.com", "https://app.example.com:8443"),
            ("https://example.com", "https://app.example.com"),
            ("http://localhost:8787", "http://localhost:3000"),
        ] {
            assert_eq!(reader_of(own, &[origin]).as_deref(), Some(origin), "{own}");
        }
    }

    #[test]
    fn cross_origin_reads_no_other_page_may_read() {
        for (own, origins) in [
            ("https://api.example.com", &[][..]),
            ("https://api.example.com", &["null"]),
            ("https://api.example.com", &[""]),
            ("https://api.example.com", &["*"]),
            // A wildcard is about requests only.
            ("https://api.example.com", &["https://a.apps.example.com"]),
            // Other schemes, ports and hosts.
            ("https://api.example.com", &["http://app.example.com"]),
            ("https://api.example.com", &["https://app.example.com:444"]),
            ("https://api.example.com", &["https://evil.example.com"]),
            ("https://api.example.com", &["https://app.example.com.evil.example"]),
            // Not as a browser writes it.
            ("https://api.example.com", &["https://app.example.com/"]),
            ("https://api.example.com", &["https://app.example.com:443"]),
            ("https://api.example.com", &["HTTPS://app.example.com"]),
            ("https://api.example.com", &["https://app.example.com https://evil.example"]),
            ("https://api.example.com", &["https://app.example.com", "https://app.example.com"]),
            // Another site, also one that shares a public suffix.
            ("https://api.example.com", &["https://partner.example.org"]),
            ("https://two.pages.dev", &["https://one.pages.dev"]),
            ("http://api.example.com", &["https://app.example.com"]),
            // The own origin needs none of it.
            ("https://app.example.com", &["https://app.example.com"]),
        ] {
            assert_eq!(reader_of(own, origins), None, "{own} {origins:?}");
        }
    }
}
