use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::session::names::CookieNaming;
use crate::session::policy::{Persistence, SessionConfig};
use crate::session::seal;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::secret::Secret;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const SESSION: &str = "__Secure-authjs.session-token";
const OTHER: &str = "__Secure-next-auth.session-token";
const V5: Dialect = Dialect::AuthJsV5;
const V4: Dialect = Dialect::NextAuthV4;

fn keys() -> Keyring {
    Keyring::new(vec![Secret::new("my-32-char-or-longer-shared-secret!!")]).unwrap()
}

fn naming(prefix: Option<&str>) -> CookieNaming {
    CookieNaming { prefix: prefix.map(str::to_owned), host_prefix: false }
}

/// A session that was sealed so many seconds ago.
fn sealed(dialect: Dialect, salt: &str, claims: &Value, seconds_ago: u64) -> String {
    let at = NOW.minus(Duration::from_secs(seconds_ago));
    let mut state = seconds_ago.to_le_bytes()[0];
    let random = &mut |bytes: &mut [u8]| {
        state = state.wrapping_add(1);
        bytes.fill(state);
    };
    let day = Duration::from_hours(24);
    seal::seal(&keys(), dialect, salt, claims.as_object().unwrap(), day, at, random)
}

/// The usual session of `sub` at the provider acme.
fn of(sub: &str, sid: &str, generation: u64, seconds_ago: u64) -> String {
    let claims = json!({ "sub": sub, "provider": "acme", "sid": sid, "generation": generation });
    sealed(V5, SESSION, &claims, seconds_ago)
}

fn config() -> SessionConfig {
    SessionConfig {
        max_age: Duration::from_hours(24),
        update_age: Duration::from_hours(24),
        absolute_max_age: None,
        revalidate: None,
        persistence: Persistence::Persistent,
        expose: Vec::new(),
        updatable: Vec::new(),
        tokens: crate::session::tokens::TokenStorage::Cookie,
    }
}

fn read_as(naming: &CookieNaming, dialect: Dialect, header: &str) -> SessionReading {
    let (keys, session) = (keys(), config());
    let sealing = Sealing { keys: &keys, dialect, session: &session };
    let names = CookieNames::new(naming, dialect, true);
    read(sealing, &SessionCache::default(), &names, &Cookies::parse([header].into_iter()), None, NOW)
}

/// Whose session counts, as `SUB SID GENERATION`, and where its cookies are.
fn read_in(cookies: &[(&str, &str)]) -> (String, Vec<usize>) {
    let header: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let SessionReading { session, positions } = read_as(&naming(None), V5, &header.join("; "));
    let text = match session {
        SessionCookie::Absent => "absent".to_owned(),
        SessionCookie::Conflict => "conflict".to_owned(),
        SessionCookie::Revoked => "revoked".to_owned(),
        SessionCookie::Invalid(_) => "invalid".to_owned(),
        SessionCookie::Valid(session) => {
            let (sub, sid) = (session.subject().unwrap_or("-"), session.sid().unwrap_or("-"));
            format!("{sub} {sid} {}", session.generation())
        }
    };
    (text, positions)
}

#[test]
fn shadowing_cookies_one_that_does_not_open_hides_none_that_does() {
    let alice = of("alice", "a", 0, 0);
    let chunks = |value: &str| {
        let (first, second) = value.split_at(value.len() / 2 + 1);
        (first.to_owned(), second.to_owned())
    };
    let (first, second) = chunks(&alice);
    let [zero, one] = [0, 1].map(|n| chunk::chunk_name(SESSION, n));
    for (cookies, positions) in [
        (vec![(SESSION, alice.as_str())], vec![0]),
        (vec![(SESSION, "x"), (SESSION, &alice)], vec![1]),
        (vec![(SESSION, &alice), (SESSION, "x")], vec![0]),
        (vec![(SESSION, "x"), (&zero, &first), (&one, &second)], vec![1, 2]),
        (vec![(&zero, "x"), (SESSION, &alice)], vec![1]),
        (vec![(&zero, "xxxx"), (&one, "x"), (&zero, &first), (&one, &second)], vec![2, 3]),
        (vec![(&zero, &first), (&zero, "xxxx"), (&one, &second), (&one, "x")], vec![0, 2]),
        (vec![(&zero, "planted"), (&zero, &first), (&one, &second)], vec![1, 2]),
    ] {
        assert_eq!(read_in(&cookies), ("alice a 0".to_owned(), positions), "{cookies:?}");
    }
    assert_eq!(read_in(&[(SESSION, "x"), (SESSION, "y")]).0, "invalid");
    assert_eq!(read_in(&[(SESSION, "")]), ("absent".to_owned(), Vec::new()));
}

#[test]
fn shadowing_cookies_of_one_user_the_newest_session_counts_in_any_order() {
    let first = of("alice", "a", 0, 500);
    let refreshed = of("alice", "a", 3, 400);
    // A server that did not see the refresh has renewed the older tokens later.
    let renewed = of("alice", "a", 0, 100);
    let again = of("alice", "b", 0, 200);
    let ended = json!({ "sub": "alice", "provider": "acme", "sid": "c", "error": "RefreshTokenError" });
    let ended = sealed(V5, SESSION, &ended, 0);
    for (sessions, expected) in [
        (vec![&first, &refreshed], "alice a 3"),
        (vec![&first, &refreshed, &renewed], "alice a 3"),
        (vec![&first, &again], "alice b 0"),
        (vec![&renewed, &again], "alice a 0"),
        (vec![&refreshed, &renewed, &again], "alice b 0"),
        (vec![&again, &ended], "alice b 0"),
        (vec![&ended], "alice c 0"),
    ] {
        let mut cookies: Vec<_> = sessions.iter().map(|value| (SESSION, value.as_str())).collect();
        for _ in 0..cookies.len() {
            assert_eq!(read_in(&cookies).0, expected);
            cookies.rotate_left(1);
        }
        cookies.reverse();
        assert_eq!(read_in(&cookies).0, expected);
    }
}

#[test]
fn shadowing_cookies_of_different_users_sign_no_one_in() {
    let alice = of("alice", "a", 0, 0);
    let of_claims = |claims: &Value| sealed(V5, SESSION, claims, 1);
    for other in [
        of("bob", "b", 9, 0),
        of_claims(&json!({ "sub": "alice", "provider": "other", "sid": "c" })),
        of_claims(&json!({ "sub": "alice", "sid": "c" })),
        of_claims(&json!({ "provider": "acme", "sid": "c" })),
        // One session has one user.
        of_claims(&json!({ "sub": "bob", "provider": "acme", "sid": "a" })),
    ] {
        for cookies in [[(SESSION, &alice), (SESSION, &other)], [(SESSION, &other), (SESSION, &alice)]] {
            let cookies = cookies.map(|(name, value)| (name, value.as_str()));
            assert_eq!(read_in(&cookies), ("conflict".to_owned(), Vec::new()));
            let third = of("alice", "z", 1, 0);
            let three = [cookies.as_slice(), &[(SESSION, &third)]].concat();
            assert_eq!(read_in(&three).0, "conflict");
        }
    }
    // The cookie of the other dialect has another name: it counts if none of the configured dialect does.
    let bob = sealed(V4, "", &json!({ "sub": "bob", "provider": "acme", "sid": "b" }), 0);
    let carol = sealed(V4, "", &json!({ "sub": "carol", "provider": "acme" }), 0);
    assert_eq!(read_in(&[(OTHER, &bob), (SESSION, &alice)]), ("alice a 0".to_owned(), vec![1]));
    assert_eq!(read_in(&[(OTHER, &bob), (SESSION, "x")]), ("bob b 0".to_owned(), vec![0]));
    assert_eq!(read_in(&[(OTHER, &bob), (SESSION, "x"), (OTHER, &carol)]).0, "conflict");
}

#[test]
fn the_last_user_is_that_of_all_readable_cookies_or_unknown() {
    let (keys, naming) = (keys(), naming(None));
    let names = CookieNames::new(&naming, Dialect::AuthJsV5, true);
    let config = config();
    let sealing = Sealing { keys: &keys, dialect: Dialect::AuthJsV5, session: &config };
    let user = |sealed: &[String]| {
        let name = names.session();
        let header = sealed.iter().map(|value| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        last_user(sealing, &names, &Cookies::parse([header.as_str()].into_iter()))
    };
    let of = |sub: &str, provider: &str| {
        let claims = json!({ "sub": sub, "sid": "s", "provider": provider });
        sealed(Dialect::AuthJsV5, names.session(), &claims, 10)
    };
    let one = LastUser::One("acme".to_owned(), "bob".to_owned());
    assert_eq!(user(&[of("bob", "acme")]), one);
    assert_eq!(user(&[of("bob", "acme"), of("bob", "acme"), "garbage".to_owned()]), one);
    assert_eq!(user(&[of("bob", "acme"), of("eve", "acme")]), LastUser::Ambiguous);
    assert_eq!(user(&[of("bob", "acme"), of("bob", "other")]), LastUser::Ambiguous);
    assert_eq!(user(&[of("", "acme")]), LastUser::Ambiguous);
    assert_eq!(user(&[]), LastUser::Unknown);
}

#[test]
fn without_a_subject_only_versions_of_one_session_are_one_user_s() {
    let unnamed = |sid: &str, generation: u64| {
        sealed(V5, SESSION, &json!({ "sid": sid, "generation": generation }), generation)
    };
    let (a0, a1, b0) = (unnamed("a", 0), unnamed("a", 1), unnamed("b", 0));
    assert_eq!(read_in(&[(SESSION, &a0), (SESSION, &a1)]).0, "- a 1");
    assert_eq!(read_in(&[(SESSION, &a0), (SESSION, &b0)]).0, "conflict");
    let empty = |sid: &str| sealed(V5, SESSION, &json!({ "sub": "", "provider": "acme", "sid": sid }), 0);
    let (one, two) = (empty("a"), empty("b"));
    assert_eq!(read_in(&[(SESSION, &one), (SESSION, &two)]).0, "conflict");
}

#[test]
fn work_bombs_at_most_eight_cookies_are_opened() {
    let alice = of("alice", "a", 0, 0);
    let junk: Vec<String> = (0..200).map(|n| format!("junk{n}")).collect();
    let behind = |count: usize| {
        let mut cookies: Vec<(&str, &str)> =
            junk.iter().take(count).map(|value| (SESSION, value.as_str())).collect();
        cookies.push((SESSION, &alice));
        read_in(&cookies).0
    };
    assert_eq!(behind(MAX_ATTEMPTS - 1), "alice a 0");
    assert_eq!(behind(MAX_ATTEMPTS), "invalid");
    // All names and forms together.
    let numbered = chunk::chunk_name(SESSION, 0);
    let all = junk.iter().map(|value| format!("{SESSION}={value}a; {numbered}={value}; {OTHER}={value}"));
    let header = all.collect::<Vec<_>>().join("; ");
    let names = CookieNames::new(&naming(None), V5, true);
    let cookies = Cookies::parse([header.as_str()].into_iter());
    assert_eq!(attempts(V5, &names, &cookies).len(), MAX_ATTEMPTS);
    // The same value again costs no attempt.
    let mut cookies = vec![(SESSION, "junk"); 100];
    cookies.push((SESSION, &alice));
    assert_eq!(read_in(&cookies).0, "alice a 0");
}

#[test]
fn session_confusion_with_a_prefix_a_session_opens_only_in_the_cookie_of_that_prefix() {
    let claims = json!({ "sub": "alice", "provider": "acme" });
    let acme = "__Secure-acme.session-token";
    let is_read = |prefix: Option<&str>, dialect: Dialect, name: &str, value: &str| {
        let reading = read_as(&naming(prefix), dialect, &format!("{name}={value}"));
        matches!(reading.session, SessionCookie::Valid(_))
    };
    let (own, default) = (sealed(V5, acme, &claims, 0), sealed(V5, SESSION, &claims, 0));
    let next_auth = sealed(V4, "", &claims, 0);
    assert!(is_read(Some("acme"), V5, acme, &own));
    for (prefix, name, value) in [
        // A session of Auth.js in its own cookie belongs to the app.
        (Some("acme"), SESSION, &default),
        (Some("acme"), OTHER, &next_auth),
        // Moved to another cookie, it does not open.
        (Some("acme"), acme, &default),
        (Some("acme"), acme, &next_auth),
        (None, SESSION, &own),
        (None, OTHER, &own),
        (Some("other"), "__Secure-other.session-token", &own),
        (Some("acme"), "acme.session-token", &own),
        (Some("acme"), "__Host-acme.session-token", &own),
    ] {
        assert!(!is_read(prefix, V5, name, value), "{prefix:?} {name}");
    }
    // In next-auth 4 the key does not depend on the name, and a session of Auth.js 5 with this name is read, too.
    assert!(is_read(Some("acme"), V4, acme, &next_auth));
    assert!(is_read(Some("acme"), V4, acme, &own));
    assert!(!is_read(Some("acme"), V4, acme, &default));
    let bob = sealed(V4, "", &json!({ "sub": "bob", "provider": "acme" }), 0);
    let both = format!("{acme}={own}; {acme}={bob}");
    let reading = read_as(&naming(Some("acme")), V4, &both);
    assert!(matches!(reading.session, SessionCookie::Conflict), "both dialects have one name");
}

#[test]
fn the_only_session_is_found_without_opening_it() {
    let only = |prefix: Option<&str>, dialect: Dialect, header: &str| {
        let names = CookieNames::new(&naming(prefix), dialect, true);
        only_positions(dialect, &names, &Cookies::parse([header].into_iter()))
    };
    let (v5, v4) = ("__Secure-authjs.session-token", "__Secure-next-auth.session-token");
    assert_eq!(only(None, V5, "a=1"), Some(vec![]));
    assert_eq!(only(None, V5, &format!("a=1; {v5}=x; {v5}.0=")), Some(vec![1]));
    assert_eq!(only(None, V5, &format!("{v4}.1=b; {v4}.0=a; {v4}.01=c")), Some(vec![1, 0]));
    assert_eq!(only(None, V5, &format!("{v5}=x; {v4}=y")), None);
    assert_eq!(only(None, V5, &format!("{v5}=x; {v5}=y")), None);
    assert_eq!(only(Some("acme"), V4, "__Secure-acme.session-token=x"), Some(vec![0]));
}
