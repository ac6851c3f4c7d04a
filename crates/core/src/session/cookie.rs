//! The session's cookie: writes, renews and erases it in a response.
//!
//! Both dialects are [read](crate::session::read) and one is written, so that no user is signed out when a site changes
//! its dialect or moves from Auth.js to Vestibule.

use std::time::Duration;

use crate::session::claims::Session;
use crate::session::dialect::Dialect;
use crate::session::names::CookieNames;
use crate::session::policy::{Persistence, Sealing, SessionConfig};
use crate::session::{chunk, seal};
use vestibule_oidc::http::cookie::{Cookies, SetCookie};
use vestibule_oidc::http::origin::CookieDomain;
use vestibule_oidc::time::Timestamp;

/// The session cookie of a request.
#[derive(Clone, Debug)]
pub enum SessionCookie {
    /// The request has no session cookie.
    Absent,
    /// The cookie is a valid session.
    Valid(Session),
    /// The request has several valid sessions, of different users. No one is signed in.
    Conflict,
    /// The session was valid, but it was ended before it expired.
    Revoked,
    /// The cookie is not a session, or the session has expired; the reason.
    Invalid(String),
}

/// The sealed session does not fit into cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sealed session has {length} characters and does not fit into {} cookies of 4 kB: keep fewer or \
     smaller claims in the session (AUTH.claims)",
    chunk::MAX_CHUNKS
)]
pub struct SessionTooLargeError {
    /// The length of the sealed session in characters.
    pub length: usize,
}

/// The cookies that store `session` in the browser and expire the cookies of its old session.
pub fn write(
    sealing: Sealing<'_>,
    domain: Option<&CookieDomain>,
    names: &CookieNames,
    cookies: &Cookies,
    session: &Session,
    now: Timestamp,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<SetCookie>, SessionTooLargeError> {
    let lifetime = lifetime(sealing.session, session, now);
    let salt = salt(sealing.dialect, names.session());
    let sealed = seal::seal(sealing.keys, sealing.dialect, salt, session.claims(), lifetime, now, random);
    if !chunk::fits(&sealed, sealing.dialect) {
        return Err(SessionTooLargeError { length: sealed.len() });
    }
    let chunks = chunk::split(names.session(), &sealed, sealing.dialect);
    let mut written = expired(domain, names, cookies, &chunks);
    let is_persistent =
        sealing.session.persistence != Persistence::UntilBrowserCloses && session.is_persistent();
    for (name, value) in &chunks {
        let cookie = SetCookie::new(name, value).domain(domain);
        written.push(if is_persistent { cookie.expires(now.plus(lifetime)) } else { cookie });
    }
    Ok(written)
}

/// The cookies that expire every session cookie that the browser may have, except those that `written` replaces. For a
/// request that carries no cookies although the browser has some: they would be read with, or instead of, the new one.
pub fn expire_absent(
    domain: Option<&CookieDomain>,
    names: &CookieNames,
    written: &[SetCookie],
) -> Vec<SetCookie> {
    let mut absent = vec![names.session().to_owned()];
    for number in 0..chunk::MAX_CHUNKS {
        absent.push(chunk::chunk_name(names.session(), number));
    }
    // Without its beginning, no session in the other dialect is read.
    let beginnings = |name: &str| [name.to_owned(), chunk::chunk_name(name, 0)];
    let other = names.other_session().filter(|other| *other != names.session());
    absent.extend(other.into_iter().flat_map(beginnings));
    absent.retain(|name| !written.iter().any(|cookie| cookie.name() == name));
    let mut expired = Vec::new();
    for name in absent {
        expired.push(SetCookie::expired(name).domain(domain));
    }
    if domain.is_some() {
        // See `expired`: those of this host only.
        for name in [Some(names.session()), other].into_iter().flatten().flat_map(beginnings) {
            expired.push(SetCookie::expired(name));
        }
    }
    expired
}

/// The cookies that expire what the request has of session cookies.
pub fn erase(domain: Option<&CookieDomain>, names: &CookieNames, cookies: &Cookies) -> Vec<SetCookie> {
    expired(domain, names, cookies, &[])
}

/// The cookies that remove every trace of a session from the browser, also where `cookies.domain` was another one, or
/// none, when the session was created: that of `host` alone, and those of every domain that it is in.
///
/// A browser does not say for which domain it has a cookie, and ignores one for a domain that it accepts no cookies for.
/// Each domain costs a header field for each cookie, so this is for the end of a session only.
pub fn erase_everywhere(
    host: &str,
    domain: Option<&CookieDomain>,
    names: &CookieNames,
    cookies: &Cookies,
) -> Vec<SetCookie> {
    let (domains, domain) = (domains_of(host, domain), domain.cloned());
    let mut expired = Vec::new();
    for session in names.all_sessions() {
        for name in chunk::stale(cookies, session, &[]) {
            expired.push(SetCookie::expired(name.as_str()));
            // Numbers that no session has were planted, and there may be many.
            let is_of_few = chunk::is_within_limit(&name, session);
            let domains = if is_of_few { domains.as_slice() } else { domain.as_slice() };
            for domain in domains.iter().filter(|_| is_shareable(session)) {
                expired.push(SetCookie::expired(name.as_str()).domain(Some(domain)));
            }
        }
    }
    expired
}

/// At most so many domains, the widest ones, may have had the session's cookie. Few hosts have more labels.
const MAX_DOMAINS: usize = 5;

/// The domains whose cookies a browser sends to `host`, the configured one first.
fn domains_of(host: &str, configured: Option<&CookieDomain>) -> Vec<CookieDomain> {
    let mut domains: Vec<CookieDomain> = configured.cloned().into_iter().collect();
    for parent in CookieDomain::all_of(host).take(MAX_DOMAINS) {
        if !domains.contains(&parent) {
            domains.push(parent);
        }
    }
    domains
}

/// Whether a cookie of that name can belong to a domain.
fn is_shareable(name: &str) -> bool {
    !name.starts_with("__Host-")
}

/// The lifetime of a session that is sealed now: `max_age`, but not beyond `absolute_max_age` after sign-in, nor beyond
/// the end that the provider set.
pub fn lifetime(config: &SessionConfig, session: &Session, now: Timestamp) -> Duration {
    let left = absolute_end(config, session).into_iter().chain(session.ends_at()).map(|end| end.since(now));
    left.fold(config.max_age, Duration::min)
}

/// When the session ends by `absolute_max_age`, however often it is renewed.
pub(super) fn absolute_end(config: &SessionConfig, session: &Session) -> Option<Timestamp> {
    Some(session.signed_in_at()?.plus(config.absolute_max_age?))
}

/// The cookies that expire every session cookie of the request, in either dialect, except those that `written`
/// replaces.
fn expired(
    domain: Option<&CookieDomain>,
    names: &CookieNames,
    cookies: &Cookies,
    written: &[(String, String)],
) -> Vec<SetCookie> {
    let mut expired = Vec::new();
    for session in names.all_sessions() {
        for name in chunk::stale(cookies, session, written) {
            expired.push(SetCookie::expired(name).domain(domain));
        }
        // A cookie from before `cookies.domain` was set, such as Auth.js's own, belongs to this host only. It would
        // stay next to the shared one of the same name, and browsers send the older one first (RFC 6265 section 5.4).
        if domain.is_some() && is_shareable(session) {
            for name in chunk::stale(cookies, session, &[]) {
                expired.push(SetCookie::expired(name));
            }
        }
    }
    expired
}

/// The salt of the session's key: the cookie's name in Auth.js 5, empty in next-auth 4.
pub(super) fn salt(dialect: Dialect, name: &str) -> &str {
    match dialect {
        Dialect::AuthJsV5 => name,
        Dialect::NextAuthV4 => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::names::CookieNaming;

    #[test]
    fn where_the_request_has_no_cookies_all_that_the_browser_may_have_are_expired_but_the_written() {
        let names = CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true);
        let written = [SetCookie::new(chunk::chunk_name(names.session(), 1), "x")];
        let expired = expire_absent(None, &names, &written);
        let has = |name: &str| expired.iter().any(|cookie| cookie.name() == name);
        assert!(has(names.session()) && has(&chunk::chunk_name(names.session(), 0)));
        assert!(has(&chunk::chunk_name(names.session(), chunk::MAX_CHUNKS - 1)));
        assert!(!has(written[0].name()), "it is written");
        let other = names.other_session().unwrap();
        assert!(has(other) && has(&chunk::chunk_name(other, 0)));
    }

    #[test]
    fn a_cookie_that_belongs_to_one_host_is_expired_for_that_host_only() {
        for (host_prefix, domains) in [(true, 0), (false, 3)] {
            let naming = CookieNaming { prefix: None, host_prefix };
            let names = CookieNames::new(&naming, Dialect::AuthJsV5, true);
            let field = format!("{}=x", names.session());
            let cookies = Cookies::parse(std::iter::once(field.as_str()));
            let expired = erase_everywhere("www.app.example.com", None, &names, &cookies);
            let with_domain = expired.iter().filter(|cookie| cookie.has_domain()).count();
            assert_eq!((expired.len(), with_domain), (1 + domains, domains), "{expired:?}");
        }
    }
}
