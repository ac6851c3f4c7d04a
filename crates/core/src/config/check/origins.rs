//! The other origins whose pages may send requests with a session, and read the responses.

use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use crate::guard::cross_origin::TrustedOrigin;
use crate::session::policy::SessionConfig;
use vestibule_oidc::http::origin::{EndpointError, HostPatternError, Origin, is_loopback, is_same_site_host};

/// The origins whose pages may send requests with a session. `own_host` is a host of this site, or the cookie domain, if
/// the configuration names one.
pub(super) fn trusted_origins(auth: &Table<'_>, own_host: Option<&str>) -> Vec<TrustedOrigin> {
    let mut trusted = Vec::new();
    for text in auth.texts("trusted_origins") {
        match TrustedOrigin::parse(text.text) {
            Ok(origin) if !origin.secure() && !origin.is_loopback() => {
                text.refuse_because(&EndpointError::Insecure);
            }
            Ok(TrustedOrigin::Subdomains { hosts, .. }) if hosts.covers_several_sites() => {
                text.refuse_because(&HostPatternError::TooWide);
            }
            Ok(origin) => {
                refuse_other_site(&text, &origin, own_host);
                trusted.push(origin);
            }
            Err(why) => refuse!(
                text,
                "{text}: {why}",
                "write an origin, for example \"https://shop.example.com\" or \"https://*.example.com\""
            ),
        }
    }
    trusted
}

/// Refuses an origin from which no session ever arrives. A developer's own machine is of another site, but runs the same
/// configuration.
fn refuse_other_site(text: &Text<'_>, origin: &TrustedOrigin, own_host: Option<&str>) {
    let host = match origin {
        TrustedOrigin::Exact(origin) => Some(origin.host()),
        TrustedOrigin::Subdomains { hosts, .. } => hosts.parent(),
    };
    let (Some(host), Some(own)) = (host, own_host) else { return };
    if !origin.is_loopback() && !is_same_site_host(host, own) {
        refuse!(
            text,
            "{text} is of another site than {own}, so trusting it has no effect: the session's cookie has \
             SameSite=Lax, and browsers send it with no request of a page there",
            "serve that page from a host of the same site as {own}, or remove this origin"
        );
    }
}

/// The trusted origins whose pages may read the access token.
pub(super) fn token_origins(
    auth: &Table<'_>,
    trusted: &[TrustedOrigin],
    session: &SessionConfig,
) -> Vec<Origin> {
    let mut origins = Vec::new();
    let texts = auth.texts("token_origins");
    let shows_token = session.expose.iter().any(|(_, from)| from.root() == "access_token");
    if let Some(text) = texts.first().filter(|_| !shows_token) {
        refuse!(
            text,
            "no page may read the access token, so this has no effect",
            "write for example `expose = {{ access_token = \"access_token\" }}` in the table session"
        );
    }
    for text in texts {
        match Origin::parse(text.text) {
            _ if text.text.contains('*') => refuse!(
                text,
                "{text}: a wildcard would show the access token to every page below it",
                "write each origin in full"
            ),
            Ok(origin) if !origin.secure() && !is_loopback(origin.host()) => {
                text.refuse_because(&EndpointError::Insecure);
            }
            Ok(origin) => {
                let is_it = |trusted: &TrustedOrigin| matches!(trusted, TrustedOrigin::Exact(exact) if *exact == origin);
                if !trusted.iter().any(is_it) && !auth.at("trusted_origins").is_refused() {
                    refuse!(
                        text,
                        "{text} is not in trusted_origins, so its pages may not even read the session",
                        "write it there, too, exactly as here"
                    );
                }
                origins.push(origin);
            }
            Err(why) => text.refuse_because(&why),
        }
    }
    origins
}
