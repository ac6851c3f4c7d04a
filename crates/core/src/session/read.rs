//! Reads the session from a request's cookies, of which several may have the session's name.
//!
//! A browser keeps one cookie of a name for each path and domain, and sends them all. So a cookie of the parent domain,
//! from another configuration or set by another host of the domain, stands next to that of this host, and the first one
//! would hide the others. All of them are opened. If they say different things, the same one is chosen every time.

use std::cmp::Reverse;

use crate::session::cache::SessionCache;
use crate::session::chunk::{self, Candidate};
use crate::session::claims::Session;
use crate::session::cookie::{SessionCookie, absolute_end, salt};
use crate::session::dialect::Dialect;
use crate::session::names::CookieNames;
use crate::session::policy::Sealing;
use crate::session::seal;
use vestibule_oidc::http::cookie::Cookies;
use vestibule_oidc::time::Timestamp;

/// How many times one request tries to open a session. A browser has two or three cookies of the name when a site
/// changes its configuration; more are planted, and opening each costs time.
pub const MAX_ATTEMPTS: usize = 8;

/// The session of a request, and its cookies.
#[derive(Clone, Debug)]
pub struct SessionReading {
    /// The session.
    pub session: SessionCookie,
    /// The positions of its cookies in the request ([`Cookies::positions`]). Empty if there is no valid session.
    pub positions: Vec<usize>,
}

/// Reads the session from a request's cookies, in either dialect. `cache` saves opening a session again. A session counts
/// only where it belongs: `preview_host` is the origin of the request's host if that is a preview host.
///
/// The cookie in the configured dialect counts, and if none of that name opens, the one in the other dialect. Of several
/// sessions of one name that open, those of one sign-in (`sid`) are versions of it, and the highest generation counts.
/// Of several sign-ins of one user the newest counts. If they belong to different users, none counts: one of them was
/// set by another person, and nothing in the request says which.
pub fn read(
    sealing: Sealing<'_>,
    cache: &SessionCache,
    names: &CookieNames,
    cookies: &Cookies,
    preview_host: Option<&str>,
    now: Timestamp,
) -> SessionReading {
    let mut opened: Vec<(Session, Vec<usize>)> = Vec::new();
    let mut opened_name = None;
    let mut reason = None;
    for Attempt { dialect, name, candidate } in attempts(sealing.dialect, names, cookies) {
        if opened_name.is_some_and(|opened| opened != name) {
            break;
        }
        if opened.iter().any(|(_, positions)| *positions == candidate.positions) {
            // It was opened in the other dialect: with a prefix both have the same name.
            continue;
        }
        match open(sealing, cache, dialect, name, &candidate.value, now) {
            Ok(session) if session.preview_host() != preview_host => {
                reason
                    .get_or_insert_with(|| "the session belongs to another host (preview_hosts)".to_owned());
            }
            Ok(session) => {
                opened.push((session, candidate.positions));
                opened_name = Some(name);
            }
            Err(error) => {
                reason.get_or_insert(error);
            }
        }
    }
    let none = |session| SessionReading { session, positions: Vec::new() };
    if are_of_different_users(&opened) {
        return none(SessionCookie::Conflict);
    }
    match (newest(opened), reason) {
        (Some((session, positions)), _) => {
            SessionReading { session: SessionCookie::Valid(session), positions }
        }
        (None, Some(reason)) => none(SessionCookie::Invalid(reason)),
        (None, None) => none(SessionCookie::Absent),
    }
}

/// Every session that a request's cookies open, in either dialect: what ends if the browser signs out. The one that counts by
/// [`read`], if one does, is `counting`, and comes first. Of the versions of one sign-in only the newest is there, and of the
/// cookies no more than [`read`] tries.
pub fn all(
    counting: Option<Session>,
    sealing: Sealing<'_>,
    cache: &SessionCache,
    names: &CookieNames,
    cookies: &Cookies,
    preview_host: Option<&str>,
    now: Timestamp,
) -> Vec<Session> {
    let mut sessions: Vec<Session> = counting.into_iter().collect();
    let mut others: Vec<Session> = attempts(sealing.dialect, names, cookies)
        .iter()
        .filter_map(|Attempt { dialect, name, candidate }| {
            open(sealing, cache, *dialect, name, &candidate.value, now).ok()
        })
        .filter(|session| session.preview_host() == preview_host)
        .collect();
    // The sort is stable: of equals the first counts.
    others.sort_by_key(|session| Reverse(version(session)));
    for session in others {
        if !sessions.iter().any(|known| is_same_user(known, &session) && is_same_sign_in(known, &session)) {
            sessions.push(session);
        }
    }
    sessions
}

/// Whose session a request has or had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastUser {
    /// No cookie opens as a session.
    Unknown,
    /// The provider and the subject.
    One(String, String),
    /// The cookies are of different users, or one of them does not name its user.
    Ambiguous,
}

/// The user of the request's session, which may have ended: it expired, was revoked, or cannot be refreshed. It is no proof
/// that anyone is signed in.
pub fn last_user(sealing: Sealing<'_>, names: &CookieNames, cookies: &Cookies) -> LastUser {
    let mut user = LastUser::Unknown;
    for Attempt { dialect, name, candidate } in attempts(sealing.dialect, names, cookies) {
        let opened = seal::open_ended(sealing.keys, dialect, salt(dialect, name), &candidate.value);
        let Some(session) = opened.ok().map(Session::new) else { continue };
        let subject = session.subject().filter(|subject| !subject.is_empty());
        let (Some(provider), Some(subject)) = (session.provider(), subject) else {
            return LastUser::Ambiguous;
        };
        let found = LastUser::One(provider.to_owned(), subject.to_owned());
        if user != LastUser::Unknown && user != found {
            return LastUser::Ambiguous;
        }
        user = found;
    }
    user
}

/// The positions of the request's only session cookies, whether they open or not. `None` if the request has several
/// sessions, so that only [`read`] can say which one counts.
pub fn only_positions(dialect: Dialect, names: &CookieNames, cookies: &Cookies) -> Option<Vec<usize>> {
    let mut attempts = attempts(dialect, names, cookies).into_iter();
    let Some(first) = attempts.next() else { return Some(Vec::new()) };
    let positions = first.candidate.positions;
    attempts.all(|attempt| attempt.candidate.positions == positions).then_some(positions)
}

/// One try to open a session.
struct Attempt<'a> {
    dialect: Dialect,
    name: &'a str,
    candidate: Candidate<'a>,
}

/// Everything to try, at most [`MAX_ATTEMPTS`], the configured dialect first.
fn attempts<'a>(dialect: Dialect, names: &'a CookieNames, cookies: &'a Cookies) -> Vec<Attempt<'a>> {
    let mut attempts = Vec::new();
    let other = names.other_session().map(|name| (dialect.other(), name));
    for (dialect, name) in std::iter::once((dialect, names.session())).chain(other) {
        for candidate in chunk::candidates(cookies, name, MAX_ATTEMPTS - attempts.len()) {
            attempts.push(Attempt { dialect, name, candidate });
        }
    }
    attempts
}

fn open(
    sealing: Sealing<'_>,
    cache: &SessionCache,
    dialect: Dialect,
    name: &str,
    value: &str,
    now: Timestamp,
) -> Result<Session, String> {
    let session = cache
        .open(sealing.keys, dialect, salt(dialect, name), value, now)
        .map_err(|error| error.to_string())?;
    let is_over = |end: Option<Timestamp>| end.is_some_and(|end| now >= end);
    if is_over(absolute_end(sealing.session, &session)) {
        return Err("the user signed in longer ago than session.absolute_max_age allows".to_owned());
    }
    if is_over(session.ends_at()) {
        return Err("the session has ended at the time that the provider set (session_expiry)".to_owned());
    }
    Ok(if dialect == sealing.dialect { session } else { session.in_other_dialect() })
}

/// Whether two of the sessions belong, or may belong, to different users.
fn are_of_different_users(opened: &[(Session, Vec<usize>)]) -> bool {
    let mut sessions = opened.iter().map(|(session, _)| session);
    let Some(first) = sessions.next() else { return false };
    !sessions.all(|session| is_same_user(first, session))
}

/// Whether two sessions belong to one user. A subject is unique for one provider (OpenID Connect Core 1.0 section 2).
/// Without a subject, only another version of the same session is the same user's.
pub fn is_same_user(one: &Session, other: &Session) -> bool {
    let is_known = one.subject().is_some_and(|subject| !subject.is_empty());
    one.provider() == other.provider()
        && one.subject() == other.subject()
        && (is_known || is_same_sign_in(one, other))
}

fn is_same_sign_in(one: &Session, other: &Session) -> bool {
    one.sid().is_some() && one.sid() == other.sid()
}

/// When a session was written, and when it began.
fn age(session: &Session) -> (Option<Timestamp>, Option<Timestamp>) {
    (session.issued_at(), session.signed_in_at())
}

/// What orders the versions of one sign-in.
fn version(session: &Session) -> (u64, (Option<Timestamp>, Option<Timestamp>)) {
    (session.generation(), age(session))
}

/// The session that counts among those of one user.
fn newest(mut opened: Vec<(Session, Vec<usize>)>) -> Option<(Session, Vec<usize>)> {
    // As almost every request has it.
    if opened.len() <= 1 {
        return opened.pop();
    }
    let is_newest_version = |(session, _): &(Session, Vec<usize>)| {
        !opened.iter().any(|(other, _)| is_same_sign_in(session, other) && version(other) > version(session))
    };
    let is_kept: Vec<bool> = opened.iter().map(is_newest_version).collect();
    let mut is_kept = is_kept.into_iter();
    opened.retain(|_| is_kept.next().unwrap_or(false));
    // A session whose grant has ended does not hide one that works. The sort is stable: of equals the first counts.
    opened.sort_by_key(|(session, _)| Reverse((session.error().is_none(), age(session))));
    opened.into_iter().next()
}

#[cfg(test)]
mod tests;
