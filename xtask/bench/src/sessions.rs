//! Makes session cookies like those after a sign-in, encrypted in the format of Auth.js.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::{self, chunk};
use vestibule_core::time::Timestamp;

/// The `AUTH_SECRET` of all Workers.
pub(crate) const SECRET: &str = "a-secret-for-measuring-that-guards-nothing";

/// The `AUTH_REVOKE_SECRET` of the Worker in which sessions are revoked.
pub(crate) const REVOKE_SECRET: &str = "a-secret-for-measuring-that-revokes-nothing";

/// The name of the session cookie on `https`.
const COOKIE: &str = "__Secure-authjs.session-token";

/// A private key on P-256 (`d` of its JSON Web Key), which is no secret.
const DPOP_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

/// The size of a session cookie in characters with access and refresh tokens of typical length.
pub(crate) const TYPICAL_SIZE: usize = 2900;

/// The `Cookie` field of a signed-in user with about `size` characters of session. Each `user` number is another user.
pub(crate) fn cookie(size: usize, user: usize) -> Result<String> {
    cookie_with(size, user, None)
}

/// The same, with a key to which the access token is bound.
pub(crate) fn bound_cookie(size: usize) -> Result<String> {
    cookie_with(size, 0, Some(DPOP_KEY))
}

fn cookie_with(size: usize, user: usize, dpop_key: Option<&str>) -> Result<String> {
    // Base64 has a third more characters than bytes. A session without tokens has about 450 bytes.
    let padding = size.saturating_mul(3) / 4;
    let mut tokens = padding.saturating_sub(450);
    loop {
        let mut claims = claims(tokens, user);
        if let (Some(key), Some(claims)) = (dpop_key, claims.as_object_mut()) {
            claims.insert("dpop_key".to_owned(), json!(key));
        }
        let sealed = seal(&claims)?;
        // The encryption works in blocks of 16 bytes, so the size cannot be more exact.
        if sealed.len() <= size + 24 || tokens == 0 {
            let chunks = chunk::split(COOKIE, &sealed, Dialect::AuthJsV5);
            let pairs: Vec<String> = chunks.iter().map(|(name, value)| format!("{name}={value}")).collect();
            return Ok(pairs.join("; "));
        }
        tokens = tokens.saturating_sub((sealed.len() - size) * 3 / 4);
    }
}

fn claims(tokens: usize, user: usize) -> Value {
    let now = now().seconds();
    json!({
        "sub": format!("00u1a2b3c4d5e6f7g8{user}"),
        "name": "Alice Example",
        "email": "alice@example.com",
        "picture": "https://cdn.example.com/avatars/alice.png",
        "roles": ["admin", "editor"],
        "provider": "acme",
        "sid": format!("5e55104e5e55104e{user}"),
        "access_token": token(tokens * 2 / 3, user),
        "refresh_token": token(tokens / 3, user + 1),
        "expires_at": now + 36_000,
        "auth_time": now,
    })
}

/// A text of this length that looks like a token.
pub(crate) fn token(length: usize, seed: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = seed as u64 + 0x9e37_79b9;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ALPHABET.get((state >> 58) as usize).copied().map_or('A', char::from)
    };
    (0..length).map(|_| next()).collect()
}

fn seal(claims: &Value) -> Result<String> {
    let secrets = vec![Secret::new(SECRET)];
    let keys = Keyring::new(secrets).context("the keyring has no secret")?;
    let claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
    let lifetime = Duration::from_hours(24);
    // These sessions protect nothing, so the initialization vector may be constant.
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    Ok(session::seal::seal(&keys, Dialect::AuthJsV5, COOKIE, &claims, lifetime, now(), &mut random))
}

#[allow(clippy::disallowed_methods, reason = "the ban is for code that runs on wasm32; xtask never does")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_seconds(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_has_about_the_requested_size() {
        for size in [1024, TYPICAL_SIZE, 4096, 16384] {
            let cookie = cookie(size, 1).unwrap();
            assert!(cookie.len().abs_diff(size) < 32 * (2 + size / 3900) + 40, "{size}: {}", cookie.len());
        }
    }

    #[test]
    fn different_users_have_different_cookies() {
        assert_ne!(cookie(TYPICAL_SIZE, 1).unwrap(), cookie(TYPICAL_SIZE, 2).unwrap());
    }
}
