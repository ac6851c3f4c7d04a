//! Sessions as a sign-in leaves them, sealed as Auth.js seals them.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::{chunk, seal};
use vestibule_core::time::Timestamp;

/// What all Workers seal with.
pub(crate) const SECRET: &str = "a-secret-for-measuring-that-guards-nothing";

/// The session's cookie on `https`.
const COOKIE: &str = "__Secure-authjs.session-token";

/// Access and refresh token of a usual length, for a cookie of 2.9 kB.
pub(crate) const USUAL: usize = 2900;

/// The `Cookie` field of somebody who signed in: `size` characters of session. Another `number` is another person.
pub(crate) fn cookie(size: usize, number: usize) -> Result<String> {
    // A third more characters than bytes; without tokens it has some five hundred.
    let padding = size.saturating_mul(3) / 4;
    let mut tokens = padding.saturating_sub(450);
    loop {
        let sealed = sealed(&claims(tokens, number))?;
        // Blocks of 16 bytes: nearer than this it does not come.
        if sealed.len() <= size + 24 || tokens == 0 {
            let chunks = chunk::split(COOKIE, &sealed, Dialect::AuthJsV5);
            let pairs: Vec<String> = chunks.iter().map(|(name, value)| format!("{name}={value}")).collect();
            return Ok(pairs.join("; "));
        }
        tokens = tokens.saturating_sub((sealed.len() - size) * 3 / 4);
    }
}

fn claims(tokens: usize, number: usize) -> Value {
    let now = now().seconds();
    json!({
        "sub": format!("00u1a2b3c4d5e6f7g8{number}"),
        "name": "Alice Example",
        "email": "alice@example.com",
        "picture": "https://cdn.example.com/avatars/alice.png",
        "roles": ["admin", "editor"],
        "provider": "acme",
        "sid": format!("5e55104e5e55104e{number}"),
        "access_token": token(tokens * 2 / 3, number),
        "refresh_token": token(tokens / 3, number + 1),
        "expires_at": now + 36_000,
        "auth_time": now,
    })
}

/// As many characters that look like a token's.
fn token(length: usize, number: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = number as u64 + 0x9e37_79b9;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ALPHABET.get((state >> 58) as usize).copied().map_or('A', char::from)
    };
    (0..length).map(|_| next()).collect()
}

fn sealed(claims: &Value) -> Result<String> {
    let secrets = vec![Secret::new(SECRET)];
    let keys = Keyring::new(secrets).context("a secret")?;
    let claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
    let lifetime = Duration::from_hours(24);
    // No secret is kept here: the initialization vector may be the same.
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    Ok(seal::seal(&keys, Dialect::AuthJsV5, COOKIE, &claims, lifetime, now(), &mut random))
}

#[allow(clippy::disallowed_methods, reason = "the ban is for code that runs on wasm32; this never does")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_seconds(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_has_about_the_size_that_is_asked_for() {
        for size in [1024, USUAL, 4096, 16384] {
            let cookie = cookie(size, 1).unwrap();
            assert!(cookie.len().abs_diff(size) < 32 * (2 + size / 3900) + 40, "{size}: {}", cookie.len());
        }
    }

    #[test]
    fn different_people_have_different_cookies() {
        assert_ne!(cookie(USUAL, 1).unwrap(), cookie(USUAL, 2).unwrap());
    }
}
