//! Reads the session's cookie from a request, and writes, renews and erases it in a response.
//!
//! Both dialects are read and one is written, so that no user is signed out when a site changes its dialect or moves
//! from Auth.js to Vestibule.

use std::time::Duration;

use crate::session::cache::SessionCache;
use crate::session::claims::Session;
use crate::session::dialect::Dialect;
use crate::session::names::CookieNames;
use crate::session::policy::{Sealing, SessionConfig};
use crate::session::{chunk, seal};
use vestibule_oidc::http::cookie::{Cookies, SetCookie};
use vestibule_oidc::http::origin::CookieDomain;
use vestibule_oidc::time::Timestamp;

/// The session cookie of a request.
#[derive(Debug)]
pub enum SessionCookie {
    /// The request has no session cookie.
    Absent,
    /// The cookie is a valid session.
    Valid(Session),
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

/// Reads the session from a request's cookies: from the cookie in the configured dialect, or if that is not valid, from
/// the one in the other dialect. `cache` saves opening a session again.
pub fn read(
    sealing: Sealing<'_>,
    cache: &SessionCache,
    names: &CookieNames,
    cookies: &Cookies,
    now: Timestamp,
) -> SessionCookie {
    let own = open(sealing, cache, sealing.dialect, names.session(), cookies, now);
    if matches!(own, SessionCookie::Valid(_)) {
        return own;
    }
    match (own, open(sealing, cache, sealing.dialect.other(), names.other_session(), cookies, now)) {
        (_, SessionCookie::Valid(session)) => SessionCookie::Valid(session.in_other_dialect()),
        (SessionCookie::Absent, other) => other,
        (own, _) => own,
    }
}

fn open(
    sealing: Sealing<'_>,
    cache: &SessionCache,
    dialect: Dialect,
    name: &str,
    cookies: &Cookies,
    now: Timestamp,
) -> SessionCookie {
    let Some(found) = chunk::join(cookies, name) else {
        return SessionCookie::Absent;
    };
    let claims = match cache.open(sealing.keys, dialect, salt(dialect, name), &found.value, now) {
        Ok(claims) => claims,
        Err(error) => return SessionCookie::Invalid(error.to_string()),
    };
    let session = Session::new(claims);
    if let (Some(max_age), Some(signed_in)) = (sealing.session.absolute_max_age, session.signed_in_at())
        && now >= signed_in.plus(max_age)
    {
        return SessionCookie::Invalid(
            "the user signed in longer ago than session.absolute_max_age allows".to_owned(),
        );
    }
    SessionCookie::Valid(session)
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
    for (name, value) in &chunks {
        written.push(SetCookie::new(name, value).domain(domain).expires(now.plus(lifetime)));
    }
    Ok(written)
}

/// The cookies that expire every session cookie that the browser may have, except those that `written` replaces. For a
/// request that carries no cookies although the browser has some: chunks of an older session would be read with, or
/// instead of, the new one.
pub fn expire_absent(
    domain: Option<&CookieDomain>,
    names: &CookieNames,
    written: &[SetCookie],
) -> Vec<SetCookie> {
    let mut absent = vec![names.session().to_owned()];
    for number in 0..chunk::MAX_CHUNKS {
        absent.push(chunk::chunk_name(names.session(), number));
    }
    absent.retain(|name| !written.iter().any(|cookie| cookie.name() == name));
    let mut expired = Vec::new();
    for name in absent {
        expired.push(SetCookie::expired(name).domain(domain));
    }
    expired
}

/// The cookies that remove every trace of a session from the browser.
pub fn erase(domain: Option<&CookieDomain>, names: &CookieNames, cookies: &Cookies) -> Vec<SetCookie> {
    expired(domain, names, cookies, &[])
}

/// The lifetime of a session that is sealed now: `max_age`, but not beyond `absolute_max_age` after sign-in.
pub fn lifetime(config: &SessionConfig, session: &Session, now: Timestamp) -> Duration {
    let end = config.absolute_max_age.zip(session.signed_in_at());
    let left = end.map(|(max_age, signed_in)| signed_in.plus(max_age).since(now));
    left.map_or(config.max_age, |left| left.min(config.max_age))
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
    for session in [names.session(), names.other_session()] {
        for name in chunk::stale(cookies, session, written) {
            expired.push(SetCookie::expired(name).domain(domain));
        }
        // A cookie from before `cookies.domain` was set, such as Auth.js's own, belongs to this host only. It would
        // stay next to the shared one of the same name, and browsers send the older one first (RFC 6265 section 5.4).
        if domain.is_some() {
            for name in chunk::stale(cookies, session, &[]) {
                expired.push(SetCookie::expired(name));
            }
        }
    }
    expired
}

/// The salt of the session's key: the cookie's name in Auth.js 5, empty in next-auth 4.
fn salt(dialect: Dialect, name: &str) -> &str {
    match dialect {
        Dialect::AuthJsV5 => name,
        Dialect::NextAuthV4 => "",
    }
}
