//! Requests that another site's page makes a browser send (cross-site request forgery).
//!
//! A session cookie goes along with every request to its domain, also with those that a page of a sibling subdomain begins:
//! `SameSite=Lax` keeps only other sites out. Browsers say where a request comes from, in `Sec-Fetch-Site` (Fetch Metadata)
//! and `Origin` (RFC 6454 section 7), and no page can write these fields. RFC 10017 section 6.1.3.3 requires such a defence.

use thiserror::Error;

use vestibule_oidc::http::origin::{HostPattern, Origin, OriginError, is_loopback};
use vestibule_oidc::http::request::{Method, Request};

/// Origins whose pages may send requests with a session: an exact one, or every subdomain of a host over one scheme.
#[derive(Clone, Debug)]
pub enum TrustedOrigin {
    /// `https://app.example.com`
    Exact(Origin),
    /// `https://*.example.com`
    Subdomains {
        /// Whether the scheme is `https`.
        secure: bool,
        /// Which hosts.
        hosts: HostPattern,
        /// Whether the pattern names a port; without one it is the scheme's own.
        has_port: bool,
        /// Whether the hosts are this machine.
        is_loopback: bool,
    },
}

impl TrustedOrigin {
    /// Parses an origin, or one whose host begins with `*.`.
    ///
    /// # Errors
    /// For anything that is not `SCHEME://HOST[:PORT]`.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let Some((scheme, host)) = text.split_once("://*.") else {
            return Origin::parse(text).map(Self::Exact);
        };
        let secure = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(OriginError::NotBare),
        };
        let hosts = HostPattern::parse(&format!("*.{host}")).map_err(|_| OriginError::NotBare)?;
        let (has_port, is_loopback) =
            (host.contains(':'), is_loopback(host.split(':').next().unwrap_or_default()));
        Ok(Self::Subdomains { secure, hosts, has_port, is_loopback })
    }

    /// Whether it is one of `https`.
    pub fn secure(&self) -> bool {
        match self {
            Self::Exact(origin) => origin.secure(),
            Self::Subdomains { secure, .. } => *secure,
        }
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Exact(origin) => is_loopback(origin.host()),
            Self::Subdomains { is_loopback, .. } => *is_loopback,
        }
    }

    /// Whether `origin` is one of these.
    pub fn covers(&self, origin: &Origin) -> bool {
        match self {
            Self::Exact(exact) => exact == origin,
            Self::Subdomains { secure, hosts, has_port, .. } => {
                let has_its_port = *has_port || origin.authority() == origin.host();
                *secure == origin.secure() && has_its_port && hosts.matches(origin.authority())
            }
        }
    }
}

/// Where a browser says that a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestSource {
    /// From a page of the own origin or of a trusted one, from the person (a typed address, a bookmark), or from a client
    /// that is no browser and says nothing.
    Trusted,
    /// From another page: its origin, where the browser names it.
    CrossOrigin(Option<String>),
}

impl RequestSource {
    /// Where `request` comes from, at the own origin `own`.
    ///
    /// 1. `Sec-Fetch-Site: same-origin` or `none` is trusted.
    /// 2. `Origin` that is the own one, or trusted, is trusted.
    /// 3. A request with neither field is of no browser: every browser since 2020 sends at least `Origin` with every method
    ///    but GET and HEAD, and with a WebSocket's handshake.
    /// 4. All else is another page's: `same-site` and `cross-site`, an origin that is not trusted, `Origin: null`, a field
    ///    that came twice.
    pub fn of(request: &Request, own: &Origin, trusted: &[TrustedOrigin]) -> Self {
        let site = single(request, "sec-fetch-site");
        let origin = single(request, "origin");
        if matches!(site, Field::One("same-origin" | "none")) {
            return Self::Trusted;
        }
        if let Field::One(text) = origin
            && let Ok(origin) = Origin::parse(text)
            && (origin == *own || trusted.iter().any(|trusted| trusted.covers(&origin)))
        {
            return Self::Trusted;
        }
        match (site, origin) {
            (Field::Absent, Field::Absent) => Self::Trusted,
            (_, Field::One(text)) => {
                Self::CrossOrigin(Origin::parse(text).ok().map(|origin| origin.as_str().to_owned()))
            }
            _ => Self::CrossOrigin(None),
        }
    }
}

/// Another origin's page made a browser send the request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{} sent this request with the session of a user: add it to trusted_origins if its pages may do that",
    origin.as_deref().unwrap_or("a page of another origin, which the browser does not name,")
)]
pub struct CrossOriginError {
    /// The page's origin, where the browser names it.
    pub origin: Option<String>,
}

/// Whether a request may do something by itself: its method is not safe (RFC 9110 section 9.2.1), or it opens a WebSocket.
pub fn may_act(request: &Request) -> bool {
    let is_safe = matches!(request.method, Method::Get | Method::Head | Method::Options)
        || request.method.as_str() == "TRACE";
    !is_safe || request.opens_websocket()
}

/// A field that a browser sends once.
enum Field<'a> {
    Absent,
    One(&'a str),
    Several,
}

fn single<'a>(request: &'a Request, name: &'static str) -> Field<'a> {
    let mut values = request.headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Field::Absent,
        (Some(value), None) => Field::One(value),
        (Some(_), Some(_)) => Field::Several,
    }
}

#[cfg(test)]
mod tests {
    use vestibule_oidc::http::request::RequestUrl;

    use super::*;

    fn request(method: &str, fields: &[(&str, &str)]) -> Request {
        let url = RequestUrl::parse("https://app.example.com/transfer").unwrap();
        Request { method: Method::new(method), url, headers: fields.iter().copied().collect() }
    }

    fn source(fields: &[(&str, &str)]) -> RequestSource {
        let own = Origin::parse("https://app.example.com").unwrap();
        let trusted = [
            TrustedOrigin::parse("https://shop.example.com").unwrap(),
            TrustedOrigin::parse("https://*.apps.example.com").unwrap(),
        ];
        RequestSource::of(&request("POST", fields), &own, &trusted)
    }

    #[test]
    fn login_csrf_a_page_of_the_own_origin_a_trusted_one_and_no_browser_may_act() {
        for fields in [
            &[][..],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://app.example.com")],
            &[("origin", "https://app.example.com:443")],
            &[("origin", "https://shop.example.com"), ("sec-fetch-site", "same-site")],
            &[("origin", "https://a.apps.example.com"), ("sec-fetch-site", "same-site")],
            &[("origin", "https://app.example.com"), ("sec-fetch-site", "same-origin")],
            // Chrome says so of a form that was sent by way of a redirect from another site.
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        ] {
            assert_eq!(source(fields), RequestSource::Trusted, "{fields:?}");
        }
    }

    #[test]
    fn the_subdomains_of_a_host_are_those_of_http_or_of_https() {
        let is_secure = |text: &str| TrustedOrigin::parse(text).map(|origin| origin.secure()).ok();
        assert_eq!(is_secure("https://*.apps.example.com"), Some(true));
        assert_eq!(is_secure("http://*.apps.example.com"), Some(false));
        assert_eq!(is_secure("ftp://*.apps.example.com"), None);
    }

    #[test]
    fn an_origin_is_on_this_machine_with_or_without_its_subdomains() {
        let is_loopback = |text: &str| TrustedOrigin::parse(text).unwrap().is_loopback();
        for here in
            ["http://localhost:3000", "http://127.0.0.1", "http://*.localhost", "http://*.localhost:3000"]
        {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["https://app.example.com", "https://*.example.com", "https://*.example.com:3000"] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn cross_site_request_forgery_another_page_may_not_act() {
        let from = |origin: &str| RequestSource::CrossOrigin(Some(origin.to_owned()));
        let unknown = RequestSource::CrossOrigin(None);
        for (fields, expected) in [
            (
                &[("sec-fetch-site", "same-site"), ("origin", "https://blog.example.com")][..],
                from("https://blog.example.com"),
            ),
            (
                &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
                from("https://evil.example"),
            ),
            (&[("origin", "https://evil.example")], from("https://evil.example")),
            (&[("sec-fetch-site", "same-site")], unknown.clone()),
            (&[("sec-fetch-site", "cross-site")], unknown.clone()),
            (&[("sec-fetch-site", "anything")], unknown.clone()),
            (&[("sec-fetch-site", "")], unknown.clone()),
            (&[("origin", "null")], unknown.clone()),
            (&[("origin", "")], unknown.clone()),
            // Another scheme or port is another origin.
            (&[("origin", "http://app.example.com")], from("http://app.example.com")),
            (&[("origin", "https://app.example.com:8443")], from("https://app.example.com:8443")),
            (&[("origin", "http://a.apps.example.com")], from("http://a.apps.example.com")),
            (&[("origin", "https://a.apps.example.com:8443")], from("https://a.apps.example.com:8443")),
            (&[("origin", "https://apps.example.com")], from("https://apps.example.com")),
            (
                &[("origin", "https://app.example.com.evil.example")],
                from("https://app.example.com.evil.example"),
            ),
            // A field that came twice is believed neither time.
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], unknown.clone()),
            (&[("origin", "https://app.example.com"), ("origin", "https://evil.example")], unknown.clone()),
        ] {
            assert_eq!(source(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_request_acts_by_its_method_or_by_opening_a_connection() {
        for (method, fields, acts) in [
            ("GET", &[][..], false),
            ("HEAD", &[], false),
            ("OPTIONS", &[], false),
            ("TRACE", &[], false),
            ("POST", &[], true),
            ("PUT", &[], true),
            ("DELETE", &[], true),
            ("PROPFIND", &[], true),
            ("GET", &[("upgrade", "websocket")], true),
        ] {
            assert_eq!(may_act(&request(method, fields)), acts, "{method} {fields:?}");
        }
    }
}
