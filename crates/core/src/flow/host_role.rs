//! Several hosts, one session: which of them signs people in, which send people there, and which lie outside of
//! the cookie's domain and get nothing.

use crate::config::Config;
use vestibule_oidc::http::origin::{CookieDomain, Origin, is_loopback};

/// What the host that was asked is to the site's sign-ins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HostRole<'a> {
    /// It signs people in.
    Login,
    /// It shares the session of this one, and sends people there.
    Member(&'a Origin),
    /// It is outside of this domain, so no browser takes the session's cookie from it, or brings it there.
    Outside(&'a CookieDomain),
}

impl<'a> HostRole<'a> {
    pub(crate) fn of(config: &'a Config, origin: &Origin) -> Self {
        match (&config.cookie_domain, &config.login_url) {
            (Some(domain), _) if !domain.covers(origin.host()) => {
                // A developer's own machine, with the site's configuration, is all of the site that there is.
                let is_at_home = is_loopback(origin.host()) && !config.providers.is_empty();
                if is_at_home { Self::Login } else { Self::Outside(domain) }
            }
            // Another scheme or port is another origin: its cookies are others, and no provider knows it.
            (_, Some(login)) if login != origin => Self::Member(login),
            _ => Self::Login,
        }
    }
}
