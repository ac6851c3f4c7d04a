//! Seals claims as Auth.js does: Vestibule opens the tokens that Auth.js seals, and Auth.js those of Vestibule.
//!
//! The key depends on the salt, which is the cookie's name, so a token that was sealed for one cookie never opens as
//! another. In next-auth 4 the session's salt is empty.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::session::dialect::Dialect;
use vestibule_oidc::jose::jwe::{self, ContentEncryption, JweError, SealedJwe};
use vestibule_oidc::jose::kdf::{DerivedKey, Keyring, Purpose};
use vestibule_oidc::json;
use vestibule_oidc::time::Timestamp;

/// How far the clocks of two servers may differ, in seconds. The value is that of Auth.js.
const CLOCK_TOLERANCE: u64 = 15;

/// The last second of the year 9999. A later time is invalid: most likely it is in milliseconds.
const MAX_TIME: f64 = 253_402_300_799.0;

/// Seals `claims` with the newest secret, for the cookie with this `salt`. The token is valid for `lifetime`.
///
/// `iat`, `exp` (RFC 7519 section 4.1, in whole seconds) and a new `jti` replace those of `claims`. `random` fills the
/// initialization vector and the `jti`. A result of more than [`jwe::MAX_TOKEN`] characters does not open:
/// [`chunk::fits`](super::chunk::fits) checks the length.
pub fn seal(
    keys: &Keyring,
    dialect: Dialect,
    salt: &str,
    claims: &Map<String, Value>,
    lifetime: Duration,
    now: Timestamp,
    random: &mut dyn FnMut(&mut [u8]),
) -> String {
    let mut claims = claims.clone();
    claims.insert("iat".to_owned(), now.seconds().into());
    claims.insert("exp".to_owned(), now.plus(lifetime).seconds().into());
    claims.insert("jti".to_owned(), uuid_v4(random).into());
    let plaintext = Value::Object(claims).to_string();

    let info = info(dialect, salt);
    let newest = keys.newest(&Purpose { encryption: encryption_of(dialect), salt, info: &info });
    let kid = match dialect {
        Dialect::AuthJsV5 => Some(newest.kid.as_str()),
        Dialect::NextAuthV4 => None,
    };
    jwe::seal(&newest.key, kid, plaintext.as_bytes(), random)
}

/// Opens a token that was sealed in `dialect` for the cookie with this `salt`, and checks that it is valid at `now`.
///
/// As in Auth.js, the `kid` selects the secret, and a token with an unknown `kid` is not decrypted. `exp` and `nbf`
/// have a tolerance of 15 seconds. A token of Auth.js 5 without a `kid` is opened with the newest secret only.
/// next-auth 4 has one secret and writes no `kid`, so every secret is tried; otherwise changing the secret would end
/// all its sessions. Unlike in Auth.js, a token without an `exp`, or with one that is not a plausible time, does not
/// open.
pub fn open(
    keys: &Keyring,
    dialect: Dialect,
    salt: &str,
    token: &str,
    now: Timestamp,
) -> Result<Map<String, Value>, OpenError> {
    open_with_key(keys, dialect, salt, token, now).map(|(claims, _)| claims)
}

/// Like [`open`], for a session. A session that Auth.js made has no `sid`: it gets one that is derived from its `jti`, or
/// else from the whole token, and from the key that opened it. So it is the same for every copy of the token, stays the
/// same when the secret is replaced, and only a holder of the secret can compute it.
pub fn open_session(
    keys: &Keyring,
    dialect: Dialect,
    salt: &str,
    token: &str,
    now: Timestamp,
) -> Result<Map<String, Value>, OpenError> {
    let (mut claims, key) = open_with_key(keys, dialect, salt, token, now)?;
    if claims.get("sid").and_then(Value::as_str).is_none_or(str::is_empty) {
        let jti = claims.get("jti").and_then(Value::as_str).filter(|jti| !jti.is_empty());
        let sid = key.derive_id("Vestibule session id", jti.unwrap_or(token));
        claims.insert("sid".to_owned(), sid.into());
    }
    Ok(claims)
}

/// Like [`open`], for a token of at most `max` characters.
pub fn open_up_to(
    max: usize,
    keys: &Keyring,
    salt: &str,
    token: &str,
    now: Timestamp,
) -> Result<Map<String, Value>, OpenError> {
    let sealed = SealedJwe::parse_up_to(token, max)?;
    let (plaintext, _) = decrypt(keys, Dialect::AuthJsV5, salt, &sealed)?;
    let claims = json::object(&plaintext).ok_or(OpenError::NotAnObject)?;
    check_times(&claims, now)?;
    Ok(claims)
}

/// The claims of a token that may have expired. They say whose it was, and are no session.
pub(super) fn open_ended(
    keys: &Keyring,
    dialect: Dialect,
    salt: &str,
    token: &str,
) -> Result<Map<String, Value>, OpenError> {
    let sealed = SealedJwe::parse(token)?;
    let (plaintext, _) = decrypt(keys, dialect, salt, &sealed)?;
    json::object(&plaintext).ok_or(OpenError::NotAnObject)
}

fn open_with_key(
    keys: &Keyring,
    dialect: Dialect,
    salt: &str,
    token: &str,
    now: Timestamp,
) -> Result<(Map<String, Value>, Rc<DerivedKey>), OpenError> {
    let sealed = SealedJwe::parse(token)?;
    if dialect == Dialect::NextAuthV4 && sealed.encryption() != encryption_of(dialect) {
        return Err(OpenError::OtherDialect);
    }
    let (plaintext, key) = decrypt(keys, dialect, salt, &sealed)?;
    let claims = json::object(&plaintext).ok_or(OpenError::NotAnObject)?;
    check_times(&claims, now)?;
    Ok((claims, key))
}

/// The plaintext, and the key that opened it.
fn decrypt(
    keys: &Keyring,
    dialect: Dialect,
    salt: &str,
    sealed: &SealedJwe<'_>,
) -> Result<(Vec<u8>, Rc<DerivedKey>), OpenError> {
    let info = info(dialect, salt);
    let purpose = Purpose { encryption: sealed.encryption(), salt, info: &info };
    let key = match (sealed.kid(), dialect) {
        (Some(kid), _) => {
            keys.keys(&purpose).find(|derived| derived.kid == kid).ok_or(OpenError::UnknownKey)?
        }
        (None, Dialect::AuthJsV5) => keys.newest(&purpose),
        (None, Dialect::NextAuthV4) => {
            return keys
                .keys(&purpose)
                .find_map(|derived| Some((sealed.open(&derived.key).ok()?, derived)))
                .ok_or(OpenError::Jwe(JweError::Unauthentic));
        }
    };
    Ok((sealed.open(&key.key)?, key))
}

/// Checks `exp`, `nbf` and `iat` (RFC 7519 sections 4.1.4 to 4.1.6) as Auth.js does.
fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), OpenError> {
    Validity::of(claims)?.check(now)
}

/// When a token is valid, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    not_before: Option<f64>,
    expires: f64,
}

impl Validity {
    /// What the claims of a token say.
    pub(super) fn of(claims: &Map<String, Value>) -> Result<Self, OpenError> {
        let expires = time(claims, "exp")?.ok_or(OpenError::MissingExpiry)?;
        let not_before = time(claims, "nbf")?;
        time(claims, "iat")?;
        Ok(Self { not_before, expires })
    }

    /// Whether the token is valid now.
    pub(super) fn check(self, now: Timestamp) -> Result<(), OpenError> {
        let (now, tolerance) = (as_f64(now.seconds()), as_f64(CLOCK_TOLERANCE));
        if self.not_before.is_some_and(|begins| begins > now + tolerance) {
            return Err(OpenError::NotYetValid);
        }
        if self.expires + tolerance <= now {
            return Err(OpenError::Expired);
        }
        Ok(())
    }
}

/// A claim that is a `NumericDate` (RFC 7519 section 2): a number of seconds, which may have a fraction.
fn time(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<f64>, OpenError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    match value.as_f64() {
        Some(seconds) if (0.0..=MAX_TIME).contains(&seconds) => Ok(Some(seconds)),
        _ => Err(OpenError::InvalidTime(claim)),
    }
}

#[allow(clippy::cast_precision_loss, reason = "seconds need 53 bits in 285 million years")]
fn as_f64(seconds: u64) -> f64 {
    seconds as f64
}

/// Why a token does not open. Either the client altered it, or it expired, or a secret was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The token is not a valid JWE, or was altered.
    #[error(transparent)]
    Jwe(#[from] JweError),
    /// No configured secret has the token's `kid` for this cookie.
    #[error("the token was sealed with a secret that is not configured, or for another cookie")]
    UnknownKey,
    /// This dialect does not use the token's `enc`.
    #[error("the token was sealed in another dialect of Auth.js")]
    OtherDialect,
    /// The token's plaintext is not a JSON object.
    #[error("the token does not contain a JSON object")]
    NotAnObject,
    /// The token has no `exp`, so it would be valid forever.
    #[error("the token has no exp claim, and a session must expire")]
    MissingExpiry,
    /// The named claim is not a number of seconds between 1970 and 9999.
    #[error("the token's {0} claim is not a time in seconds between the years 1970 and 9999")]
    InvalidTime(&'static str),
    /// `exp` is in the past.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// The content encryption (`enc`) that a dialect writes.
fn encryption_of(dialect: Dialect) -> ContentEncryption {
    match dialect {
        Dialect::AuthJsV5 => ContentEncryption::A256CbcHs512,
        Dialect::NextAuthV4 => ContentEncryption::A256Gcm,
    }
}

/// The info parameter of HKDF (RFC 5869) in a dialect.
fn info(dialect: Dialect, salt: &str) -> String {
    match (dialect, salt) {
        (Dialect::AuthJsV5, _) => format!("Auth.js Generated Encryption Key ({salt})"),
        (Dialect::NextAuthV4, "") => "NextAuth.js Generated Encryption Key".to_owned(),
        (Dialect::NextAuthV4, _) => format!("NextAuth.js Generated Encryption Key ({salt})"),
    }
}

/// A random UUID (RFC 9562 section 5.4).
fn uuid_v4(random: &mut dyn FnMut(&mut [u8])) -> String {
    let mut bytes = [0; 16];
    random(&mut bytes);
    let bits = u128::from_be_bytes(bytes);
    let version = (bits & !(0xf << 76)) | (0x4 << 76);
    let variant = (version & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{variant:032x}");
    let mut groups = Vec::with_capacity(5);
    let mut rest = hex.as_str();
    for length in [8, 4, 4, 4, 12] {
        let (group, after) = rest.split_at(length);
        groups.push(group);
        rest = after;
    }
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use vestibule_oidc::secret::Secret;

    const SECRET: &str = "my-32-char-or-longer-shared-secret!!";
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const DIALECTS: [Dialect; 2] = [Dialect::AuthJsV5, Dialect::NextAuthV4];

    fn keyring(secrets: &[&str]) -> Keyring {
        Keyring::new(secrets.iter().copied().map(Secret::new).collect()).unwrap()
    }

    /// A deterministic sequence in place of random bytes.
    fn fake_random() -> impl FnMut(&mut [u8]) {
        let mut state = 1u8;
        move |bytes| {
            for byte in bytes {
                state = state.wrapping_mul(5).wrapping_add(77);
                *byte = state;
            }
        }
    }

    fn sealed(secret: &str, dialect: Dialect, salt: &str, claims: &Value) -> String {
        let claims = claims.as_object().unwrap();
        seal(&keyring(&[secret]), dialect, salt, claims, Duration::from_mins(1), NOW, &mut fake_random())
    }

    /// Seals a plaintext unchanged.
    fn raw(dialect: Dialect, plaintext: &str) -> String {
        let info = info(dialect, "s");
        let purpose = Purpose { encryption: encryption_of(dialect), salt: "s", info: &info };
        jwe::seal(&keyring(&[SECRET]).newest(&purpose).key, None, plaintext.as_bytes(), &mut fake_random())
    }

    fn opened(dialect: Dialect, plaintext: &str) -> Result<Map<String, Value>, OpenError> {
        open(&keyring(&[SECRET]), dialect, "s", &raw(dialect, plaintext), NOW)
    }

    fn vectors() -> Vec<Value> {
        let vectors: Vec<Value> =
            serde_json::from_str(include_str!("../../../oidc/tests/vectors/authjs-jwe.json")).unwrap();
        assert_eq!(vectors.len(), 6);
        vectors
    }

    fn dialect(vector: &Value) -> Dialect {
        if vector["dialect"] == "v5" { Dialect::AuthJsV5 } else { Dialect::NextAuthV4 }
    }

    #[test]
    fn the_tokens_of_authjs_open_to_their_payloads() {
        for vector in vectors() {
            let text = |name: &str| vector[name].as_str().unwrap();
            for secrets in [vec![text("secret")], vec![text("secret"), "an older one"]] {
                let claims = open(&keyring(&secrets), dialect(&vector), text("salt"), text("token"), NOW);
                assert_eq!(Value::Object(claims.unwrap()), vector["payload"]);
            }
            assert_eq!(info(dialect(&vector), text("salt")), text("info"));
        }
    }

    #[test]
    fn a_session_without_a_sid_has_the_same_one_in_every_copy_and_after_a_change_of_the_secret() {
        let token = sealed("old", Dialect::AuthJsV5, "s", &json!({ "sub": "alice" }));
        let sid = |secrets: &[&str], token: &str| {
            let claims = open_session(&keyring(secrets), Dialect::AuthJsV5, "s", token, NOW).unwrap();
            claims["sid"].as_str().unwrap().to_owned()
        };
        let derived = sid(&["old"], &token);
        assert_eq!(derived.len(), 22);
        assert_eq!(derived, sid(&["new", "old"], &token));
        // The `jti` decides, not the token; without one the token does.
        let other = sealed("old", Dialect::AuthJsV5, "t", &json!({ "sub": "alice" }));
        assert_ne!(
            derived,
            open_session(&keyring(&["old"]), Dialect::AuthJsV5, "t", &other, NOW).unwrap()["sid"]
        );
        let without = |name: &str| raw(Dialect::AuthJsV5, &format!(r#"{{"exp":1800000099,"n":"{name}"}}"#));
        assert_eq!(sid(&[SECRET], &without("a")), sid(&[SECRET], &without("a")));
        assert_ne!(sid(&[SECRET], &without("a")), sid(&[SECRET], &without("b")));
        let with_jti = |jti: &str, n: u8| {
            raw(Dialect::AuthJsV5, &format!(r#"{{"exp":1800000099,"jti":"{jti}","n":{n}}}"#))
        };
        assert_eq!(sid(&[SECRET], &with_jti("a", 1)), sid(&[SECRET], &with_jti("a", 2)));
        assert_ne!(sid(&[SECRET], &with_jti("a", 1)), sid(&[SECRET], &with_jti("b", 1)));
        assert_ne!(sid(&[SECRET], &with_jti("", 1)), sid(&[SECRET], &with_jti("", 2)));
        // Its own `sid` stays.
        let own = sealed("old", Dialect::AuthJsV5, "s", &json!({ "sid": "mine" }));
        assert_eq!(sid(&["old"], &own), "mine");
    }

    #[test]
    fn session_confusion_a_token_opens_only_for_its_own_cookie_and_dialect() {
        let vectors = vectors();
        for vector in &vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let (salt, token) = (text("salt"), text("token"));
            let opens = |secret: &str, dialect, salt: &str| {
                open(&keyring(&[secret]), dialect, salt, token, NOW).is_ok()
            };
            assert!(opens(SECRET, dialect(vector), salt));
            assert!(!opens("another secret", dialect(vector), salt));
            for salt in vectors.iter().map(|v| v["salt"].as_str().unwrap()).filter(|other| *other != salt) {
                for dialect in DIALECTS {
                    assert!(!opens(SECRET, dialect, salt), "{salt}");
                }
            }
            for dialect in DIALECTS.into_iter().filter(|other| *other != dialect(vector)) {
                assert!(!opens(SECRET, dialect, salt), "{dialect:?}");
            }
        }
    }

    #[test]
    fn the_kid_selects_the_secret_and_an_unknown_kid_is_rejected() {
        let old = sealed("old", Dialect::AuthJsV5, "s", &json!({}));
        let open_with =
            |secrets: &[&str], token: &str| open(&keyring(secrets), Dialect::AuthJsV5, "s", token, NOW);
        assert!(open_with(&["new", "old"], &old).is_ok());
        assert_eq!(open_with(&["new"], &old), Err(OpenError::UnknownKey));

        let bare = raw(Dialect::AuthJsV5, r#"{"exp":1800000060}"#);
        assert!(open_with(&[SECRET, "old"], &bare).is_ok());
        assert_eq!(open_with(&["new", SECRET], &bare), Err(OpenError::Jwe(JweError::Unauthentic)));
    }

    #[test]
    fn a_token_of_next_auth_4_is_tried_with_every_secret() {
        let old = sealed("old", Dialect::NextAuthV4, "", &json!({}));
        let open_with = |secrets: &[&str]| open(&keyring(secrets), Dialect::NextAuthV4, "", &old, NOW);
        assert!(open_with(&["new", "old"]).is_ok());
        assert_eq!(open_with(&["new", "other"]), Err(OpenError::Jwe(JweError::Unauthentic)));
    }

    #[test]
    fn authjs_5_also_reads_a256gcm_under_its_own_info() {
        let info = info(Dialect::AuthJsV5, "s");
        let purpose = Purpose { encryption: ContentEncryption::A256Gcm, salt: "s", info: &info };
        let keys = keyring(&[SECRET]);
        let derived = keys.newest(&purpose);
        for kid in [None, Some(derived.kid.as_str())] {
            let token = jwe::seal(&derived.key, kid, br#"{"exp":1800000060}"#, &mut fake_random());
            assert!(open(&keys, Dialect::AuthJsV5, "s", &token, NOW).is_ok());
            assert!(open(&keys, Dialect::NextAuthV4, "s", &token, NOW).is_err());
        }
        let cbc = sealed(SECRET, Dialect::AuthJsV5, "s", &json!({}));
        assert_eq!(open(&keys, Dialect::NextAuthV4, "s", &cbc, NOW), Err(OpenError::OtherDialect));
    }

    #[test]
    fn sealing_sets_iat_exp_and_jti_and_keeps_the_rest() {
        let claims = json!({
            "sub": "jürgen ✓", "n": 1.5, "large": u64::MAX, "negative": -7, "null": null, "list": [1, {"a": []}],
            "iat": 1, "exp": 2, "jti": "old",
        });
        for dialect in DIALECTS {
            let token = sealed(SECRET, dialect, "s", &claims);
            let mut expected = claims.clone();
            let read = open(&keyring(&[SECRET]), dialect, "s", &token, NOW).unwrap();
            expected["iat"] = 1_800_000_000.into();
            expected["exp"] = 1_800_000_060.into();
            expected["jti"] = read["jti"].clone();
            assert_eq!(Value::Object(read.clone()), expected);
            let jti = read["jti"].as_str().unwrap();
            assert_eq!(jti.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        }
    }

    #[test]
    fn drifting_numbers_a_number_stays_the_same_however_often_a_session_is_sealed() {
        for number in
            ["1.9265e-30", "1518.381430172421", "2.2250738585072011e-308", "0.1", "1.9786020500342997e+19"]
        {
            let text = format!(r#"{{"exp":1800000060,"n":{number}}}"#);
            let expected: f64 = number.parse().unwrap();
            for dialect in DIALECTS {
                let mut claims = opened(dialect, &text).unwrap();
                for _ in 0..3 {
                    assert_eq!(claims["n"].as_f64(), Some(expected), "{number}");
                    let token = sealed(SECRET, dialect, "s", &Value::Object(claims));
                    claims = open(&keyring(&[SECRET]), dialect, "s", &token, NOW).unwrap();
                }
            }
        }
    }

    #[test]
    fn the_jti_is_a_uuid_of_version_4() {
        assert_eq!(uuid_v4(&mut |bytes| bytes.fill(0)), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid_v4(&mut |bytes| bytes.fill(0xff)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn unbounded_token_without_a_plausible_expiry_does_not_open() {
        for (claims, error) in [
            ("{}", OpenError::MissingExpiry),
            (r#"{"exp":null}"#, OpenError::InvalidTime("exp")),
            (r#"{"exp":"1800000060"}"#, OpenError::InvalidTime("exp")),
            (r#"{"exp":true}"#, OpenError::InvalidTime("exp")),
            (r#"{"exp":-1}"#, OpenError::InvalidTime("exp")),
            (r#"{"exp":1800000060000}"#, OpenError::InvalidTime("exp")),
            (r#"{"exp":18446744073709551615}"#, OpenError::InvalidTime("exp")),
            (r#"{"exp":1e300}"#, OpenError::InvalidTime("exp")),
            (r#"{"exp":1800000060,"nbf":"x"}"#, OpenError::InvalidTime("nbf")),
            (r#"{"exp":1800000060,"iat":"x"}"#, OpenError::InvalidTime("iat")),
            (r#"{"exp":1e999}"#, OpenError::NotAnObject),
            ("[]", OpenError::NotAnObject),
            ("null", OpenError::NotAnObject),
            (r#""exp""#, OpenError::NotAnObject),
            (r#"{"exp":1800000060}{}"#, OpenError::NotAnObject),
            ("", OpenError::NotAnObject),
        ] {
            for dialect in DIALECTS {
                assert_eq!(opened(dialect, claims), Err(error), "{claims}");
            }
        }
    }

    #[test]
    fn clocks_may_differ_by_fifteen_seconds() {
        for (claims, expected) in [
            (r#"{"exp":1799999985}"#, Err(OpenError::Expired)),
            (r#"{"exp":1799999985.5}"#, Ok(())),
            (r#"{"exp":1799999986}"#, Ok(())),
            (r#"{"exp":0}"#, Err(OpenError::Expired)),
            (r#"{"exp":253402300799}"#, Ok(())),
            (r#"{"exp":1800000060,"nbf":1800000015}"#, Ok(())),
            (r#"{"exp":1800000060,"nbf":1800000016}"#, Err(OpenError::NotYetValid)),
            (r#"{"exp":1800000060,"iat":1900000000}"#, Ok(())),
        ] {
            assert_eq!(opened(Dialect::AuthJsV5, claims).map(drop), expected, "{claims}");
        }
    }

    #[test]
    fn decompression_and_work_bombs_deeply_nested_claims_are_rejected() {
        let deep = format!(r#"{{"exp":1800000060,"x":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!(opened(Dialect::AuthJsV5, &deep), Err(OpenError::NotAnObject));
    }

    proptest! {
        #[test]
        fn sealed_claims_open_to_the_same_claims(values in prop::collection::btree_map(".{0,8}", ".{0,40}", 0..6), salt: String) {
            let claims: Map<String, Value> = values.into_iter().map(|(k, v)| (k, Value::from(v))).collect();
            for dialect in DIALECTS {
                let keys = keyring(&[SECRET]);
                let token = seal(&keys, dialect, &salt, &claims, Duration::from_mins(1), NOW, &mut fake_random());
                let mut read = open(&keys, dialect, &salt, &token, NOW).unwrap();
                let mut written = claims.clone();
                for set in ["iat", "exp", "jti"] {
                    prop_assert!(read.remove(set).is_some());
                    written.remove(set);
                }
                prop_assert_eq!(read, written);
            }
        }

        #[test]
        fn a_token_with_a_flipped_bit_does_not_open(at: prop::sample::Index, bit in 0..7) {
            for dialect in DIALECTS {
                let mut bytes = sealed(SECRET, dialect, "s", &json!({ "sub": "a" })).into_bytes();
                let at = at.index(bytes.len());
                bytes[at] ^= 1u8 << bit;
                let token = String::from_utf8(bytes).unwrap();
                prop_assert!(open(&keyring(&[SECRET]), dialect, "s", &token, NOW).is_err());
            }
        }

        #[test]
        fn arbitrary_text_does_not_open_and_does_not_panic(token: String, plaintext: String) {
            for dialect in DIALECTS {
                prop_assert!(open(&keyring(&[SECRET]), dialect, "s", &token, NOW).is_err());
                prop_assert!(opened(dialect, &plaintext).is_err());
            }
        }
    }
}
