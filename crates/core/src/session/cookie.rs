//! The session's cookie in a request and in a response: found, opened, renewed, erased.
//!
//! Both dialects are read and one is written, so that changing the dialect, or coming from Auth.js itself, signs
//! nobody out.

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

/// What a request brings in its session cookie.
#[derive(Debug)]
pub enum SessionCookie {
    /// Nothing.
    Absent,
    /// A session that is good.
    Valid(Session),
    /// Something that is no session, or no longer: what was refused.
    Invalid(String),
}

/// The sealed session is larger than what is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sealed session has {length} characters, and at most {} cookies of 4 kB are read: put fewer or \
     smaller claims into it (AUTH.claims)",
    chunk::MAX_CHUNKS
)]
pub struct SessionTooLargeError {
    /// How long it is, in characters.
    pub length: usize,
}

/// Finds and opens the session in `cookies`, or in what was `opened` before: our dialect's, or where there is no good
/// one the other's.
pub fn read(
    sealing: Sealing<'_>,
    opened: &SessionCache,
    names: &CookieNames,
    cookies: &Cookies,
    now: Timestamp,
) -> SessionCookie {
    let own = open(sealing, opened, sealing.dialect, names.session(), cookies, now);
    if matches!(own, SessionCookie::Valid(_)) {
        return own;
    }
    match (own, open(sealing, opened, sealing.dialect.other(), names.other_session(), cookies, now)) {
        (_, SessionCookie::Valid(session)) => SessionCookie::Valid(session.in_other_dialect()),
        (SessionCookie::Absent, other) => other,
        (own, _) => own,
    }
}

fn open(
    sealing: Sealing<'_>,
    opened: &SessionCache,
    dialect: Dialect,
    name: &str,
    cookies: &Cookies,
    now: Timestamp,
) -> SessionCookie {
    let Some(found) = chunk::join(cookies, name) else {
        return SessionCookie::Absent;
    };
    let claims = match opened.open(sealing.keys, dialect, salt(dialect, name), &found.value, now) {
        Ok(claims) => claims,
        Err(error) => return SessionCookie::Invalid(error.to_string()),
    };
    let session = Session::new(claims);
    if let (Some(most), Some(signed_in)) = (sealing.session.absolute_max_age, session.signed_in_at())
        && now >= signed_in.plus(most)
    {
        return SessionCookie::Invalid("signed in longer ago than session.absolute_max_age".to_owned());
    }
    SessionCookie::Valid(session)
}

/// The cookies that put `session` into the browser in place of what is there.
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

/// Takes away what of a session may be in the browser where it shows no cookies, but for what `written` replaces:
/// pieces of an older one would be read in place of a new one, or with it.
pub fn expire_absent(
    domain: Option<&CookieDomain>,
    names: &CookieNames,
    written: &[SetCookie],
) -> Vec<SetCookie> {
    let mut unseen = vec![names.session().to_owned()];
    for number in 0..chunk::MAX_CHUNKS {
        unseen.push(chunk::piece(names.session(), number));
    }
    unseen.retain(|name| !written.iter().any(|cookie| cookie.name() == name));
    let mut expired = Vec::new();
    for name in unseen {
        expired.push(SetCookie::expired(name).domain(domain));
    }
    expired
}

/// The cookies that remove every trace of a session from the browser.
pub fn erase(domain: Option<&CookieDomain>, names: &CookieNames, cookies: &Cookies) -> Vec<SetCookie> {
    expired(domain, names, cookies, &[])
}

/// How long a session lasts that is sealed now: `max_age`, but not beyond `absolute_max_age`.
pub fn lifetime(config: &SessionConfig, session: &Session, now: Timestamp) -> Duration {
    let end = config.absolute_max_age.zip(session.signed_in_at());
    let left = end.map(|(most, signed_in)| signed_in.plus(most).since(now));
    left.map_or(config.max_age, |left| left.min(config.max_age))
}

/// Takes away every session cookie that the request brought, in either dialect, but for those that `written`
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
        // A cookie of before `cookies.domain` was set, Auth.js's own for one, belongs to this host alone. It would
        // outlive the shared one of the same name, and browsers send it first.
        if domain.is_some() {
            for name in chunk::stale(cookies, session, &[]) {
                expired.push(SetCookie::expired(name));
            }
        }
    }
    expired
}

/// What the session's key is derived with: v5 gives every cookie a key of its own, v4 the session none.
fn salt(dialect: Dialect, name: &str) -> &str {
    match dialect {
        Dialect::AuthJsV5 => name,
        Dialect::NextAuthV4 => "",
    }
}
