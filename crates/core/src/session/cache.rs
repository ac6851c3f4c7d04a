//! The sessions that an isolate has opened of late. A browser sends its cookie with every request, and most of what
//! a guarded request costs is opening it.
//!
//! Nothing is believed of a token that was not proven: it is the same text, for the same cookie, under the same
//! keys, and its times are looked at again. Only what opened is kept, so strangers cannot fill it; how much is kept
//! is bounded, and what was used last stays longest.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::session::dialect::Dialect;
use crate::session::seal::{self, OpenError};
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::time::Timestamp;

/// So many people's requests, at once or one after the other, find their sessions opened.
const MOST: usize = 64;

/// So many characters all tokens have together. Their claims take some three times that.
const MOST_CHARACTERS: usize = 256 * 1024;

/// Sessions by their tokens. For one keyring: another one has a memory of its own.
#[derive(Default)]
pub struct SessionCache(RefCell<Vec<Entry>>);

struct Entry {
    fingerprint: u128,
    token: Zeroizing<String>,
    dialect: Dialect,
    salt: String,
    claims: Rc<Map<String, Value>>,
}

impl SessionCache {
    /// [`seal::open`], remembered.
    pub fn open(
        &self,
        keys: &Keyring,
        dialect: Dialect,
        salt: &str,
        token: &str,
        now: Timestamp,
    ) -> Result<Rc<Map<String, Value>>, OpenError> {
        let Some(mark) = fingerprint(token) else {
            return Ok(Rc::new(seal::open(keys, dialect, salt, token, now)?));
        };
        let mut entries = self.0.borrow_mut();
        let known = entries.iter().position(|entry| {
            entry.fingerprint == mark
                && *entry.token == token
                && entry.dialect == dialect
                && entry.salt == salt
        });
        if let Some(at) = known {
            let claims = entries.get(at).map(|entry| Rc::clone(&entry.claims)).unwrap_or_default();
            if let Err(error) = seal::check_times(&claims, now) {
                entries.remove(at);
                return Err(error);
            }
            if let Some(used) = entries.get_mut(..=at) {
                used.rotate_right(1);
            }
            return Ok(claims);
        }
        let claims = Rc::new(seal::open(keys, dialect, salt, token, now)?);
        let (token, salt) = (Zeroizing::new(token.to_owned()), salt.to_owned());
        entries.insert(0, Entry { fingerprint: mark, token, dialect, salt, claims: Rc::clone(&claims) });
        let mut characters = 0;
        let fits = |entry: &Entry| {
            characters += entry.token.len();
            characters <= MOST_CHARACTERS
        };
        let kept = entries.iter().take(MOST).map(fits).take_while(|fits| *fits).count();
        entries.truncate(kept);
        Ok(claims)
    }
}

/// The end of the token, which is that of its authentication tag: 96 bits that nobody can guess. Compared as a
/// number, so that the time tells nothing of how much of it was right; whoever has it right has the token.
fn fingerprint(token: &str) -> Option<u128> {
    token.as_bytes().last_chunk().map(|end| u128::from_le_bytes(*end))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use vestibule_oidc::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn keys(secret: &str) -> Keyring {
        Keyring::new(vec![Secret::new(secret)]).unwrap()
    }

    fn sealed(keys: &Keyring, claims: &Value) -> String {
        let mut dice = 0;
        let random = &mut |bytes: &mut [u8]| {
            dice += 1;
            bytes.fill(dice);
        };
        seal::seal(keys, Dialect::AuthJsV5, "s", claims.as_object().unwrap(), DAY, NOW, random)
    }

    fn kept(opened: &SessionCache) -> usize {
        opened.0.borrow().len()
    }

    #[test]
    fn what_was_opened_is_opened_again_without_a_key() {
        let (keys, others, opened) = (keys("a"), keys("b"), SessionCache::default());
        let token = sealed(&keys, &json!({ "sub": "alice" }));
        let first = opened.open(&keys, Dialect::AuthJsV5, "s", &token, NOW).unwrap();
        // The other keyring shows that none was asked: a memory is never shared between two.
        let again = opened.open(&others, Dialect::AuthJsV5, "s", &token, NOW).unwrap();
        assert!(Rc::ptr_eq(&first, &again) && kept(&opened) == 1);
        assert!(SessionCache::default().open(&others, Dialect::AuthJsV5, "s", &token, NOW).is_err());
    }

    #[test]
    fn unbounded_token_what_has_expired_since_does_not_open() {
        let (keys, opened) = (keys("a"), SessionCache::default());
        let token = sealed(&keys, &json!({}));
        let open = |now| opened.open(&keys, Dialect::AuthJsV5, "s", &token, now).map(drop);
        assert_eq!(open(NOW), Ok(()));
        assert_eq!(open(NOW.plus(DAY)), Ok(()), "within the tolerance");
        assert_eq!(open(NOW.plus(DAY).plus(Duration::from_secs(15))), Err(OpenError::Expired));
        assert_eq!(kept(&opened), 0);
    }

    #[test]
    fn session_confusion_a_remembered_token_opens_for_its_own_cookie_alone() {
        let (keys, opened) = (keys("a"), SessionCache::default());
        let token = sealed(&keys, &json!({}));
        opened.open(&keys, Dialect::AuthJsV5, "s", &token, NOW).unwrap();
        for (dialect, salt) in [
            (Dialect::AuthJsV5, "t"),
            (Dialect::AuthJsV5, ""),
            (Dialect::NextAuthV4, "s"),
            (Dialect::NextAuthV4, ""),
        ] {
            assert!(opened.open(&keys, dialect, salt, &token, NOW).is_err(), "{dialect:?} {salt}");
        }
    }

    #[test]
    fn no_other_token_is_taken_for_a_remembered_one() {
        let (keys, opened) = (keys("a"), SessionCache::default());
        let token = sealed(&keys, &json!({ "sub": "alice" }));
        opened.open(&keys, Dialect::AuthJsV5, "s", &token, NOW).unwrap();
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(opened.open(&keys, Dialect::AuthJsV5, "s", &other, NOW).is_err(), "{at}");
        }
        assert!(opened.open(&keys, Dialect::AuthJsV5, "s", &token[..token.len() - 1], NOW).is_err());
        assert!(opened.open(&keys, Dialect::AuthJsV5, "s", &format!(" {token}"), NOW).is_err());
    }

    #[test]
    fn strangers_cannot_fill_it_and_it_stays_small() {
        let (keys, opened) = (keys("a"), SessionCache::default());
        for stranger in ["", "x", "a.b.c.d.e", &"e".repeat(100)] {
            assert!(opened.open(&keys, Dialect::AuthJsV5, "s", stranger, NOW).is_err());
        }
        assert_eq!(kept(&opened), 0);
        let first = sealed(&keys, &json!({ "n": 0 }));
        for n in 0..2 * MOST {
            opened.open(&keys, Dialect::AuthJsV5, "s", &sealed(&keys, &json!({ "n": n })), NOW).unwrap();
            // Used again and again, it outlives the others.
            opened.open(&keys, Dialect::AuthJsV5, "s", &first, NOW).unwrap();
        }
        assert_eq!(kept(&opened), MOST);
        assert!(opened.0.borrow().iter().any(|entry| *entry.token == first));
        for n in 0..10 {
            let large = json!({ "n": n, "large": "x".repeat(40_000) });
            opened.open(&keys, Dialect::AuthJsV5, "s", &sealed(&keys, &large), NOW).unwrap();
        }
        let characters: usize = opened.0.borrow().iter().map(|entry| entry.token.len()).sum();
        assert!(characters <= MOST_CHARACTERS && kept(&opened) < 8, "{characters}");
    }
}
