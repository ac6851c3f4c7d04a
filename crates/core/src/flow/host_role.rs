//! A site may have several hosts that share one session. [`HostRole`] says which host signs users in, which hosts send
//! them there, which get sessions of their own from it, and which hosts are outside the cookie's domain.

use crate::config::Config;
use vestibule_oidc::http::origin::{CookieDomain, Origin, is_loopback};

/// The role of a request's host in the site's sign-ins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HostRole<'a> {
    /// The host signs users in.
    Login,
    /// The host shares the session of this login host, and sends users there to sign in.
    Member(&'a Origin),
    /// The host is outside the cookie's domain and gets sessions of its own from this login host.
    Preview(&'a Origin),
    /// The host is outside this domain: browsers neither accept the session's cookie from it nor send the cookie to it.
    Outside(&'a CookieDomain),
}

impl<'a> HostRole<'a> {
    pub(crate) fn of(config: &'a Config, origin: &Origin) -> Self {
        match (&config.cookie_domain, &config.login_url) {
            (Some(domain), login) if !domain.covers(origin.host()) => {
                if let Some(login) = login
                    && config.is_preview_host(origin)
                {
                    return Self::Preview(login);
                }
                // A developer runs the site's configuration on their own machine: that host does everything itself.
                let is_development = is_loopback(origin.host()) && !config.providers.is_empty();
                if is_development { Self::Login } else { Self::Outside(domain) }
            }
            // Another scheme or port is another origin, which is not registered at the providers.
            (_, Some(login)) if login != origin => Self::Member(login),
            _ => Self::Login,
        }
    }

    /// The name of the host in metrics. Hosts that anyone can make up are one.
    pub(crate) fn metric_name(self, origin: &Origin) -> String {
        match self {
            Self::Login | Self::Member(_) => origin.host(),
            Self::Preview(_) => "preview",
            Self::Outside(_) => "outside",
        }
        .to_owned()
    }
}
