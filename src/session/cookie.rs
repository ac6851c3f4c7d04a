//! The session's cookie in a request and in a response: found, opened, renewed, erased.

use crate::config::{Config, Dialect};
use crate::http::cookie::{CookieNames, Cookies, SetCookie};
use crate::session::claims::Session;
use crate::session::{chunk, seal};
use crate::time::Timestamp;

/// What a request brings in its session cookie.
#[derive(Debug)]
pub enum Presented {
    /// Nothing.
    Nothing,
    /// A session that is good.
    Good(Session),
    /// Something that is no session, or no longer: what was refused.
    Refused(String),
}

/// The sealed session is larger than what is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sealed session has {length} characters, and at most {} cookies of 4 kB are read: put fewer or \
     smaller claims into it (AUTH.claims)",
    chunk::MAX_CHUNKS
)]
pub struct TooLarge {
    /// How long it is, in characters.
    pub length: usize,
}

/// Finds and opens the session in `cookies`.
pub fn read(config: &Config, names: &CookieNames, cookies: &Cookies, now: Timestamp) -> Presented {
    let Some(found) = chunk::join(cookies, names.session()) else {
        return Presented::Nothing;
    };
    let salt = salt(config.dialect, names);
    let claims = match seal::open(&config.keys, config.dialect, salt, &found.value, now) {
        Ok(claims) => claims,
        Err(error) => return Presented::Refused(error.to_string()),
    };
    let session = Session::new(claims);
    if let (Some(most), Some(signed_in)) = (config.session.absolute_max_age, session.signed_in_at())
        && now >= signed_in.plus(most)
    {
        return Presented::Refused("signed in longer ago than session.absolute_max_age".to_owned());
    }
    Presented::Good(session)
}

/// The cookies that put `session` into the browser in place of what is there.
pub fn write(
    config: &Config,
    names: &CookieNames,
    cookies: &Cookies,
    session: &Session,
    now: Timestamp,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<SetCookie>, TooLarge> {
    let lifetime = config.session.max_age;
    let salt = salt(config.dialect, names);
    let sealed = seal::seal(&config.keys, config.dialect, salt, session.claims(), lifetime, now, random);
    if !chunk::fits(&sealed, config.dialect) {
        return Err(TooLarge { length: sealed.len() });
    }
    let chunks = chunk::split(names.session(), &sealed, config.dialect);
    let stale = chunk::stale(cookies, names.session(), &chunks);
    let domain = config.cookie_domain.as_ref();
    let fresh = chunks
        .iter()
        .map(|(name, value)| SetCookie::new(name, value).domain(domain).expires(now.plus(lifetime)));
    Ok(expired(config, &stale).chain(fresh).collect())
}

/// The cookies that remove every trace of a session from the browser.
pub fn erase(config: &Config, names: &CookieNames, cookies: &Cookies) -> Vec<SetCookie> {
    let present = chunk::stale(cookies, names.session(), &[]);
    let shared = expired(config, &present);
    // A cookie of before `cookies.domain` was set belongs to this host alone and would outlive the other.
    let host_only = present.iter().filter(|_| config.cookie_domain.is_some()).map(SetCookie::expired);
    shared.chain(host_only).collect()
}

/// What the session's key is derived with: v5 gives every cookie a key of its own, v4 the session none.
fn salt(dialect: Dialect, names: &CookieNames) -> &str {
    match dialect {
        Dialect::AuthJsV5 => names.session(),
        Dialect::NextAuthV4 => "",
    }
}

fn expired<'a>(config: &'a Config, stale: &'a [String]) -> impl Iterator<Item = SetCookie> {
    stale.iter().map(|name| SetCookie::expired(name).domain(config.cookie_domain.as_ref()))
}
