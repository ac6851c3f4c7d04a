//! Several hosts, one session: which of them signs people in, which send people there, and which lie outside of
//! the cookie's domain and get nothing.

use serde_json::json;

use crate::config::Config;
use crate::flow::guard::protect;
use crate::flow::{Exchange, pages, with_parameters};
use crate::http::origin::{CookieDomain, Origin, is_loopback};
use crate::http::response::Response;
use crate::platform::{Level, Platform};

/// What the host that was asked is to the site's sign-ins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Standing<'a> {
    /// It signs people in.
    SignsIn,
    /// It shares the session of this one, and sends people there.
    SendsTo(&'a Origin),
    /// It is outside of this domain, so no browser takes the session's cookie from it, or brings it there.
    Foreign(&'a CookieDomain),
}

impl<'a> Standing<'a> {
    pub(crate) fn of(config: &'a Config, origin: &Origin) -> Self {
        match (&config.cookie_domain, &config.login_url) {
            (Some(domain), _) if !domain.covers(origin.host()) => {
                // A developer's own machine, with the site's configuration, is all of the site that there is.
                let is_at_home = is_loopback(origin.host()) && !config.providers.is_empty();
                if is_at_home { Self::SignsIn } else { Self::Foreign(domain) }
            }
            // Another scheme or port is another origin: its cookies are others, and no provider knows it.
            (_, Some(login)) if login != origin => Self::SendsTo(login),
            _ => Self::SignsIn,
        }
    }
}

/// The origin of the host that signs people in.
pub(crate) fn login_origin<P: Platform>(exchange: &Exchange<'_, P>) -> String {
    match exchange.standing {
        Standing::SendsTo(login) => login.as_str().to_owned(),
        Standing::SignsIn | Standing::Foreign(_) => exchange.request.url.origin(),
    }
}

/// An absolute URL of one of our routes on the host that signs people in: `login_route("signin")`.
pub(crate) fn login_route<P: Platform>(exchange: &Exchange<'_, P>, route: &str) -> String {
    format!("{}{}/{route}", login_origin(exchange), exchange.config().base_path)
}

/// The page on which people sign in, from which they come to `return_to`.
pub(crate) fn sign_in_page<P: Platform>(exchange: &Exchange<'_, P>, return_to: &str) -> String {
    let page = match &exchange.config().pages.sign_in {
        Some(page) => pages::absolute(exchange, page),
        None => login_route(exchange, "signin"),
    };
    with_parameters(&page, &[("callbackUrl", return_to)])
}

/// The address that was asked for, as one to come back to. Where people sign in on `https`, only `https` has their
/// session afterwards.
pub(crate) fn address<P: Platform>(exchange: &Exchange<'_, P>) -> String {
    let url = &exchange.request.url;
    match exchange.standing {
        Standing::SendsTo(login) if login.secure() && url.authority == url.host() => {
            format!("https://{}{}", url.authority, url.path_and_query())
        }
        _ => format!("{}{}", url.origin(), url.path_and_query()),
    }
}

/// The answer of a host on which nobody can be signed in: no redirect, nothing to sign in with, no session.
pub(crate) fn refuse<P: Platform>(exchange: &Exchange<'_, P>, domain: &CookieDomain) -> Response {
    let (host, domain) = (exchange.request.url.host(), domain.as_str());
    let message = format!(
        "{host} is outside of cookies.domain, {domain:?}, so nobody can sign in there: let the Worker's routes lead \
         there from hosts of {domain} only, give {host} a deployment of its own, or add a rule that makes public \
         what everybody may see there"
    );
    exchange.log(Level::Warn, "foreign_host", &message);
    if protect::is_navigation(exchange.request) {
        return pages::foreign(exchange);
    }
    Response::json(403, &json!({ "error": "foreign_host" })).with("cache-control", "private, no-store")
}
