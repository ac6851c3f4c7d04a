//! The two sites that are compared, and what a browser may bring to them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::names::{CookieNames, CookieNaming};
use vestibule_core::session::{chunk, seal};
use vestibule_core::time::Timestamp;

pub const SECRET: &str = "my-32-char-or-longer-shared-secret!!";
pub const FOREIGN_SECRET: &str = "the secret of another site, as long";
pub const DAY: Duration = Duration::from_hours(24);

/// One dialect at its usual base path, on `https` or not.
#[derive(Clone, Copy)]
pub struct Site {
    pub dialect: Dialect,
    pub secure: bool,
}

impl Site {
    /// As the configuration calls the dialect.
    pub fn dialect_name(self) -> &'static str {
        match self.dialect {
            Dialect::AuthJsV5 => "authjs-v5",
            Dialect::NextAuthV4 => "next-auth-v4",
        }
    }

    pub fn base_path(self) -> &'static str {
        match self.dialect {
            Dialect::AuthJsV5 => "/auth",
            Dialect::NextAuthV4 => "/api/auth",
        }
    }

    pub fn origin(self) -> &'static str {
        if self.secure { "https://app.example.com" } else { "http://app.example.com" }
    }

    pub fn names(self) -> CookieNames {
        CookieNames::new(&CookieNaming::default(), self.dialect, self.secure)
    }

    fn salt(self) -> String {
        match self.dialect {
            Dialect::AuthJsV5 => self.names().session().to_owned(),
            Dialect::NextAuthV4 => String::new(),
        }
    }

    /// A sealed session of these claims, as Auth.js would have made it `ago`, to live for 30 days from then.
    pub fn sealed(self, claims: &Value, secret: &str, ago: Duration) -> String {
        let claims = claims.as_object().expect("an object").clone();
        let keys = keyring(secret);
        seal::seal(&keys, self.dialect, &self.salt(), &claims, DAY * 30, now().minus(ago), &mut dice())
    }

    /// What a sealed session of this site says.
    pub fn opened(self, token: &str) -> Option<Value> {
        let opened = seal::open(&keyring(SECRET), self.dialect, &self.salt(), token, now());
        opened.ok().map(Value::Object)
    }

    /// The cookies of a session: name and value.
    pub fn session(self, claims: &Value) -> Vec<(String, String)> {
        self.session_of(&self.sealed(claims, SECRET, Duration::ZERO))
    }

    /// The cookies that carry this sealed session.
    pub fn session_of(self, sealed: &str) -> Vec<(String, String)> {
        chunk::split(self.names().session(), sealed, self.dialect)
    }

    /// The csrf cookie.
    pub fn csrf(self) -> (String, String) {
        self.csrf_of(SECRET)
    }

    pub fn csrf_of(self, secret: &str) -> (String, String) {
        (self.names().csrf().to_owned(), format!("{TOKEN}%7C{}", csrf_hash(TOKEN, secret)))
    }
}

/// A csrf token.
pub const TOKEN: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// The second half of the csrf cookie.
pub fn csrf_hash(token: &str, secret: &str) -> String {
    let hash = Sha256::digest(format!("{token}{secret}"));
    hash.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Somebody, as Auth.js seals them.
pub fn ada() -> Value {
    json!({ "name": "Ada", "email": "ada@example.com", "picture": "https://img.example/ada", "sub": "1" })
}

/// Auth.js has no other clock than this one.
#[allow(clippy::disallowed_methods, reason = "natively the clock works")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(since.as_millis().try_into().expect("before 2500"))
}

fn keyring(secret: &str) -> Keyring {
    Keyring::new(vec![Secret::new(secret)]).expect("one secret")
}

/// Not random, but never twice the same within a token.
fn dice() -> impl FnMut(&mut [u8]) {
    let mut state = 1u64;
    move |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
    }
}
