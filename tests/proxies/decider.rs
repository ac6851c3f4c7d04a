//! What the proxies ask: the built Worker, or the server of your own. Each with a provider.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::clean_log::assert_clean;
use crate::configuration::SECRET;
use crate::native::Native;
use crate::test_env::{self, TestEnv, echo};

/// One of them, running.
pub enum Decider {
    Worker(Box<TestEnv>),
    Native(Native),
}

impl Decider {
    /// The one that the environment variable `PROXIES_RUNTIME` names: `workers`, unless it is `native`.
    ///
    /// # Panics
    /// If it names another one.
    pub fn start(settings: Value) -> Self {
        let runtime = std::env::var("PROXIES_RUNTIME").unwrap_or_else(|_| "workers".to_owned());
        match runtime.as_str() {
            "workers" => Self::Worker(Box::new(TestEnv::with(settings, |builder| {
                builder.service("APP", echo).secret("AUTH_VERIFY_SECRET", SECRET)
            }))),
            "native" => Self::Native(Native::start(settings)),
            other => panic!("PROXIES_RUNTIME is `workers` or `native`, not `{other}`"),
        }
    }

    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Worker(env) => env.address(),
            Self::Native(native) => native.address,
        }
    }

    /// The user logs in at the provider: the address of the callback.
    pub fn authorize(&self, location: &str) -> String {
        match self {
            Self::Worker(env) => env.client().get(location).send().location().to_owned(),
            Self::Native(native) => native.provider.authorize(location),
        }
    }

    /// From now on userinfo has so many characters more.
    pub fn pad(&self, padding: usize) {
        match self {
            Self::Worker(env) => {
                env.idp.change("userinfo", move |value| value["padding"] = json!("p".repeat(padding)));
            }
            Self::Native(native) => native.provider.pad(padding),
        }
    }

    pub fn log(&self) -> String {
        match self {
            Self::Worker(env) => env.logs().text(),
            Self::Native(native) => native.log(),
        }
    }

    /// Asserts that no secret and no token is in the log.
    pub fn assert_the_log_is_clean(&self) {
        match self {
            Self::Worker(env) => {
                let confidential = env.idp.confidential();
                assert_clean(env, confidential.iter().map(String::as_str).chain([test_env::SECRET, SECRET]));
            }
            Self::Native(native) => {
                let log = native.log();
                for word in
                    [test_env::SECRET, SECRET, "eyJ", "access-token-of", "refresh-token-of", "panicked"]
                {
                    assert!(!log.contains(word), "the log contains {word:?}:\n{log}");
                }
            }
        }
    }
}
