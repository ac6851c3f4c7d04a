//! The sites that are compared, and the cookies that a browser may send to them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::names::{CookieNames, CookieNaming};
use vestibule_core::session::{chunk, seal};
use vestibule_core::time::Timestamp;
use vestibule_testing::FakeRandom;

pub const SECRET: &str = "my-32-char-or-longer-shared-secret!!";
pub const FOREIGN_SECRET: &str = "the secret of another site, as long";
pub const DAY: Duration = Duration::from_hours(24);

/// A site with one dialect at its default base path, on `https` or on `http`.
#[derive(Clone, Copy)]
pub struct Site {
    pub dialect: Dialect,
    pub secure: bool,
}

impl Site {
    /// The name of the dialect in the configuration.
    pub fn dialect_name(self) -> &'static str {
        match self.dialect {
            Dialect::AuthJsV5 => "authjs-v5",
            Dialect::NextAuthV4 => "next-auth-v4",
        }
    }

    /// The dialect and the scheme.
    pub fn name(self) -> String {
        format!("{} {}", self.dialect_name(), if self.secure { "https" } else { "http" })
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

    /// A sealed session with these claims, as Auth.js would have created it `ago`, valid for 30 days from then.
    pub fn sealed(self, claims: &Value, secret: &str, ago: Duration) -> String {
        let claims = claims.as_object().expect("an object").clone();
        let keys = keyring(secret);
        // Each session has its own `jti`, so that no case signs out another one's.
        let random = FakeRandom::new(SEALED.fetch_add(1, Ordering::Relaxed));
        seal::seal(&keys, self.dialect, &self.salt(), &claims, DAY * 30, now().minus(ago), &mut |bytes| {
            random.fill(bytes);
        })
    }

    /// The claims of a sealed session of this site; `None` if it is invalid.
    pub fn opened(self, token: &str) -> Option<Value> {
        let opened = seal::open(&keyring(SECRET), self.dialect, &self.salt(), token, now());
        opened.ok().map(Value::Object)
    }

    /// The names and values of the cookies of a session with these claims.
    pub fn session(self, claims: &Value) -> Vec<(String, String)> {
        self.session_of(&self.sealed(claims, SECRET, Duration::ZERO))
    }

    /// The cookies that carry this sealed session.
    pub fn session_of(self, sealed: &str) -> Vec<(String, String)> {
        chunk::split(self.names().session(), sealed, self.dialect)
    }

    /// The name and value of the CSRF cookie.
    pub fn csrf(self) -> (String, String) {
        self.csrf_of(SECRET)
    }

    pub fn csrf_of(self, secret: &str) -> (String, String) {
        (self.names().csrf().to_owned(), format!("{TOKEN}%7C{}", csrf_hash(TOKEN, secret)))
    }
}

/// How many sessions were sealed.
static SEALED: AtomicU64 = AtomicU64::new(1);

/// A CSRF token.
pub const TOKEN: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// The hash in the second half of the CSRF cookie.
pub fn csrf_hash(token: &str, secret: &str) -> String {
    let hash = Sha256::digest(format!("{token}{secret}"));
    hash.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The claims of a user in a session of Auth.js.
pub fn ada() -> Value {
    json!({ "name": "Ada", "email": "ada@example.com", "picture": "https://img.example/ada", "sub": "1" })
}

/// The real time, because Auth.js only uses the real clock.
#[allow(clippy::disallowed_methods, reason = "this never runs on wasm32")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(since.as_millis().try_into().expect("before 2500"))
}

fn keyring(secret: &str) -> Keyring {
    Keyring::new(vec![Secret::new(secret)]).expect("one secret")
}
