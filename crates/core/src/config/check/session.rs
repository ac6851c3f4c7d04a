//! `[vars.AUTH.session]` and `[vars.AUTH.claims]`: how long a session is valid, what it contains, and what of it a page
//! can read or change.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::error::suggestion;
use crate::config::place::refuse;
use crate::config::schema::{ASK, TOKEN_STORAGES};
use crate::config::table::{Table, Text};
use crate::session::own_claims::OWN_CLAIMS;
use crate::session::policy::{Persistence, SessionConfig};
use vestibule_oidc::data::DataPath;

pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// Auth.js's default.
const MAX_AGE: Duration = days(30);
/// Auth.js's default.
const UPDATE_AGE: Duration = days(1);
/// Browsers limit the age of a cookie to 400 days (RFC 6265bis, "The Max-Age Attribute").
const MAX_COOKIE_AGE: Duration = days(400);
/// Long enough that people who use a site every day rarely notice, and short enough that every session ends.
const ABSOLUTE_MAX_AGE: Duration = days(90);
/// Ten years. A longer time is most likely a typing mistake.
const MAX_SESSION_AGE: Duration = days(3650);

/// The names that the path of a claim can begin with. They are the data of a sign-in: the token response; userinfo and the
/// claims of the ID token together; the user that `user` finds in them; the claims of the ID token; the claims of the access
/// token, where it is a JWT; the response of a `credentials` provider to the login request.
pub(in crate::config) const CLAIM_ROOTS: [&str; 6] =
    ["account", "profile", "user", "id_token", "access_token", "login"];

pub(super) fn session(session: &Table<'_>, updatable: Vec<String>) -> SessionConfig {
    let max_age = duration(session, "max_age", MINUTE, MAX_COOKIE_AGE).unwrap_or(MAX_AGE);
    let update_age = duration(session, "update_age", Duration::ZERO, MAX_COOKIE_AGE);
    let absolute_max_age = absolute_max_age(session, max_age);
    if update_age.is_some_and(|age| age > max_age) {
        let max_age = written(max_age);
        refuse!(
            session.at("update_age"),
            "update_age is longer than max_age, which is {max_age}",
            "write a shorter update_age, or the session ends before it is renewed",
        );
    }
    let revalidate = duration(session, "revalidate", MINUTE, MAX_COOKIE_AGE);
    if revalidate.is_some_and(|time| time > max_age) {
        let max_age = written(max_age);
        refuse!(
            session.at("revalidate"),
            "revalidate is longer than max_age, which is {max_age}",
            "write a shorter time, or the session ends before its user is confirmed",
        );
    }
    SessionConfig {
        max_age,
        update_age: update_age.unwrap_or(UPDATE_AGE.min(max_age)),
        revalidate,
        absolute_max_age,
        persistence: persistence(session),
        expose: expose(&session.table("expose")),
        updatable,
        tokens: session.chosen("tokens", &TOKEN_STORAGES).unwrap_or_default(),
    }
}

/// The limit that no renewal passes; `None` if there is none.
fn absolute_max_age(session: &Table<'_>, max_age: Duration) -> Option<Duration> {
    if session.str("absolute_max_age") == Some("none") {
        return None;
    }
    let written = duration(session, "absolute_max_age", MINUTE, MAX_SESSION_AGE);
    if session.has("max_age") && written.is_some_and(|limit| max_age > limit) {
        let max_age = self::written(max_age);
        refuse!(
            session.at("absolute_max_age"),
            "absolute_max_age is shorter than max_age, which is {max_age}",
            "write a shorter max_age: no session could last that long",
        );
    }
    Some(written.unwrap_or(ABSOLUTE_MAX_AGE.max(max_age)))
}

fn persistence(session: &Table<'_>) -> Persistence {
    match session.text("persistent") {
        Some(text) if ASK.contains(&text.text) => return Persistence::ByUser,
        Some(text) => refuse!(text, "{text} is not a known value", "write true, false or \"ask\""),
        None => {}
    }
    match session.flag("persistent") {
        Some(false) => Persistence::UntilBrowserCloses,
        _ => Persistence::Persistent,
    }
}

fn expose(expose: &Table<'_>) -> Vec<(DataPath, DataPath)> {
    let mut exposed: Vec<(DataPath, DataPath)> = Vec::new();
    // The place of each path in `exposed`, and the first of those at or within each path.
    let (mut at, mut within): (BTreeMap<String, usize>, BTreeMap<String, usize>) = Default::default();
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
        let path = to.to_string();
        let around: Vec<String> =
            (0..=to.rest().len()).map(|end| DataPath::new(root, to.rest().take(end)).to_string()).collect();
        let other = around.iter().filter_map(|path| at.get(path)).chain(within.get(&path)).min();
        if let Some((other, _)) = other.and_then(|other| exposed.get(*other)) {
            refuse!(from, "\"{other}\" already uses this place; choose another name");
        }
        let Some(source) = source else { continue };
        for path in around {
            within.entry(path).or_insert(exposed.len());
        }
        at.entry(path).or_insert(exposed.len());
        exposed.push((to, source));
    }
    exposed
}

/// A path into the sealed session whose value leaves it, for a page's script or for an upstream. It cannot be the refresh
/// token, the cookies of an API, or the key to which tokens are bound.
pub(super) fn session_source(text: &Text<'_>) -> Option<DataPath> {
    let path = text.parsed(DataPath::parse)?;
    if matches!(path.root(), "refresh_token" | "api_cookies" | "token_entry") {
        refuse!(
            text,
            "a refresh token must stay in the sealed session: anyone who has it can act as this user for months, and using it ends the session",
        );
    } else if path.root() == "dpop_key" {
        refuse!(
            text,
            "the private key must stay in the sealed session: with it, anyone can use the session's tokens"
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

/// Checks that a claim may have this name.
pub(super) fn check_claim_name(name: &str, at: &Text<'_>) {
    if !DataPath::parse(name).is_ok_and(|path| path.rest().len() == 0 && path.root() == name) {
        return refuse!(
            at,
            "the name of a claim must not contain dots, quotes, brackets, braces or white space"
        );
    }
    for (names, why) in OWN_CLAIMS {
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

/// Notes that the first name of a path is not one of [`CLAIM_ROOTS`].
pub(super) fn refuse_root(text: &Text<'_>, root: &str) {
    let hint = suggestion(root, &CLAIM_ROOTS);
    refuse!(text, "{text} does not begin with a source that a sign-in has; {hint}");
}

/// The duration of a key. One outside the range `min..=max` is noted as a mistake.
pub(super) fn duration(table: &Table<'_>, key: &str, min: Duration, max: Duration) -> Option<Duration> {
    let duration = table.duration(key)?;
    if (min..=max).contains(&duration) {
        return Some(duration);
    }
    let (duration, min, max) = (written(duration), written(min), written(max));
    refuse!(table.at(key), "{duration} is outside the allowed range, {min} to {max}");
    None
}

/// A duration as the configuration has it, `30d`: in the largest unit that gives a whole number.
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
