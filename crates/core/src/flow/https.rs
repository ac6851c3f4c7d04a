//! Plain http in production, and proxies that end TLS. On http a session's cookie has another name and no protection, so a
//! person who arrives there goes to https.
//!
//! Behind a proxy that ends TLS every request looks like plain http, and such a redirect would never end. So it is sent
//! only if nothing shows that the browser itself uses https, and it carries a cookie that only a browser on https keeps.

use crate::flow::RequestContext;
use crate::flow::responses::with_cookies;
use crate::flow::vestibule::Vestibule;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::session::names::CookieNames;
use std::time::Duration;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::origin::{is_loopback, is_private};
use vestibule_oidc::http::request::{Method, Request};
use vestibule_oidc::http::response::Response;

/// How long the browser keeps the cookie that shows that it uses https.
const MARKER_LIFETIME: Duration = Duration::from_mins(1);

impl Vestibule {
    /// The request as the browser sent it, where a proxy in front ends TLS or changes the host: at `origin`, or at the
    /// scheme of `login_url`. All hosts of a site whose `login_url` is https are on https, because its session is. What
    /// arrives for the host of `login_url` is at its port, because the port of plain http is the proxy's own, or left out.
    pub(crate) fn as_sent(&self, mut request: Request) -> Request {
        let url = &mut request.url;
        if let Some(origin) = &self.config.origin {
            url.secure = origin.secure();
            origin.authority().clone_into(&mut url.authority);
            return request;
        }
        self.at_scheme_of_site(request)
    }

    /// The request at the scheme of `login_url`, which a proxy in front of another proxy does not know either.
    pub(crate) fn at_scheme_of_site(&self, mut request: Request) -> Request {
        let url = &mut request.url;
        if let Some(login) = &self.config.login_url
            && login.secure()
            && !url.secure
            && !is_loopback(url.host())
        {
            url.secure = true;
            if url.host() == login.host() {
                login.authority().clone_into(&mut url.authority);
            }
        }
        request
    }

    /// The redirect to the same address on https, for a person who came to a public host over plain http.
    pub(crate) fn to_https(&self, request: &Request) -> Option<Response> {
        let url = &request.url;
        let is_plain = !url.secure && self.config.origin.is_none() && !is_private(url.host());
        // On another port than the usual one it is unknown which port has https.
        let has_usual_port = || url.authority == url.host();
        let is_person = || matches!(request.method, Method::Get | Method::Head) && request.is_navigation();
        if !is_plain || !has_usual_port() || !is_person() || shows_https(request) {
            return None;
        }
        let config = &self.config;
        let name = CookieNames::https(&config.cookie_naming, config.dialect);
        let cookie = SetCookie::new(name, "1").max_age(MARKER_LIFETIME);
        let address = format!("https://{}{}", url.authority, url.path_and_query());
        Some(with_cookies(Response::redirect(address), vec![cookie]))
    }
}

impl<P: Platform> RequestContext<'_, P> {
    /// Says in the log that the provider will not accept the redirect URI of a sign-in, because a proxy in front ends TLS
    /// and no key says so.
    pub(crate) fn check_scheme(&self) {
        if self.origin.secure() || !shows_https(self.request) || is_secure_here(self.request) {
            return;
        }
        let arrived = self.origin.as_str();
        let message = format_args!(
            "the browser uses https, and the request arrived as {arrived}: a proxy in front ends TLS. Write origin = \
             \"https://HOST\" with the host that browsers see; otherwise the redirect URI and the cookies are those of http"
        );
        self.log(Record::new(LogEvent::TlsEndsInFront, message));
    }
}

/// Whether the request shows that the browser uses https. Nothing is permitted because of it: a client that lies gets a
/// page over http that it asked for over http.
fn shows_https(request: &Request) -> bool {
    let headers = &request.headers;
    let says = |name: &str, word: &str| {
        headers.get(name).is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    let has_secure_cookie = headers
        .get_all("cookie")
        .flat_map(|field| field.split(';'))
        .any(|pair| pair.trim_start().starts_with("__Host-") || pair.trim_start().starts_with("__Secure-"));
    // Browsers send these fields to https and to this machine only (Fetch Metadata Request Headers section 4).
    ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"].into_iter().any(|name| headers.contains(name))
        || says("x-forwarded-proto", "https")
        || says("forwarded", "proto=https")
        || says("cf-visitor", "https")
        || has_secure_cookie
}

/// Whether the browser can be on this machine, where it sends those fields over http too.
fn is_secure_here(request: &Request) -> bool {
    is_loopback(request.url.host()) && !request.headers.contains("x-forwarded-proto")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_oidc::http::headers::Headers;
    use vestibule_oidc::http::request::RequestUrl;

    #[test]
    fn on_this_machine_only_a_proxy_in_front_shows_that_the_browser_uses_https() {
        for (url, fields, is_here) in [
            ("http://localhost:8787/", &[][..], true),
            ("http://127.0.0.1:8787/", &[("sec-fetch-mode", "navigate")], true),
            ("http://app.localhost/", &[], true),
            ("http://localhost:8787/", &[("x-forwarded-proto", "https")], false),
            ("http://app.example.com/", &[], false),
        ] {
            let request = Request {
                method: Method::Get,
                url: RequestUrl::parse(url).unwrap(),
                headers: fields.iter().copied().collect::<Headers>(),
            };
            assert_eq!(is_secure_here(&request), is_here, "{url} {fields:?}");
        }
    }
}
