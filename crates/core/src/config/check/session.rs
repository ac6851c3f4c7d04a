//! How long a session lives, what goes into it, what is shown of it.

use std::time::Duration;

use crate::config::error::suggestion;
use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use crate::session::policy::SessionConfig;
use vestibule_oidc::data::DataPath;

pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// Auth.js's default.
const MAX_AGE: Duration = days(30);
/// Auth.js's default.
const UPDATE_AGE: Duration = days(1);
/// Browsers keep no cookie longer (RFC 6265bis, "The Max-Age Attribute").
const LONGEST_COOKIE: Duration = days(400);
/// Ten years: more is a slip of the pen.
const LONGEST_SESSION: Duration = days(3650);

/// Claims that the session keeps for itself, and what each group is.
const RESERVED_CLAIMS: [(&[&str], &str); 3] = [
    (&["iat", "nbf", "exp", "jti"], "it is set when the session is sealed"),
    (
        &["sub", "sid", "provider", "account", "auth_time", "generation", "error"],
        "it says whose session this is, and its state",
    ),
    (
        &["access_token", "refresh_token", "expires_at", "refresh_expires_at", "api_cookies"],
        "it holds the provider's tokens",
    ),
];

/// What sign-in has data from: the token response, userinfo and ID token together, the mapped user, the ID
/// token's claims, the access token's where it is a JWT, the answer of an API of one's own.
pub(in crate::config) const CLAIM_ROOTS: [&str; 6] =
    ["account", "profile", "user", "id_token", "access_token", "login"];

pub(super) fn session(session: &Table<'_>, updatable: Vec<String>) -> SessionConfig {
    let max_age = duration(session, "max_age", MINUTE, LONGEST_COOKIE).unwrap_or(MAX_AGE);
    let update_age = duration(session, "update_age", Duration::ZERO, LONGEST_COOKIE);
    let absolute_max_age = duration(session, "absolute_max_age", MINUTE, LONGEST_SESSION);
    if update_age.is_some_and(|age| age > max_age) {
        let max_age = written(max_age);
        refuse!(
            session.at("update_age"),
            "update_age is longer than max_age, which is {max_age}",
            "write a shorter update_age, or the session ends before it is renewed",
        );
    }
    SessionConfig {
        max_age,
        update_age: update_age.unwrap_or(UPDATE_AGE.min(max_age)),
        absolute_max_age,
        expose: expose(&session.table("expose")),
        updatable,
    }
}

fn expose(expose: &Table<'_>) -> Vec<(DataPath, DataPath)> {
    let mut exposed: Vec<(DataPath, DataPath)> = Vec::new();
    for from in expose.entries() {
        let source = session_source(&from);
        let Some(to) = from.with(from.name()).parsed(DataPath::parse) else { continue };
        let root = to.root();
        if root == "expires" || (root == "user" && to.rest().len() == 0) {
            refuse!(
                from,
                "{root:?} is part of every Auth.js session and cannot be replaced",
                "choose another name, for example \"user.roles\""
            );
        }
        for (other, _) in &exposed {
            if to.is_within(other) || other.is_within(&to) {
                refuse!(from, "\"{other}\" already uses this place; choose another name");
                break;
            }
        }
        exposed.extend(source.map(|source| (to, source)));
    }
    exposed
}

/// A place in the sealed session that something is read from: for a page's script, for an upstream's header.
pub(super) fn session_source(text: &Text<'_>) -> Option<DataPath> {
    let path = text.parsed(DataPath::parse)?;
    if matches!(path.root(), "refresh_token" | "api_cookies") {
        refuse!(
            text,
            "a refresh token must stay in the sealed session: anyone who has it can act as this user for months, and using it ends the session",
        );
    }
    Some(path)
}

pub(super) fn claims(claims: &Table<'_>) -> Vec<(String, DataPath)> {
    let mut sources = Vec::new();
    for text in claims.entries() {
        check_claim_name(text.name(), &text);
        let source = claim_source(&text);
        sources.extend(source.map(|source| (text.name().to_owned(), source)));
    }
    sources
}

/// Sees that a claim may have that name.
pub(super) fn check_claim_name(name: &str, at: &Text<'_>) {
    if !DataPath::parse(name).is_ok_and(|path| path.rest().len() == 0 && path.root() == name) {
        return refuse!(
            at,
            "the name of a claim must not contain dots, quotes, brackets, braces or white space"
        );
    }
    for (names, why) in RESERVED_CLAIMS {
        if names.contains(&name) {
            refuse!(at, "this name is reserved: {why}", "choose another name");
        }
    }
}

fn claim_source(text: &Text<'_>) -> Option<DataPath> {
    let path = text.parsed(DataPath::parse)?;
    if !CLAIM_ROOTS.contains(&path.root()) {
        refuse_root(text, path.root());
    } else if path.root() == "account" && matches!(path.rest().next(), None | Some("refresh_token")) {
        refuse!(
            text,
            "{text} contains the refresh token, which must not become a claim",
            "name the member that you want, for example \"account.scope\"",
        );
    }
    Some(path)
}

/// Notes that a path's root is none of [`CLAIM_ROOTS`].
pub(super) fn refuse_root(text: &Text<'_>, root: &str) {
    let hint = suggestion(root, &CLAIM_ROOTS);
    refuse!(text, "{text} does not begin with a source that a sign-in has; {hint}");
}

/// The duration of a key, where it is within bounds.
pub(super) fn duration(table: &Table<'_>, key: &str, least: Duration, most: Duration) -> Option<Duration> {
    let duration = table.duration(key)?;
    if (least..=most).contains(&duration) {
        return Some(duration);
    }
    let (duration, least, most) = (written(duration), written(least), written(most));
    refuse!(table.at(key), "{duration} is outside the allowed range, {least} to {most}");
    None
}

/// `30d`: in the largest unit that needs no fraction.
fn written(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(24 * 60 * 60, 'd'), (60 * 60, 'h'), (60, 'm')];
    match units.iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit)) {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

const fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}
