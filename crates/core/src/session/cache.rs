//! A cache of the sessions that a process has opened recently. A browser sends its cookie with every request, and
//! opening it is most of the cost of a guarded request.
//!
//! A cached session is used only for the same token, the same cookie and the same keys, and its times are checked
//! every time. Only tokens that opened are cached, so clients without a session cannot fill the cache. Its size is
//! bounded, and the least recently used sessions are removed first.

use std::cell::RefCell;

use zeroize::Zeroizing;

use crate::session::claims::Session;
use crate::session::dialect::Dialect;
use crate::session::seal::{self, OpenError, Validity};
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::long_text;
use vestibule_oidc::time::Timestamp;

/// How many sessions are cached.
const MAX_SESSIONS: usize = 64;

/// How many characters the cached tokens have together. Their claims take about three times as much memory.
const MAX_CHARACTERS: usize = 256 * 1024;

/// The opened sessions of one keyring, the most recently used first. Each keyring needs its own cache: tokens are not
/// cached with their keys.
#[derive(Default)]
pub struct SessionCache(RefCell<Vec<Entry>>);

struct Entry {
    fingerprint: u128,
    token: Zeroizing<String>,
    dialect: Dialect,
    salt: String,
    validity: Validity,
    session: Session,
}

impl SessionCache {
    /// Like [`seal::open_session`], but a token that was opened before is not decrypted again.
    pub fn open(
        &self,
        keys: &Keyring,
        dialect: Dialect,
        salt: &str,
        token: &str,
        now: Timestamp,
    ) -> Result<Session, OpenError> {
        let open = || seal::open_session(keys, dialect, salt, token, now).map(Session::new);
        let Some(fingerprint) = fingerprint(token) else { return open() };
        let mut entries = self.0.borrow_mut();
        let position = entries.iter().position(|entry| {
            entry.fingerprint == fingerprint
                && long_text::are_equal(&entry.token, token)
                && entry.dialect == dialect
                && entry.salt == salt
        });
        if let Some((at, known)) = position.and_then(|at| Some((at, entries.get(at)?))) {
            if let Err(error) = known.validity.check(now) {
                entries.remove(at);
                return Err(error);
            }
            let session = known.session.clone();
            if let Some(used) = entries.get_mut(..=at) {
                used.rotate_right(1);
            }
            return Ok(session);
        }
        let session = open()?;
        let validity = Validity::of(session.claims())?;
        let (token, salt) = (Zeroizing::new(token.to_owned()), salt.to_owned());
        entries.insert(0, Entry { fingerprint, token, dialect, salt, validity, session: session.clone() });
        let mut characters = 0;
        let fits = |entry: &Entry| {
            characters += entry.token.len();
            characters <= MAX_CHARACTERS
        };
        let count = entries.iter().take(MAX_SESSIONS).map(fits).take_while(|fits| *fits).count();
        entries.truncate(count);
        Ok(session)
    }
}

/// The last 16 characters of the token. They are the end of its authentication tag: 96 bits that an attacker cannot
/// guess. They are compared as one number, so that the time does not reveal how many characters are right. A client
/// that has all of them has the token.
fn fingerprint(token: &str) -> Option<u128> {
    token.as_bytes().last_chunk().map(|end| u128::from_le_bytes(*end))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use vestibule_oidc::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn keys(secret: &str) -> Keyring {
        Keyring::new(vec![Secret::new(secret)]).unwrap()
    }

    fn sealed(keys: &Keyring, claims: &Value) -> String {
        let mut counter = 0;
        let random = &mut |bytes: &mut [u8]| {
            counter += 1;
            bytes.fill(counter);
        };
        seal::seal(keys, Dialect::AuthJsV5, "s", claims.as_object().unwrap(), DAY, NOW, random)
    }

    fn len(cache: &SessionCache) -> usize {
        cache.0.borrow().len()
    }

    #[test]
    fn a_cached_token_opens_without_its_key() {
        let (keys, others, cache) = (keys("a"), keys("b"), SessionCache::default());
        let token = sealed(&keys, &json!({ "sub": "alice" }));
        let first = cache.open(&keys, Dialect::AuthJsV5, "s", &token, NOW).unwrap();
        // The other keyring cannot open the token, so the claims come from the cache. Real keyrings never share a
        // cache.
        let again = cache.open(&others, Dialect::AuthJsV5, "s", &token, NOW).unwrap();
        assert!(std::ptr::eq(first.claims(), again.claims()) && len(&cache) == 1);
        assert!(SessionCache::default().open(&others, Dialect::AuthJsV5, "s", &token, NOW).is_err());
    }

    #[test]
    fn unbounded_token_that_expires_in_the_cache_does_not_open() {
        let (keys, cache) = (keys("a"), SessionCache::default());
        let token = sealed(&keys, &json!({}));
        let open = |now| cache.open(&keys, Dialect::AuthJsV5, "s", &token, now).map(drop);
        assert_eq!(open(NOW), Ok(()));
        assert_eq!(open(NOW.plus(DAY)), Ok(()), "within the tolerance");
        assert_eq!(open(NOW.plus(DAY).plus(Duration::from_secs(15))), Err(OpenError::Expired));
        assert_eq!(len(&cache), 0);
    }

    #[test]
    fn session_confusion_a_cached_token_opens_only_for_its_own_cookie() {
        let (keys, cache) = (keys("a"), SessionCache::default());
        let token = sealed(&keys, &json!({}));
        cache.open(&keys, Dialect::AuthJsV5, "s", &token, NOW).unwrap();
        for (dialect, salt) in [
            (Dialect::AuthJsV5, "t"),
            (Dialect::AuthJsV5, ""),
            (Dialect::NextAuthV4, "s"),
            (Dialect::NextAuthV4, ""),
        ] {
            assert!(cache.open(&keys, dialect, salt, &token, NOW).is_err(), "{dialect:?} {salt}");
        }
    }

    #[test]
    fn a_token_that_differs_in_one_character_does_not_match_a_cached_one() {
        let (keys, cache) = (keys("a"), SessionCache::default());
        let token = sealed(&keys, &json!({ "sub": "alice" }));
        cache.open(&keys, Dialect::AuthJsV5, "s", &token, NOW).unwrap();
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(cache.open(&keys, Dialect::AuthJsV5, "s", &other, NOW).is_err(), "{at}");
        }
        assert!(cache.open(&keys, Dialect::AuthJsV5, "s", &token[..token.len() - 1], NOW).is_err());
        assert!(cache.open(&keys, Dialect::AuthJsV5, "s", &format!(" {token}"), NOW).is_err());
    }

    #[test]
    fn tokens_are_told_apart_by_their_last_sixteen_characters_before_they_are_compared() {
        let end = "0123456789abcdef";
        assert_eq!(fingerprint(&format!("a{end}")), fingerprint(&format!("b{end}")));
        for at in 0..end.len() {
            let mut other = end.to_owned();
            other.replace_range(at..=at, "x");
            assert_ne!(fingerprint(end), fingerprint(&other), "{other}");
        }
        assert_eq!(fingerprint(&end[1..]), None);
    }

    #[test]
    fn invalid_tokens_are_not_cached_and_the_cache_stays_small() {
        let (keys, cache) = (keys("a"), SessionCache::default());
        for invalid in ["", "x", "a.b.c.d.e", &"e".repeat(100)] {
            assert!(cache.open(&keys, Dialect::AuthJsV5, "s", invalid, NOW).is_err());
        }
        assert_eq!(len(&cache), 0);
        let first = sealed(&keys, &json!({ "n": 0 }));
        for n in 0..2 * MAX_SESSIONS {
            cache.open(&keys, Dialect::AuthJsV5, "s", &sealed(&keys, &json!({ "n": n })), NOW).unwrap();
            // A session that is used again and again stays in the cache.
            cache.open(&keys, Dialect::AuthJsV5, "s", &first, NOW).unwrap();
        }
        assert_eq!(len(&cache), MAX_SESSIONS);
        assert!(cache.0.borrow().iter().any(|entry| *entry.token == first));
        for n in 0..10 {
            let large = json!({ "n": n, "large": "x".repeat(40_000) });
            cache.open(&keys, Dialect::AuthJsV5, "s", &sealed(&keys, &large), NOW).unwrap();
        }
        let characters: usize = cache.0.borrow().iter().map(|entry| entry.token.len()).sum();
        assert!(characters <= MAX_CHARACTERS && len(&cache) < 8, "{characters}");
    }
}
