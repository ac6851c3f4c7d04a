//! The ID token, which a sign-out at the provider sends as a hint, sealed in a cookie of its own.
//!
//! - Browsers send it to the sign-out route only, on all hosts that share the session. So neither an upstream nor any
//!   other route sees it, and it adds nothing to the other requests.
//! - It belongs to one session (`sid`): a hint that is left over from another session, or was planted, is not used.
//! - Its key is separate: a hint never opens as a session, nor a session as a hint.
//! - Only the sign-out route sees how many cookies it is. So the session says it, for what writes or erases it elsewhere.

use std::time::Duration;

use serde_json::Value;

use crate::session::chunk;
use crate::session::claims::Session;
use crate::session::dialect::Dialect;
use crate::session::names::CookieNames;
use crate::session::policy::Sealing;
use crate::session::{cookie, seal};
use vestibule_oidc::http::cookie::Cookies;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::json;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// The largest ID token, in bytes. It has to fit into a URL, next to the other parameters, of which servers accept 8 kB; and
/// sealed into two cookies.
pub const MAX_ID_TOKEN: usize = 4096;

/// The largest number of cookies of a hint.
const MAX_CHUNKS: usize = 2;

/// The longest sealed hint, in characters, that is read.
const MAX_SEALED: usize = 8 * 1024;

/// How many cookies are opened.
const MAX_DUPLICATES: usize = 4;

/// How long a hint is kept where nothing else ends the session: as long as browsers keep a cookie.
const MAX_LIFETIME: Duration = Duration::from_hours(24 * 400);

/// An ID token of a session.
#[derive(Clone, Debug)]
pub struct LogoutHint {
    /// The session's `sid`.
    pub sid: String,
    /// The ID token.
    pub id_token: Secret,
}

impl LogoutHint {
    /// The hint of a session. `None` if the ID token is too large, or the session has no `sid`.
    pub fn of(session: &Session, id_token: &Secret) -> Option<Self> {
        let sid = session.sid().filter(|sid| !sid.is_empty())?.to_owned();
        (id_token.expose().len() <= MAX_ID_TOKEN).then(|| Self { sid, id_token: id_token.clone() })
    }

    /// The names and values of the hint's cookies. `None` if they would be too many.
    pub fn seal(
        &self,
        keys: &Keyring,
        names: &CookieNames,
        lifetime: Duration,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Option<Vec<(String, String)>> {
        let claims =
            json::of(&[("sid", self.sid.as_str().into()), ("id_token", self.id_token.expose().into())]);
        let (dialect, name) = (Dialect::AuthJsV5, names.logout_hint());
        let sealed = seal::seal(keys, dialect, name, &claims, lifetime, now, random);
        let chunks = chunk::split(name, &sealed, dialect);
        (chunks.len() <= MAX_CHUNKS).then_some(chunks)
    }

    /// The ID token of the session with this `sid`.
    pub fn find(
        cookies: &Cookies,
        sid: &str,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
    ) -> Option<Secret> {
        let name = names.logout_hint();
        chunk::candidates(cookies, name, MAX_DUPLICATES).into_iter().find_map(|candidate| {
            let claims = seal::open_up_to(MAX_SEALED, keys, name, &candidate.value, now).ok()?;
            let is_of_session = claims.get("sid").and_then(Value::as_str) == Some(sid);
            json::string(&claims, "id_token").filter(|_| is_of_session).map(Secret::new)
        })
    }
}

/// How long the hint of a session is kept: until the session ends, however often it is renewed. The cookie is not renewed,
/// because most requests do not show it.
pub fn lifetime(sealing: Sealing<'_>, session: &Session, now: Timestamp) -> Duration {
    let ends = [cookie::absolute_end(sealing.session, session), session.ends_at()];
    ends.into_iter().flatten().map(|end| end.since(now)).fold(MAX_LIFETIME, Duration::min)
}

/// The names of the cookies that may have the hint of a session with so many `chunks`, and of those in the request.
///
/// These are all names that a hint can have, not only as many as the session says: two answers that reach the browser in
/// another order than they were sent may leave the hint of one and the session of the other.
pub fn names_to_erase(names: &CookieNames, cookies: &Cookies, chunks: Option<usize>) -> Vec<String> {
    let name = names.logout_hint();
    let mut erased = chunk::stale(cookies, name, &[]);
    if let Some(count) = chunks {
        let numbered = (0..count.clamp(MAX_CHUNKS, chunk::MAX_CHUNKS)).map(|n| chunk::chunk_name(name, n));
        for possible in std::iter::once(name.to_owned()).chain(numbered) {
            if !erased.contains(&possible) {
                erased.push(possible);
            }
        }
    }
    erased
}

/// Whether a cookie of this name has a hint, or a part of one.
pub fn is_hint(names: &CookieNames, cookie: &str) -> bool {
    chunk::is_of_session(cookie, names.logout_hint())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::session::names::CookieNaming;
    use crate::session::policy::{Persistence, SessionConfig};
    use crate::session::tokens::TokenStorage;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn keys() -> Keyring {
        Keyring::new(vec![Secret::new("secret")]).unwrap()
    }

    fn names() -> CookieNames {
        CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true)
    }

    fn session(claims: &Value) -> Session {
        Session::new(claims.as_object().unwrap().clone())
    }

    fn sealed(sid: &str, token: &str) -> Vec<(String, String)> {
        let hint = LogoutHint::of(&session(&json!({ "sid": sid })), &Secret::new(token)).unwrap();
        hint.seal(&keys(), &names(), HOUR, NOW, &mut |bytes| bytes.fill(7)).unwrap()
    }

    fn header(cookies: &[(String, String)]) -> String {
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn found(header: &str, sid: &str, now: Timestamp) -> Option<String> {
        let cookies = Cookies::parse(std::iter::once(header));
        LogoutHint::find(&cookies, sid, &keys(), &names(), now).map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_hint_opens_for_its_session_only_and_until_it_ends() {
        for size in [3, 2000, MAX_ID_TOKEN] {
            let token = "t".repeat(size);
            let cookies = header(&sealed("s-1", &token));
            assert_eq!(found(&cookies, "s-1", NOW), Some(token), "{size}");
            assert_eq!(found(&cookies, "s-2", NOW), None);
            assert_eq!(found(&cookies, "", NOW), None);
            assert_eq!(found(&cookies, "s-1", NOW.plus(HOUR * 2)), None);
        }
        let too_large = Secret::new("t".repeat(MAX_ID_TOKEN + 1));
        assert!(LogoutHint::of(&session(&json!({ "sid": "s-1" })), &too_large).is_none());
        assert!(LogoutHint::of(&session(&json!({ "sid": "" })), &Secret::new("t")).is_none());
    }

    #[test]
    fn shadowing_cookies_the_hint_of_the_session_is_found_among_others() {
        let other = header(&sealed("s-2", "other"));
        let name = names().logout_hint().to_owned();
        for planted in ["x".to_owned(), String::new()] {
            let all = [format!("{name}={planted}"), other.clone(), header(&sealed("s-1", "mine"))];
            assert_eq!(found(&all.join("; "), "s-1", NOW), Some("mine".to_owned()));
        }
        // A shorter hint after a longer one of an earlier session, which another path hid.
        let long = header(&sealed("s-2", &"t".repeat(MAX_ID_TOKEN)));
        let all = [long, header(&sealed("s-1", "mine"))].join("; ");
        assert_eq!(found(&all, "s-1", NOW), Some("mine".to_owned()));
    }

    #[test]
    fn session_confusion_a_hint_never_opens_as_a_session_nor_a_session_as_a_hint() {
        let names = names();
        let hint = sealed("s-1", "t").remove(0).1;
        let claims = json!({ "sid": "s-1", "id_token": "t", "sub": "bob" });
        for salt in [names.session(), names.transaction_prefix(), names.ticket(), names.logout_state(), ""] {
            for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
                assert!(seal::open_session(&keys(), dialect, salt, &hint, NOW).is_err(), "{salt}");
                let random = &mut |bytes: &mut [u8]| bytes.fill(7);
                let other =
                    seal::seal(&keys(), dialect, salt, claims.as_object().unwrap(), HOUR, NOW, random);
                let planted = format!("{}={other}", names.logout_hint());
                assert_eq!(found(&planted, "s-1", NOW), None, "{salt}");
            }
        }
        assert!(is_hint(&names, names.logout_hint()));
        assert!(is_hint(&names, &chunk::chunk_name(names.logout_hint(), 1)));
        assert!(!names.all_sessions().any(|session| is_hint(&names, session)));
        // Auth.js takes every cookie whose name begins with the session's for a part of it.
        assert!(!names.all_sessions().any(|session| names.logout_hint().starts_with(session)));
    }

    #[test]
    fn every_cookie_of_a_hint_is_erased_also_where_the_request_has_none() {
        let names = names();
        let erased = |header: &str, claims: &Value| {
            let cookies = Cookies::parse(std::iter::once(header));
            let erased = names_to_erase(&names, &cookies, session(claims).hint_chunks());
            erased.into_iter().map(|name| name.replace(names.logout_hint(), "H")).collect::<Vec<_>>()
        };
        assert_eq!(erased("", &json!({ "sid": "s" })), Vec::<String>::new());
        assert_eq!(erased("", &json!({ "hint_chunks": 1 })), ["H", "H.0", "H.1"]);
        assert_eq!(erased("", &json!({ "hint_chunks": 3 })), ["H", "H.0", "H.1", "H.2"]);
        let name = names.logout_hint();
        assert_eq!(erased(&format!("{name}.1=x; {name}.7=y"), &json!({})), ["H.1", "H.7"]);
    }

    #[test]
    fn a_hint_is_kept_until_its_session_ends_and_at_most_400_days() {
        const DAY: Duration = Duration::from_hours(24);
        let lifetime = |absolute_max_age: Option<Duration>, claims: &Value| {
            let config = SessionConfig {
                max_age: HOUR,
                update_age: HOUR,
                revalidate: None,
                absolute_max_age,
                persistence: Persistence::Persistent,
                expose: Vec::new(),
                updatable: Vec::new(),
                tokens: TokenStorage::Cookie,
            };
            let sealing = Sealing { keys: &keys(), dialect: Dialect::AuthJsV5, session: &config };
            super::lifetime(sealing, &session(claims), NOW)
        };
        let signed_in = json!({ "signed_in_at": NOW.minus(DAY).seconds() });
        let ends = json!({ "signed_in_at": NOW.seconds(), "ends_at": NOW.plus(HOUR).seconds() });
        assert_eq!(lifetime(None, &signed_in), 400 * DAY);
        assert_eq!(lifetime(Some(500 * DAY), &signed_in), 400 * DAY);
        assert_eq!(lifetime(Some(90 * DAY), &signed_in), 89 * DAY);
        assert_eq!(lifetime(Some(90 * DAY), &ends), HOUR);
        assert_eq!(lifetime(None, &ends), HOUR);
    }
}
