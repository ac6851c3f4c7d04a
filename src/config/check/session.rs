//! How long a session lives, what goes into it, what is shown of it.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::data::DataPath;
use crate::config::error::{Place, Problems, quoted, suggestion};
use crate::config::raw::{RawRefresh, RawSession};
use crate::config::refresh::{LeaseKind, RefreshConfig};
use crate::config::{SessionConfig, Upstream};
use crate::guard::rules::{Requirement, Rule};

const MINUTE: Duration = Duration::from_mins(1);

/// Auth.js's default.
const MAX_AGE: Duration = days(30);
/// Auth.js's default.
const UPDATE_AGE: Duration = days(1);
/// Browsers keep no cookie longer (RFC 6265bis, "The Max-Age Attribute").
const LONGEST_COOKIE: Duration = days(400);
/// Ten years: more is a slip of the pen.
const LONGEST_SESSION: Duration = days(3650);
/// A token that is renewed an hour early is renewed on every request where it lives an hour, as most do.
const LONGEST_LEEWAY: Duration = Duration::from_hours(1);

/// Claims that the session keeps for itself, and what each group is.
const RESERVED_CLAIMS: [(&[&str], &str); 3] = [
    (&["iat", "nbf", "exp", "jti"], "it is set when the session is sealed"),
    (
        &["sub", "sid", "provider", "auth_time", "generation", "error"],
        "it says whose session this is and how it stands",
    ),
    (
        &["access_token", "refresh_token", "expires_at", "refresh_expires_at", "api_cookies"],
        "it holds the provider's tokens",
    ),
];

/// What sign-in has data from: the token response, userinfo and ID token together, the mapped user, the ID
/// token's claims, the access token's where it is a JWT, the answer of an API of one's own.
pub(super) const CLAIM_ROOTS: [&str; 6] = ["account", "profile", "user", "id_token", "access_token", "login"];

pub(super) fn session(raw: &RawSession<'_>, place: &Place, problems: &mut Problems) -> SessionConfig {
    let mut span = |key, span: Option<Duration>, bounds| {
        let span = span?;
        in_bounds(span, bounds, &place.key(key), problems).then_some(span)
    };
    let max_age = span("max_age", raw.max_age, MINUTE..=LONGEST_COOKIE).unwrap_or(MAX_AGE);
    let update_age = span("update_age", raw.update_age, Duration::ZERO..=LONGEST_COOKIE);
    let absolute_max_age = span("absolute_max_age", raw.absolute_max_age, MINUTE..=LONGEST_SESSION);
    if update_age.is_some_and(|age| age > max_age) {
        let problem = format!("longer than max_age, which is {}", written(max_age));
        problems.refuse_and_mend(
            &place.key("update_age"),
            problem,
            "a session would end before it is renewed",
        );
    }
    SessionConfig {
        max_age,
        update_age: update_age.unwrap_or(UPDATE_AGE.min(max_age)),
        absolute_max_age,
        expose: expose(raw, &place.key("expose"), problems),
        updatable: updatable(raw, &place.key("updatable"), problems),
    }
}

/// The claims that a page may change. Anybody who is signed in can send any value for them.
fn updatable(raw: &RawSession<'_>, place: &Place, problems: &mut Problems) -> Vec<String> {
    let mut claims = Vec::new();
    for (place, name) in raw.updatable.iter().flat_map(|names| names.iter(place)) {
        claim_name(name, &place, problems);
        claims.push(name.to_owned());
    }
    claims
}

/// Refuses what a page could change to get what it was not given: claims that rules or upstreams go by.
pub(super) fn refuse_updatable(
    session: &SessionConfig,
    rules: &[Rule],
    upstreams: &[Upstream],
    problems: &mut Problems,
) {
    let place = Place::root().key("session").key("updatable");
    let required = rules.iter().flat_map(|rule| rule.access.requirements()).flat_map(Requirement::roots);
    let told = upstreams
        .iter()
        .flat_map(|upstream| upstream.headers.iter().map(|(_, from)| from).chain(&upstream.authorization));
    let told_by_rules = rules.iter().map(|rule| &rule.forwarding).flat_map(|forwarding| {
        forwarding.headers.iter().flatten().map(|(_, from)| from).chain(&forwarding.authorization)
    });
    let decisive: Vec<&str> = required.chain(told.chain(told_by_rules).map(DataPath::root)).collect();
    for name in session.updatable.iter().filter(|name| decisive.contains(&name.as_str())) {
        let problem =
            format!("a rule or an upstream goes by {name:?}, and everybody could give it to themselves");
        problems.refuse_and_mend(&place, problem, "take it off the list");
    }
}

fn expose(raw: &RawSession<'_>, place: &Place, problems: &mut Problems) -> Vec<(DataPath, DataPath)> {
    let mut exposed: Vec<(DataPath, DataPath)> = Vec::new();
    for (to, from) in raw.expose.iter().flatten() {
        let place = place.key(to);
        let source = session_source(from, &place, problems);
        let Some(to) = problems.parsed(&place, to, DataPath::parse(to)) else { continue };
        let whole = to.rest().len() == 0;
        if to.root() == "expires" || (to.root() == "user" && whole) {
            problems.refuse_and_mend(
                &place,
                format!("{:?} is Auth.js's own part of the session", to.root()),
                "choose another name, for example \"user.roles\"",
            );
        }
        if let Some((other, _)) =
            exposed.iter().find(|(other, _)| to.is_within(other) || other.is_within(&to))
        {
            problems.refuse(&place, format!("its place is taken by \"{other}\""));
        }
        exposed.extend(source.map(|source| (to, source)));
    }
    exposed
}

/// A place in the sealed session that something is read from: for a page's script, for an upstream's header.
pub(super) fn session_source(text: &str, place: &Place, problems: &mut Problems) -> Option<DataPath> {
    let path = problems.parsed(place, text, DataPath::parse(text))?;
    if matches!(path.root(), "refresh_token" | "api_cookies") {
        problems.refuse(
            place,
            "a refresh token stays in the sealed session: whoever holds it can be this user for months, and using it ends the session here",
        );
        return None;
    }
    Some(path)
}

pub(super) fn claims(
    raw: &[(&str, &str)],
    place: &Place,
    problems: &mut Problems,
) -> Vec<(String, DataPath)> {
    let mut claims = Vec::new();
    for (name, source) in raw {
        let place = place.key(name);
        claim_name(name, &place, problems);
        let source = claim_source(source, &place, problems);
        claims.extend(source.map(|source| ((*name).to_owned(), source)));
    }
    claims
}

/// Sees that a claim may have that name.
fn claim_name(name: &str, place: &Place, problems: &mut Problems) {
    if DataPath::parse(name).is_ok_and(|path| path.rest().len() == 0 && path.root() == name) {
        if let Some((_, why)) = RESERVED_CLAIMS.iter().find(|(names, _)| names.contains(&name)) {
            problems.refuse_and_mend(place, format!("a reserved name: {why}"), "choose another");
        }
    } else {
        problems.refuse(place, "a claim's name has no dots, quotes, brackets or white space");
    }
}

fn claim_source(text: &str, place: &Place, problems: &mut Problems) -> Option<DataPath> {
    let path = problems.parsed(place, text, DataPath::parse(text))?;
    if !CLAIM_ROOTS.contains(&path.root()) {
        let hint = suggestion(path.root(), &CLAIM_ROOTS);
        problems.refuse(place, format!("{} begins with no data that sign-in has; {hint}", quoted(text)));
        return None;
    }
    if path.root() == "account" && matches!(path.rest().next(), None | Some("refresh_token")) {
        problems.refuse_and_mend(
            place,
            format!("{} holds the refresh token, which is no claim", quoted(text)),
            "name the member that is wanted, for example \"account.scope\"",
        );
        return None;
    }
    Some(path)
}

/// How tokens are renewed.
pub(super) fn refresh(raw: &RawRefresh<'_>, place: &Place, problems: &mut Problems) -> RefreshConfig {
    const LEASES: [(&str, LeaseKind); 3] =
        [("kv", LeaseKind::Kv), ("durable-object", LeaseKind::DurableObject), ("none", LeaseKind::None)];
    let lease = raw.lease.and_then(|lease| problems.chosen(&place.key("lease"), lease, &LEASES));
    let leeway = raw
        .leeway
        .filter(|leeway| in_bounds(*leeway, Duration::ZERO..=LONGEST_LEEWAY, &place.key("leeway"), problems));
    RefreshConfig {
        lease: lease.unwrap_or(LeaseKind::Kv),
        lease_is_chosen: lease.is_some(),
        leeway: leeway.unwrap_or(MINUTE),
    }
}

fn in_bounds(
    span: Duration,
    bounds: RangeInclusive<Duration>,
    place: &Place,
    problems: &mut Problems,
) -> bool {
    let is_in = bounds.contains(&span);
    if !is_in {
        let (least, most) = (written(*bounds.start()), written(*bounds.end()));
        problems.refuse(place, format!("{} is not between {least} and {most}", written(span)));
    }
    is_in
}

/// `30d`: in the largest unit that needs no fraction.
fn written(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(24 * 60 * 60, 'd'), (60 * 60, 'h'), (60, 'm')];
    match units.iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit)) {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

const fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}
